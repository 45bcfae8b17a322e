"""The engine of several machines: Ray Data, on a cluster of this machine's cores or one that runs already."""

from __future__ import annotations

import json
import logging
import os
import pickle
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from imageqx_export import __version__
from imageqx_export.artifact import ModelSpec
from imageqx_export.errors import DeviceError, ImageQXError
from imageqx_export.predict.addresses import hide_secrets, is_address, parse_photo
from imageqx_export.predict.archive.rows import Rows, collect_rows
from imageqx_export.predict.archive.stage import Block, Engine, OpenModel
from imageqx_export.predict.batch import assess_photo
from imageqx_export.runtimes import load_photo_model
from imageqx_export.runtimes.base import Runtime
from imageqx_export.support.boundaries import translate_errors
from imageqx_export.support.files import list_files
from imageqx_export.support.folders import temporary_folder
from imageqx_export.support.libraries import require
from imageqx_export.support.processes import count_cores, take_last_line

if TYPE_CHECKING:
    import ray

RETRIES: Final = 5
"""How often a block is assessed anew whose worker died. Photos that end every worker must not go round for ever."""

OBJECT_STORE: Final = 256 * 2**20
"""Bytes of shared memory on this machine: only the model, names and rows pass through it, never a photo."""

_MOST_TASKS: Final = 10_000


def connect_ray(address: str | None, cores: int | None = None) -> Engine:
    """Return an engine that assesses with Ray Data.

    Every worker takes one core, and one photo at a time: it holds the model, that photo's file and its pixels. A worker
    or a machine that is lost has its blocks assessed by others. The model's file is sent to the workers; photos are
    not: their names must mean the same on every machine, as addresses do.

    Args:
        address: Of a cluster that runs already, such as ``10.0.0.1:6379`` or ``auto``, whose machines have the same
            version of this package; None starts one on this machine, which ends with the engine.
        cores: How many cores of this machine, where one is started; None for all that this process may use.

    Raises:
        UnavailableError: Ray is not installed.
    """
    require("ray")
    return partial(_assess_on_cluster, address=address, cores=cores or count_cores())


def _assess_on_cluster(
    blocks: Sequence[Block], model: OpenModel, *, address: str | None, cores: int
) -> Iterator[tuple[Block, Rows]]:
    by_name = {block.name: block for block in blocks}
    with translate_errors(partial(_blame, address)), _connect(address, cores):
        import ray.data

        work = partial(_assess_block, model=ray.put(_pack(model.artifact)), facts=_describe(model))
        items = [{"name": block.name, "photos": _pack_names(block.photos)} for block in by_name.values()]
        # Tasks and not actors: one that is lost with its machine runs on any other, while an actor's calls would wait
        # until there is room for that actor again.
        waiting = ray.data.from_items(items, override_num_blocks=min(len(items), _MOST_TASKS))
        with warnings.catch_warnings():  # it has no other way yet to limit them, and says that this one will go
            warnings.simplefilter("ignore", DeprecationWarning)
            rows = waiting.map(work, num_cpus=1, ray_remote_args_fn=lambda: {"max_retries": RETRIES})
        for row in rows.iter_rows():
            done: Rows | ImageQXError = pickle.loads(row["done"])  # by a worker of our own
            if isinstance(done, ImageQXError):
                raise done
            yield by_name[row["name"]], done


@contextmanager
def _connect(address: str | None, cores: int) -> Iterator[None]:
    """Connect to a cluster, or start one, for the block; it reports to nobody and serves no page.

    Ray prints on standard output that a worker has died, whatever it is asked; meanwhile that is standard error.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    common: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    own = temporary_folder("ray") if address is None else nullcontext()
    with redirect_stdout(sys.stderr), own as scratch:
        if address is None:
            common |= {"num_cpus": cores, "object_store_memory": OBJECT_STORE, "_temp_dir": str(scratch)}
            common |= {"include_dashboard": False, "address": "local"}  # else RAY_ADDRESS would be used
        else:
            common |= {"address": address}
        try:
            ray.init(**common)
            context = ray.data.DataContext.get_current()
            context.enable_progress_bars = False
            context.print_on_execution_start = False
            yield
        finally:
            ray.shutdown()


def _pack(artifact: Path) -> dict[str, bytes]:
    """Return the bytes of a model's file, or of its folder's files by name."""
    return {path.relative_to(artifact.parent).as_posix(): path.read_bytes() for path in list_files(artifact)}


def _pack_names(photos: Sequence[str]) -> str:
    """Return each photo's name as given, for its row, and where any process finds it: the path from the root.

    As JSON, since Arrow has no text for bytes that are not UTF-8, of which a file's name may be.
    """
    return json.dumps([(name, name if is_address(name) else str(Path(name).absolute())) for name in photos])


def _describe(model: OpenModel) -> dict[str, str]:
    spec = model.spec.model_dump_json()
    return {"artifact": model.artifact.name, "sha256": model.sha256, "spec": spec, "version": __version__}


def _assess_block(row: dict[str, str], *, model: ray.ObjectRef, facts: dict[str, str]) -> dict[str, Any]:
    """Assess one block on a worker; an error of ours is a value, as Ray Data would keep no more of it than its kind."""
    try:
        done: Rows | ImageQXError = _assess_photos(json.loads(row["photos"]), model, facts)
    except ImageQXError as error:
        done = error
    return {"name": row["name"], "done": pickle.dumps(done)}


def _assess_photos(photos: Sequence[tuple[str, str]], model: ray.ObjectRef, facts: dict[str, str]) -> Rows:
    """Return the rows of photos that :func:`_pack_names` packed.

    Raises:
        DeviceError: The worker has another version of this package.
        ArtifactError: The model cannot be run.
    """
    if facts["version"] != __version__:
        raise DeviceError(
            "a machine of the cluster has another version of imageqx-export",
            expected=facts["version"],
            got=__version__,
            remedy="install the same version on every machine",
        )
    spec = ModelSpec.model_validate_json(facts["spec"])
    runtime = _open_model(facts["sha256"], facts["artifact"], model)
    rows = (assess_photo(parse_photo(name), lambda _: nullcontext(runtime), spec, Path(at)) for name, at in photos)
    return collect_rows(rows, spec)


_opened: dict[str, Runtime] = {}
"""The model that this worker has, by its digest; a worker does many blocks."""


def _open_model(sha256: str, artifact: str, model: ray.ObjectRef) -> Runtime:
    """Open the model on a worker, once."""
    if sha256 not in _opened:
        import ray
        import torch

        torch.set_num_threads(1)
        with temporary_folder("model") as folder:
            for name, content in ray.get(model).items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            _opened[sha256] = load_photo_model(folder / artifact)
    return _opened[sha256]


def _blame(address: str | None, error: Exception) -> ImageQXError:
    """Return that Ray failed."""
    return DeviceError(
        "Ray could not do it",
        where=address or "a cluster on this machine",
        got=hide_secrets(f"{type(error).__name__}: {take_last_line(str(error))}"),
        remedy="give the same command again: what is done is kept",
    )
