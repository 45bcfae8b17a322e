"""Shapes that are not fixed when the file is compiled."""

from __future__ import annotations

from collections.abc import Iterator

from imageqx_export.lint.model import Graph, Rule


def find_dynamic(graph: Graph) -> Iterator[str]:
    """Yield inputs and outputs with a size that is not fixed."""
    for value in (*graph.inputs, *graph.outputs):
        if value.shape is not None and any(not size for size in value.shape):
            yield f"{value.name} [{', '.join('?' if not size else str(size) for size in value.shape)}]"


RULES = (
    Rule(
        "dynamic-shape",
        "error",
        ("onnx", "tflite"),
        reason="NPUs' compilers plan memory for fixed sizes: ONNX Runtime's QNN provider takes no dynamic shapes, and "
        "Vela needs static ones",
        source="ONNX Runtime's documentation of its QNN execution provider, Model requirements",
        mend="export with a fixed batch of 1, or python -m onnxruntime.tools.make_dynamic_shape_fixed",
        find=find_dynamic,
    ),
)
