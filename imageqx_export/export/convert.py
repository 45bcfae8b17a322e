"""Convert: each format in a process of its own, and which formats this machine can write."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from imageqx_export.artifact import Checkpoint, Format, Precision
from imageqx_export.checkpoint import load_same
from imageqx_export.errors import ConversionError, ImageQXError
from imageqx_export.export.form import take_form
from imageqx_export.input_form import DEFAULT_FORM, InputForm
from imageqx_export.support.files import is_disk_full
from imageqx_export.support.processes import quiet, run_isolated, start_pool
from imageqx_export.support.progress import Progress

if TYPE_CHECKING:
    from imageqx_export.networks.base import Network
    from imageqx_export.quantize.model import QuantizedModel
    from imageqx_export.quantize.recipe import Recipe


class Variant(NamedTuple):
    """One file of an export: its format, its scheme, and how it takes photos."""

    format: Format
    precision: Precision
    form: InputForm = DEFAULT_FORM


class Exporter(Protocol):
    """What each format's ``exporter.py`` offers."""

    def explain_refused(self, form: InputForm, network: Network) -> str | None:
        """Return why no file of the format takes photos so, and what to do instead; None where they do."""

    def write(
        self,
        network: Network,
        checkpoint: Checkpoint,
        paths: Mapping[Precision, Path],
        quantized: Mapping[Precision, QuantizedModel],
    ) -> None:
        """Write one file per precision, each of which takes photos as the checkpoint's ModelSpec says."""


def load_exporter(format: Format) -> Exporter:
    """Return the module that writes ``format``; its libraries are not imported yet."""
    module: Exporter = importlib.import_module(f"imageqx_export.export.{format.value}.exporter")
    return module


def list_libraries(format: Format) -> dict[str, str]:
    """Return import name → distribution of every library that ``format`` needs."""
    libraries: dict[str, str] = importlib.import_module(f"imageqx_export.export.{format.value}.libraries").LIBRARIES
    return libraries


def find_missing(format: Format) -> str | None:
    """Say which libraries ``format`` lacks on this machine, or None."""
    lacking = [name for library, name in list_libraries(format).items() if importlib.util.find_spec(library) is None]
    return f"{format}: {', '.join(lacking)} not installed" if lacking else None


def convert_all(
    checkpoint_path: Path,
    model: str,
    sha256: str,
    files: Mapping[Variant, Path],
    recipes: Mapping[Precision, Recipe],
    progress: Progress,
) -> None:
    """Convert each format in a process of its own: they are slow, noisy, and do not like one another's libraries.

    One and not two, as its libraries take a third of the processor time of a conversion to load.
    """
    tasks: dict[tuple[Format, InputForm], dict[Precision, Path]] = {}
    for (format, precision, form), path in files.items():
        tasks.setdefault((format, form), {})[precision] = path
    # The slowest first, so that the last to end is a short one.
    order = sorted(tasks, key=lambda task: [Format.TFLITE, Format.COREML, Format.ONNX].index(task[0]))
    title = f"converting to {', '.join(dict.fromkeys(format for format, _ in order))}"
    with start_pool() as threads, progress(title, len(files)) as advance:
        jobs: dict[Future[None], Format] = {}
        for task in order:
            format, form = task
            job = threads.submit(
                run_isolated, convert, format, checkpoint_path, model, sha256, tasks[task], recipes, form
            )
            jobs[job] = format
        shown, running = 0, set(jobs)
        while running:
            ended, running = wait(running, timeout=1.0, return_when=FIRST_COMPLETED)
            for job in ended:
                _finish(job, jobs[job])
            written = sum(path.exists() for path in files.values())
            for _ in range(written - shown):
                advance()
            shown = max(shown, written)  # a converter may take back what it began


def _finish(job: Future[None], format: Format) -> None:
    try:
        job.result()
    except ImageQXError:
        raise
    except Exception as error:  # whatever a converter raises; its own words are kept
        raise ConversionError(
            f"the {format} converter failed", got=f"{type(error).__name__}: {error}", remedy="--formats without it"
        ) from error


def convert(
    format: Format,
    checkpoint_path: Path,
    model: str,
    sha256: str,
    paths: Mapping[Precision, Path],
    recipes: Mapping[Precision, Recipe],
    form: InputForm = DEFAULT_FORM,
) -> None:
    """Convert a checkpoint to one format, in this process.

    Args:
        format: Which.
        checkpoint_path: The weights.
        model: The network's name.
        sha256: The file's digest when the export began.
        paths: Where to, per precision.
        recipes: Of each quantized precision in ``paths``.
        form: How the files take photos.

    Raises:
        CheckpointError: The weights cannot be trusted, or are others by now.
    """
    checkpoint, network = load_same(checkpoint_path, sha256, model)
    # What converters print concerns their own insides and versions; what matters is compared afterwards.
    with _explain_full_disk(list(paths.values())), quiet():
        from imageqx_export.quantize.model import QuantizedModel
        from imageqx_export.quantize.weights import load_quantized_network

        quantized = {
            precision: QuantizedModel(load_quantized_network(recipe, checkpoint_path, network), recipe)
            for precision, recipe in recipes.items()
            if precision in paths
        }
        load_exporter(format).write(network, take_form(checkpoint, form), paths, quantized)


@contextmanager
def _explain_full_disk(paths: Sequence[Path]) -> Iterator[None]:
    """Turn what a converter raises where its disk is full into one sentence."""
    try:
        yield
    except Exception as error:
        if is_disk_full(error, folder := paths[0].parent):
            files = ", ".join(path.name for path in paths)
            raise ConversionError(
                "no space left on device", where=f"{folder}: {files}", remedy="make room there, and run it again"
            ) from error
        raise
