"""Runtimes: each runs one kind of file behind one small protocol."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from imageqx_export.artifact import Outputs, Pixels, TensorSpec
from imageqx_export.decisions import refuse_undecidable
from imageqx_export.errors import ArtifactError, UnknownNameError
from imageqx_export.runtimes.base import Runtime
from imageqx_export.support.processes import quiet


def _load_torch(path: Path) -> Runtime:
    from imageqx_export.runtimes import torch

    return torch.load(path)


def _load_onnx(path: Path) -> Runtime:
    from imageqx_export.runtimes import onnx

    return onnx.load(path)


def _load_tflite(path: Path) -> Runtime:
    from imageqx_export.runtimes import tflite

    return tflite.load(path)


def _load_coreml(path: Path) -> Runtime:
    from imageqx_export.runtimes import coreml

    return coreml.load(path)


def _load_mil(path: Path) -> Runtime:
    from imageqx_export.runtimes.mil import runtime as mil

    return mil.load(path)


RUNTIMES: dict[str, Callable[[Path], Runtime]] = {
    "torch": _load_torch,
    "onnx": _load_onnx,
    "tflite": _load_tflite,
    "coreml": _load_coreml,
    "mil": _load_mil,
}
_BY_SUFFIX = {
    ".safetensors": "torch",
    ".onnx": "onnx",
    ".tflite": "tflite",
    ".mlpackage": "coreml" if sys.platform == "darwin" else "mil",
}


def load_runtime(path: Path, runtime: str | None = None) -> Runtime:
    """Open ``path`` with the runtime for its kind.

    Args:
        path: A ``.safetensors``, ``.onnx``, ``.tflite`` or ``.mlpackage``.
        runtime: One of :data:`RUNTIMES`, to override the choice.

    Raises:
        UnknownNameError: Nothing runs files of this kind, or there is no such runtime.
        ArtifactError: The file is missing or cannot be read.
        UnavailableError: The runtime's library is not installed.
    """
    name = runtime or _BY_SUFFIX.get(path.suffix)
    if name is None:
        raise UnknownNameError("kind of file", path.name, [f"*{suffix}" for suffix in _BY_SUFFIX])
    if name not in RUNTIMES:
        raise UnknownNameError("runtime", name, RUNTIMES)
    if not path.exists():
        raise ArtifactError("no such file", where=path, remedy="imageqx export")
    return RUNTIMES[name](path)


def load_photo_model(path: Path) -> Runtime:
    """Open a model that assesses photos: everything that verdicts need of it is checked here, once.

    Raises:
        ArtifactError: It is another kind of model, or as :func:`load_runtime`.
    """
    runtime = load_runtime(path)
    refuse_undecidable(runtime.spec, runtime.signature, path)
    return runtime


def run_file(path: Path, pixels: Pixels) -> tuple[tuple[TensorSpec, ...], Outputs]:
    """Open a file, run it, and return the outputs that it declares and gives.

    Raises:
        ArtifactError: The file cannot be read or run.
    """
    with quiet():
        runtime = load_runtime(path)
        return runtime.signature, runtime.run(pixels)
