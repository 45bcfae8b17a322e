"""Write ONNX graphs in the forms that phones' accelerators compute right, too; on a CPU not one bit changes."""

from __future__ import annotations

from typing import Any

import numpy as np

_MOVES = ("Concat", "Reshape", "Slice", "Transpose")
"""What moves integers and computes none."""


def enter_by_dequantizing(model: Any) -> int:
    """Turn each Cast of the uint8 pixels to float32 into a DequantizeLinear of scale 1 and zero point 0, in place.

    Both give the byte as a number. Qualcomm's compiler makes of the Cast, on SM8450 to SM8850, an operation that gives
    1 for every byte but 0 (its x86 simulator's word, QNN 2.51; no phone has confirmed it), and calls the graph whole.

    Args:
        model: An ``onnx.ModelProto``.

    Returns:
        How many were turned.
    """
    import onnx
    from onnx import numpy_helper as arrays

    graph = model.graph
    pixels = {value.name for value in graph.input if value.type.tensor_type.elem_type == onnx.TensorProto.UINT8}
    casts = [
        node
        for node in graph.node
        if node.op_type == "Cast"
        and node.input[0] in pixels
        and onnx.helper.get_node_attr_value(node, "to") == onnx.TensorProto.FLOAT
    ]
    for node in casts:
        node.op_type = "DequantizeLinear"
        node.input.extend(["pixels.scale", "pixels.zero"])
        del node.attribute[:]
    if casts:
        graph.initializer.append(arrays.from_array(np.float32(1), "pixels.scale"))
        graph.initializer.append(arrays.from_array(np.uint8(0), "pixels.zero"))
    return len(casts)


def dequantize_around_moves(model: Any) -> int:
    """Put every Concat, Reshape, Slice and Transpose of integers between dequantize and quantize operations, in place.

    Accelerators know integers by the operations around them, and refuse those that have none, and with them the file.
    On a CPU, ONNX Runtime drops the pairs again, as the integers are the same.

    Args:
        model: An ``onnx.ModelProto`` with quantize and dequantize operations.

    Returns:
        How many operations were wrapped.
    """
    import onnx

    graph = model.graph
    scales = _read_scales(graph)
    held = {tensor.name: tensor for tensor in graph.initializer}
    moves = [node for node in graph.node if node.op_type in _MOVES and node.output[0] in scales]
    for node in moves:
        scale, zero = scales[node.output[0]]
        data = [name for name in node.input if name not in held or held[name].data_type == onnx.TensorProto.UINT8]
        place = list(graph.node).index(node)
        for offset, name in enumerate(data):
            unpacked = f"{node.output[0]}.in{offset}"
            graph.node.insert(place, onnx.helper.make_node("DequantizeLinear", [name, scale, zero], [unpacked]))
            node.input[list(node.input).index(name)] = unpacked
        packed, node.output[0] = node.output[0], f"{node.output[0]}.out"
        place = list(graph.node).index(node) + 1
        graph.node.insert(place, onnx.helper.make_node("QuantizeLinear", [node.output[0], scale, zero], [packed]))
    return len(moves)


def _read_scales(graph: Any) -> dict[str, tuple[str, str]]:
    """Return the names of scale and zero point of each integer value, as the operations around it say."""
    found: dict[str, tuple[str, str]] = {}
    for node in graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            name = node.output[0] if node.op_type == "QuantizeLinear" else node.input[0]
            found[name] = (node.input[1], node.input[2])
    moves = [node for node in graph.node if node.op_type in _MOVES]
    for node in (*moves, *reversed(moves)):  # what moves integers keeps their scale: forwards, then back
        data = node.input if node.op_type == "Concat" else node.input[:1]
        known = [found[name] for name in (*node.output, *data) if name in found]
        for name in (*node.output, *data) if known else ():
            found.setdefault(name, known[0])
    return found
