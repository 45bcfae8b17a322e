"""Runtimes: each runs one kind of file behind one small protocol."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from imageqx_export.artifact import ModelSpec, TensorSpec
from imageqx_export.errors import ArtifactError, UnavailableError, UnknownNameError

Pixels = NDArray[np.uint8]
Outputs = dict[str, NDArray[np.float32]]


class Runtime(Protocol):
    """Run one file."""

    @property
    def spec(self) -> ModelSpec:
        """The ModelSpec in the file's own metadata."""
        ...

    @property
    def signature(self) -> tuple[TensorSpec, ...]:
        """The outputs as the file itself declares them, in its own order; shapes are () where it has none."""
        ...

    def run(self, pixels: Pixels) -> Outputs:
        """Return every output for uint8 [N,224,224,3] RGB: float32, the batch first, by name."""
        ...


def _torch(path: Path) -> Runtime:
    from imageqx_export.runtimes import torch

    return torch.load(path)


def _onnx(path: Path) -> Runtime:
    from imageqx_export.runtimes import onnx

    return onnx.load(path)


def _tflite(path: Path) -> Runtime:
    from imageqx_export.runtimes import tflite

    return tflite.load(path)


def _coreml(path: Path) -> Runtime:
    from imageqx_export.runtimes import coreml

    return coreml.load(path)


def _mil(path: Path) -> Runtime:
    from imageqx_export.runtimes import mil

    return mil.load(path)


RUNTIMES: dict[str, Callable[[Path], Runtime]] = {
    "torch": _torch,
    "onnx": _onnx,
    "tflite": _tflite,
    "coreml": _coreml,
    "mil": _mil,
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


def require(library: str, distribution: str) -> None:
    """Raise unless ``library`` can be imported.

    Raises:
        UnavailableError: It cannot; the message names ``distribution``, which has it.
    """
    if importlib.util.find_spec(library) is None:
        raise UnavailableError(f"{library} is not installed", remedy=f"make setup, or pip install {distribution}")


def read_spec(metadata: Mapping[str, str], path: Path) -> ModelSpec:
    """Parse the ModelSpec in a file's metadata.

    Args:
        metadata: The file's own key–value pairs.
        path: The file, for the message.

    Raises:
        ArtifactError: There is none, or it is not valid.
    """
    if "spec" not in metadata:
        raise ArtifactError(
            "no ModelSpec in the file's metadata", where=path, expected="a key 'spec'", remedy="export it again"
        )
    try:
        return ModelSpec.model_validate(json.loads(metadata["spec"]))
    except (ValidationError, ValueError) as error:
        raise ArtifactError("the ModelSpec in the file's metadata is not valid", where=path, got=str(error)) from error
