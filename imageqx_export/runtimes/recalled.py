"""Run files apart from this process: several of one kind in one, which loads its runtime once; answers are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter

from imageqx_export.artifact import Outputs, Pixels, TensorSpec
from imageqx_export.errors import ArtifactError, ImageQXError
from imageqx_export.runtimes import run_file
from imageqx_export.support.arrays import digest_array
from imageqx_export.support.files import digest
from imageqx_export.support.processes import run_isolated
from imageqx_export.support.recall import ARRAYS, Form, recall_each
from imageqx_export.support.store import Store

Run = tuple[tuple[TensorSpec, ...], Outputs]
"""The outputs that a file declares, and those that it gives."""
_SIGNATURE = "signature.json"
_SPECS = TypeAdapter(tuple[TensorSpec, ...])


def recall_runs(store: Store, paths: Sequence[Path], pixels: Pixels) -> list[Run | ImageQXError]:
    """Return what each file gives for the pixels, or what it fails with; a crash is the failure of one file alone.

    Args:
        store: Where answers are kept.
        paths: Files of one kind; they share a process, and where that dies each has one of its own.
        pixels: uint8 [N,H,W,3].
    """
    given = digest_array(pixels) if store.folder is not None else ""
    return recall_each(
        store,
        paths,
        lambda path: store.make_key("run", file=digest(path), suffix=path.suffix, pixels=given),
        lambda missing: _run_apart(missing, pixels),
        Form(_write, _read),
    )


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


def _write(run: Run | ImageQXError) -> Mapping[str, bytes]:
    if isinstance(run, ImageQXError):
        return {}
    signature = json.dumps([tensor.model_dump(mode="json") for tensor in run[0]]).encode()
    return {_SIGNATURE: signature, **ARRAYS.write(run[1])}


def _read(files: Mapping[str, bytes]) -> Run | ImageQXError:
    return _SPECS.validate_json(files[_SIGNATURE]), ARRAYS.read(files)
