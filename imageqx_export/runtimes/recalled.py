"""Run files apart from this process: several of one kind in one, which loads its runtime once; answers are kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from imageqx_export.artifact import Outputs, Pixels, TensorSpec
from imageqx_export.errors import ArtifactError, ImageQXError, MeasurementError
from imageqx_export.runtimes import run_file
from imageqx_export.support.arrays import digest_array, pack_arrays, read_arrays
from imageqx_export.support.files import digest
from imageqx_export.support.processes import run_isolated
from imageqx_export.support.store import Store

Run = tuple[tuple[TensorSpec, ...], Outputs]
"""The outputs that a file declares, and those that it gives."""
_SIGNATURE, _OUTPUTS = "signature.json", "outputs.npz"
_SPECS = TypeAdapter(tuple[TensorSpec, ...])


def recall_runs(store: Store, paths: Sequence[Path], pixels: Pixels) -> list[Run | ImageQXError]:
    """Return what each file gives for the pixels, or what it fails with; a crash is the failure of one file alone.

    Args:
        store: Where answers are kept.
        paths: Files of one kind; they share a process, and where that dies each has one of its own.
        pixels: uint8 [N,H,W,3].
    """
    if store.folder is None:
        return _run_apart(paths, pixels)
    given = digest_array(pixels)
    keys = [store.make_key("run", file=digest(path), suffix=path.suffix, pixels=given) for path in paths]
    found: list[Run | ImageQXError | None] = [_find(store, key) for key in keys]
    missing = [path for path, run in zip(paths, found, strict=True) if run is None]
    made = iter(_run_apart(missing, pixels) if missing else [])
    runs = []
    for key, run in zip(keys, found, strict=True):
        if run is None:
            run = next(made)
            if not isinstance(run, ImageQXError):
                _keep(store, key, run)
        runs.append(run)
    return runs


def _run_apart(paths: Sequence[Path], pixels: Pixels) -> list[Run | ImageQXError]:
    try:
        return run_isolated(run_files, paths, pixels)
    except Exception as error:
        if len(paths) == 1:
            return [_explain(error)]
    return [_run_apart([path], pixels)[0] for path in paths]


def run_files(paths: Sequence[Path], pixels: Pixels) -> list[Run | ImageQXError]:
    """Return what each file gives for the pixels, or what it fails with, in this process."""
    runs: list[Run | ImageQXError] = []
    for path in paths:
        try:
            runs.append(run_file(path, pixels))
        except Exception as error:  # a runtime may raise anything; that too is a failure of the file
            runs.append(_explain(error))
    return runs


def _explain(error: Exception) -> ImageQXError:
    if isinstance(error, ImageQXError):
        return error
    return ArtifactError("the file cannot be run", got=f"{type(error).__name__}: {error}")


def _find(store: Store, key: str) -> Run | None:
    files = store.find(key) or {}
    with suppress(KeyError, ValidationError, MeasurementError):
        return _SPECS.validate_json(files[_SIGNATURE]), read_arrays(files[_OUTPUTS], key)
    return None


def _keep(store: Store, key: str, run: Run) -> None:
    signature = json.dumps([tensor.model_dump(mode="json") for tensor in run[0]]).encode()
    store.keep(key, {_SIGNATURE: signature, _OUTPUTS: pack_arrays(run[1])})
