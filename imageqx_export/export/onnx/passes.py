"""Write integers into an ONNX graph, in the form that ONNX Runtime fuses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.errors import ConversionError

if TYPE_CHECKING:
    from imageqx_export.quantize.graph.integers import IntegerWeight

_AFFINE = ("QuantizeLinear", "DequantizeLinear")
_WIDE = 28 * 28  # pixels from which it pays
_SIGN = 128  # uint8 − int8, for the same real value


def store_int8_weights(model: Any, weights: Iterable[IntegerWeight]) -> int:
    """Make the named weights of a float32 graph int8, with a Cast and a Mul by a scale a channel; in place.

    They are DequantizeLinear spelt out. ONNX Runtime keeps a weight's DequantizeLinear for its integer kernels and
    computes it anew for each photo (44 ms instead of 16); the two it computes once, when the file is opened.
    A weight is found by its values, so that what is stored is what PyTorch rounded, whatever the exporter called it.

    Args:
        model: An ``onnx.ModelProto``, simplified already.
        weights: What to store.

    Returns:
        How many weights are int8 now.

    Raises:
        ConversionError: The graph does not hold one of the weights.
    """
    import onnx
    from onnx import numpy_helper as arrays

    graph = model.graph
    held = {_make_key(arrays.to_array(t)): t for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT}
    nodes, index = [], -1
    for index, weight in enumerate(weights):
        tensor = held.get(_make_key(weight.values))
        if tensor is None:
            raise ConversionError(
                "a weight is not in the ONNX graph as PyTorch holds it",
                where=weight.tensor,
                remedy="report this version of the exporter",
            )
        name, stored, scale = tensor.name, f"w{index}", f"s{index}"
        tensor.CopyFrom(arrays.from_array(weight.integers, stored))
        scales = weight.scales.reshape(-1, *[1] * (weight.values.ndim - 1))
        graph.initializer.append(arrays.from_array(scales, scale))
        nodes.append(onnx.helper.make_node("Mul", [f"f{index}", scale], [name]))
        nodes.append(onnx.helper.make_node("Cast", [stored], [f"f{index}"], to=onnx.TensorProto.FLOAT))
    nodes = [*reversed(nodes), *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return index + 1


def _make_key(array: NDArray[Any]) -> tuple[tuple[int, ...], bytes]:
    return array.shape, array.tobytes()


def make_activations_unsigned(model: Any) -> int:
    """Make int8 activations uint8, in place: every zero point 128 higher, every real value the same.

    ONNX Runtime on x86 fuses the convolutions of uint8 activations with int8 weights, and of int8 activations only
    those of a few shapes. Weights keep int8, which has one zero point for each channel.

    Args:
        model: An ``onnx.ModelProto`` with one zero point per activation.

    Returns:
        How many zero points and constants are uint8 now.
    """
    import onnx
    from onnx import numpy_helper as arrays

    graph, moved_count = model.graph, 0
    held = {tensor.name: tensor for tensor in graph.initializer}
    scalars = {node.input[2] for node in graph.node if node.op_type in _AFFINE and not held[node.input[2]].dims}
    constants = {
        node.input[0]
        for node in graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in held and node.input[2] in scalars
    }
    for name in scalars | constants:
        if held[name].data_type == onnx.TensorProto.INT8:
            moved = arrays.to_array(held[name]).astype(np.int16) + _SIGN
            held[name].CopyFrom(arrays.from_array(moved.astype(np.uint8), name))
            moved_count += 1
    del graph.value_info[:]  # they still say int8
    return moved_count


def widen_gates(model: Any) -> int:
    """Give squeeze-and-excite's factors a column for each column of what they multiply, in place.

    Kernels walk along the axes that two operands share. Channels come last where ONNX Runtime computes, so that it
    would begin anew at each pixel: 0.54 ms instead of 0.16 for the first block. A product with ones of step 1 repeats
    the integers.

    Args:
        model: An ``onnx.ModelProto`` with quantize and dequantize operations.

    Returns:
        How many factors are wider now.
    """
    import onnx
    from onnx import numpy_helper as arrays

    graph, widened = model.graph, 0
    shapes = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in onnx.shape_inference.infer_shapes(model).graph.value_info
    }
    made = {name: node for node in graph.node for name in node.output}
    for node in [node for node in graph.node if node.op_type == "Mul"]:
        gate, large = sorted(node.input, key=lambda name: int(np.prod(shapes.get(name, [0]))))
        channels, height, width = (0, 0, 0, *shapes.get(large, []))[-3:]
        if shapes.get(gate, [])[1:] != [channels, 1, 1] or height * width < _WIDE:
            continue
        _, scale, zero = made[gate].input
        names = [f"{gate}.{part}" for part in ("ones", "one", "none", "unpacked", "product", "packed", "wide")]
        ones, one, none, unpacked, product, repacked, wide = names
        graph.initializer.append(arrays.from_array(np.ones((1, channels, 1, width), np.uint8), ones))
        graph.initializer.append(arrays.from_array(np.float32(1), one))
        graph.initializer.append(arrays.from_array(np.uint8(0), none))
        chain = [
            onnx.helper.make_node("DequantizeLinear", [ones, one, none], [unpacked]),
            onnx.helper.make_node("Mul", [gate, unpacked], [product]),
            onnx.helper.make_node("QuantizeLinear", [product, scale, zero], [repacked]),
            onnx.helper.make_node("DequantizeLinear", [repacked, scale, zero], [wide]),
        ]
        for step in chain:
            graph.node.insert(list(graph.node).index(node), step)
        node.input[:] = [wide if name == gate else name for name in node.input]
        widened += 1
    return widened


def unshare_weights(model: Any) -> int:
    """Give each convolution int8 weights and zero points that no other reads, in place.

    On x86 without VNNI a session is exact with ``session.x64quantprecision`` alone, see
    :func:`imageqx_export.runtimes.onnx.choose_session_config`; that rewrites them one by one, and cannot open a file in
    which two convolutions share one.

    Args:
        model: An ``onnx.ModelProto`` with dequantize operations.

    Returns:
        How many weights and zero points got a copy of their own.
    """
    from onnx import TensorProto

    held = {tensor.name: tensor for tensor in model.graph.initializer}
    taken: set[str] = set()
    copied = 0
    for node in model.graph.node:
        stored = held.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if stored is None or stored.data_type != TensorProto.INT8:
            continue
        for index in (0, 2):
            shared = node.input[index]
            if shared in taken:
                own = model.graph.initializer.add()
                own.CopyFrom(held[shared])
                own.name = node.input[index] = f"{node.output[0]}.{index}"
                copied += 1
            taken.add(shared)
    return copied


def pool_globally(model: Any) -> int:
    """Write each mean over height and width as GlobalAveragePool, which has an integer kernel; in place.

    Returns:
        How many means there were.
    """
    from onnx import numpy_helper as arrays

    pooled, held = 0, {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        # What keeps no dimensions, or is over others, is a head's mean, which has no such form.
        if node.op_type != "ReduceMean" or sorted(arrays.to_array(held[node.input[1]]) % 4) != [2, 3]:
            continue
        if all(a.i == 1 for a in node.attribute if a.name == "keepdims"):
            node.op_type = "GlobalAveragePool"
            del node.attribute[:], node.input[1:]
            pooled += 1
    return pooled


def shorten_names(model: Any, kept: Sequence[str]) -> int:
    """Give every value, initializer and node a short name, and each initializer one copy; in place.

    Args:
        model: An ``onnx.ModelProto``.
        kept: Names that stay: the graph's inputs and outputs.

    Returns:
        How many initializers were dropped, as another holds the same or nothing reads them.
    """
    graph = model.graph
    first: dict[bytes, str] = {}
    names: dict[str, str] = {"": ""} | {name: name for name in kept}
    unique: list[Any] = []
    before = len(graph.initializer)
    for tensor in graph.initializer:
        old, tensor.name = tensor.name, ""
        content = tensor.SerializeToString(deterministic=True)
        if content not in first:
            first[content] = tensor.name = f"c{len(unique)}"
            unique.append(type(tensor).FromString(tensor.SerializeToString()))
        names[old] = first[content]
    del graph.initializer[:], graph.value_info[:]
    graph.initializer.extend(unique)
    for index, node in enumerate(graph.node):
        node.name = ""
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names.setdefault(name, f"v{index}") for name in node.output]
    used = {name for node in graph.node for name in node.input}
    unused = [tensor for tensor in graph.initializer if tensor.name not in used]
    for tensor in unused:
        graph.initializer.remove(tensor)
    return before - len(graph.initializer)
