"""Make what others' tools make of the same checkpoint with their defaults, each in a process of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import Format
from imageqx_export.errors import ImageQXError
from imageqx_export.export.metadata import versions
from imageqx_export.quantize.sensitivity.cache import make_key
from imageqx_export.support.files import digest
from imageqx_export.support.folders import Layout, stage_folder
from imageqx_export.support.processes import quiet, run_isolated

Make = Callable[[Path, Path, NDArray[np.uint8]], None]
"""Quantizes the first file into the second, given calibration images, uint8 [N,224,224,3]."""


_AI_EDGE = ("ai-edge-quantizer", "ai-edge-litert")


@dataclass(frozen=True)
class Peer:
    """A tool and its recipe.

    Attributes:
        name: As the table calls it.
        format: What it reads and writes.
        scheme: What is int8 in its file, and what is float.
        libraries: Distributions whose versions decide what it makes.
        make: Does it.
    """

    name: str
    format: Format
    scheme: str
    libraries: tuple[str, ...]
    make: Make


def quantize_static(source: Path, target: Path, images: NDArray[np.uint8]) -> None:
    """Call onnxruntime's ``quantize_static`` with nothing but the images."""
    import onnxruntime
    from onnxruntime.quantization import CalibrationDataReader
    from onnxruntime.quantization import quantize_static as quantize

    name = onnxruntime.InferenceSession(str(source), providers=["CPUExecutionProvider"]).get_inputs()[0].name

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        """Images, one after the other, as ONNX Runtime's calibration asks for them."""

        def __init__(self) -> None:
            self._feeds: Iterator[dict[str, Any]] = iter([{name: image[None]} for image in images])

        def get_next(self) -> dict[str, Any] | None:
            return next(self._feeds, None)

    quantize(str(source), str(target), Reader())


def static_wi8_ai8(source: Path, target: Path, images: NDArray[np.uint8]) -> None:
    """Quantize with ai-edge-quantizer's recipe of that name."""
    _quantize_with_ai_edge("static_wi8_ai8", source, target, images)


def dynamic_wi8_afp32(source: Path, target: Path, images: NDArray[np.uint8]) -> None:
    """Quantize with ai-edge-quantizer's recipe of that name; it looks at no images."""
    _quantize_with_ai_edge("dynamic_wi8_afp32", source, target, images)


def _quantize_with_ai_edge(recipe: str, source: Path, target: Path, images: NDArray[np.uint8]) -> None:
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import quantizer
    from ai_edge_quantizer import recipe as recipes

    interpreter = Interpreter(model_path=str(source))
    signature, tensors = next(iter(interpreter.get_signature_list().items()))
    name = tensors["inputs"][0]
    tool = quantizer.Quantizer(str(source), getattr(recipes, recipe)())
    feeds = [{name: image[None]} for image in images]  # not a generator: it is gone through twice
    found = tool.calibrate({signature: feeds}) if tool.need_calibration else None
    tool.quantize(found, enable_progress_report=False).export_model(str(target))


def linear_quantize_weights(source: Path, target: Path, images: NDArray[np.uint8]) -> None:
    """Call coremltools' ``linear_quantize_weights`` with its default configuration; it looks at no images."""
    import coremltools
    from coremltools.optimize.coreml import OpLinearQuantizerConfig, OptimizationConfig
    from coremltools.optimize.coreml import linear_quantize_weights as quantize

    model = coremltools.models.MLModel(str(source), skip_model_load=True)
    quantize(model, OptimizationConfig(global_config=OpLinearQuantizerConfig())).save(str(target))


PEERS = (
    Peer("onnxruntime quantize_static", Format.ONNX, "w8a8", ("onnxruntime", "onnx"), quantize_static),
    Peer("ai-edge-quantizer static_wi8_ai8", Format.TFLITE, "w8a8", _AI_EDGE, static_wi8_ai8),
    Peer("ai-edge-quantizer dynamic_wi8_afp32", Format.TFLITE, "w8, dynamic", _AI_EDGE, dynamic_wi8_afp32),
    Peer("coremltools linear_quantize_weights", Format.COREML, "w8", ("coremltools",), linear_quantize_weights),
)


def make_cached(peer: Peer, source: Path, images: NDArray[np.uint8], cache: Path) -> Path:
    """Return a peer's file, which is made once for each source, set of images and version.

    Args:
        peer: The tool.
        source: The float32 artifact.
        images: Calibration images, uint8 [N,224,224,3].
        cache: Where it is kept.

    Raises:
        ImageQXError: The tool failed or crashed.
    """
    key = make_key(
        peer.name, digest(source), hashlib.sha256(images.tobytes()).hexdigest(), len(images), versions(peer.libraries)
    )
    folder = cache / f"{peer.make.__name__}-{key}"
    if not folder.exists():
        with stage_folder(folder, Layout("a peer's file", (r"peer\..*",))) as staging:
            try:
                run_isolated(_make, peer.make, source, staging.path / f"peer{peer.format.suffix}", images)
            except ImageQXError:
                raise
            except Exception as error:  # whatever the tool raises is its result
                raise ImageQXError(f"{peer.name} failed", got=f"{type(error).__name__}: {error}") from error
            staging.publish()
    return folder / f"peer{peer.format.suffix}"


def _make(make: Make, source: Path, target: Path, images: NDArray[np.uint8]) -> None:
    with quiet():
        make(source, target, images)
