"""Shapes that are not fixed when the file is compiled."""

from __future__ import annotations

from collections.abc import Iterator

from imageqx_export.lint.model import Graph, Rule

_OPEN_BATCH = "dynamic-batch"
NOT_FOR_NPUS = frozenset({_OPEN_BATCH, "integers-moved-outside-qdq"})
"""What a file breaks that was asked to take any number of photos: its size is open, and constants are repeated for it.
NPUs' compilers, which these rules speak of, take no such file at all."""


def find_dynamic(graph: Graph) -> Iterator[str]:
    """Yield inputs and outputs with a size that is not fixed, other than the first alone."""
    for name, shape in _list_open(graph):
        if not all(shape[1:]):
            yield _describe(name, shape)


def find_open_batch(graph: Graph) -> Iterator[str]:
    """Yield inputs and outputs whose first size alone, how many photos there are, is not fixed."""
    for name, shape in _list_open(graph):
        if all(shape[1:]):
            yield _describe(name, shape)


def _list_open(graph: Graph) -> Iterator[tuple[str, tuple[int | None, ...]]]:
    for value in (*graph.inputs, *graph.outputs):
        if value.shape is not None and not all(value.shape):
            yield value.name, value.shape


def _describe(name: str, shape: tuple[int | None, ...]) -> str:
    return f"{name} [{', '.join('?' if not size else str(size) for size in shape)}]"


_STATIC = (
    "NPUs' compilers plan memory for fixed sizes: ONNX Runtime's QNN provider takes no dynamic shapes, and Vela needs "
    "static ones"
)
_SOURCE = "ONNX Runtime's documentation of its QNN execution provider, Model requirements"

RULES = (
    Rule(
        "dynamic-shape",
        "error",
        ("onnx", "tflite"),
        reason=_STATIC,
        source=_SOURCE,
        mend="export with fixed sizes, or python -m onnxruntime.tools.make_dynamic_shape_fixed",
        find=find_dynamic,
    ),
    Rule(
        _OPEN_BATCH,
        "error",
        ("onnx", "tflite"),
        reason=_STATIC,
        source=_SOURCE,
        mend="export with a fixed batch of 1, or python -m onnxruntime.tools.make_dynamic_shape_fixed",
        find=find_open_batch,
    ),
)
