"""Write how an ONNX graph of integers begins: bytes that the first convolution reads as they are, in fours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.export.stem import blame_unknown_entry, group_kernel

_ENTRY = ("Cast", "Transpose", "Concat", "Div")
_GROUP = 4  # pixels read as one: x86 wants channels in fours, and gives two columns for four pixels


def read_pixels_as_bytes(model: Any) -> bool:
    """Keep the graph's entry in uint8, in place: a pixel is the integer that the first convolution reads.

    In PyTorch pixels become float32, are framed, scaled and quantized; with zero point 0 and a step of one level that
    gives the pixels back, and the frame's colours rounded.

    Args:
        model: An ``onnx.ModelProto`` with unsigned activations.

    Returns:
        True: there is one entry, or an error is raised.

    Raises:
        ConversionError: The entry is another.
    """
    from onnx import numpy_helper as arrays

    graph = model.graph
    held = {tensor.name: tensor for tensor in graph.initializer}
    (cast,) = (node for node in graph.node if graph.input[0].name in node.input)
    entry = [_find_reader(graph, _find_pictures(graph, cast.output[0]))]
    while entry[-1].op_type in _ENTRY:
        entry.append(_find_reader(graph, entry[-1].output[0]))
    *framing, scaled, rounded = entry
    constants = [arrays.to_array(held[name]) for name in (*scaled.input[1:], *rounded.input[1:]) if name in held]
    kinds = (cast.op_type, scaled.op_type, rounded.op_type)
    if kinds != ("Cast", "Div", "QuantizeLinear") or constants[0] * constants[1] != 1 or constants[2] != 0:
        raise blame_unknown_entry(
            "ONNX", "Cast, a frame, Div and QuantizeLinear", (node.op_type for node in (cast, *entry))
        )
    for name in (name for node in framing for name in node.input if name in held):
        held[name].CopyFrom(arrays.from_array(np.rint(arrays.to_array(held[name])).astype(np.uint8), name))
    for node in graph.node:
        node.input[:] = [cast.input[0] if name == cast.output[0] else name for name in node.input]
    framing[-1].output[0] = rounded.output[0]
    for node in (cast, scaled, rounded):
        graph.node.remove(node)
    return True


def group_pixels(model: Any) -> bool:
    """Let the first convolution read four pixels of a row as one of 12 channels, and give two columns each; in place.

    The integers are the same. ONNX Runtime's fast int8 convolutions for x86 want channels in fours; the pixels' three
    leave it to copy each window: 0.96 ms instead of 0.36. Both reshapes are free where channels come last.

    Args:
        model: An ``onnx.ModelProto`` whose first convolution reads bytes, see :func:`read_pixels_as_bytes`, and has a
            kernel of 3 and no padding.

    Returns:
        Whether there is something to group: with a stride of 1 every pixel begins a window of its own.

    Raises:
        ConversionError: The first convolution is another.
    """
    import onnx
    from onnx import numpy_helper as arrays

    graph = model.graph
    chain = [_find_reader(graph, _find_pictures(graph, graph.input[0].name))]
    while chain[-1].op_type != "QuantizeLinear":
        chain.append(_find_reader(graph, chain[-1].output[0]))
    kinds = tuple(node.op_type for node in chain)
    if kinds != ("Transpose", "Concat", "Concat", "DequantizeLinear", "Conv", "QuantizeLinear"):
        raise blame_unknown_entry("ONNX", "a frame in bytes, and a convolution", kinds)
    turned, above, left, unpacked, conv, packed = chain
    if onnx.helper.get_node_attr_value(conv, "strides")[1] == 1:
        return False
    kernel = _widen_convolution(graph, conv)
    pictures = _widen_frame(graph, turned, above, left)
    shapes = {"in_fours": (pictures, 0, -1, kernel[1]), "in_ones": (pictures, 0, -1, kernel[0] // 2)}
    for name, shape in shapes.items():
        graph.initializer.append(arrays.from_array(np.array(shape, np.int64), name))
    integers = packed.output[0]
    packed.output[0], unpacked.input[0] = "twos.first", "fours.first"
    _insert(
        graph,
        unpacked,
        onnx.helper.make_node("Reshape", [left.output[0], "in_fours"], ["fours"]),
        onnx.helper.make_node("Transpose", ["fours"], ["fours.first"], perm=(0, 3, 1, 2)),
    )
    _insert(
        graph,
        _find_reader(graph, integers),
        onnx.helper.make_node("Transpose", ["twos.first"], ["twos"], perm=(0, 2, 3, 1)),
        onnx.helper.make_node("Reshape", ["twos", "in_ones"], ["ones"]),
        onnx.helper.make_node("Transpose", ["ones"], [integers], perm=(0, 3, 1, 2)),
    )
    return True


def _widen_convolution(graph: Any, conv: Any) -> tuple[int, ...]:
    """Give a convolution the kernel that reads pixels in fours and gives columns in twos; return the kernel's shape."""
    from onnx import numpy_helper as arrays

    held = {tensor.name: tensor for tensor in graph.initializer}
    made = {name: node for node in graph.node for name in node.output}
    weight, bias = made[conv.input[1]], made[conv.input[2]]
    kernel = group_kernel(arrays.to_array(held[weight.input[0]]), _GROUP)
    for node, index in ((weight, 1), (weight, 2), *((bias, i) for i in range(len(bias.input)))):
        _replace(graph, node, index, np.tile(arrays.to_array(held[node.input[index]]), 2))
    _replace(graph, weight, 0, kernel)
    for attribute in conv.attribute:
        if attribute.name == "strides":
            attribute.ints[:] = (2, 1)
        if attribute.name == "kernel_shape":
            attribute.ints[:] = kernel.shape[2:]
    return tuple(kernel.shape)


def _widen_frame(graph: Any, turned: Any, above: Any, left: Any) -> int:
    """Frame the pixels where channels come last, and on the left by a whole group; the first Transpose goes.

    Returns:
        How many pictures there are.
    """
    from onnx import numpy_helper as arrays

    held = {tensor.name: tensor for tensor in graph.initializer}
    for node, axis in ((above, 1), (left, 2)):
        frame = arrays.to_array(held[node.input[0]]).transpose(0, 2, 3, 1)
        # One column would do; with four, columns 0, 4, 8… begin the groups.
        _replace(graph, node, 0, frame if node is above else frame.repeat(_GROUP, axis=2))
        (attribute,) = node.attribute
        attribute.i = axis
    above.input[1] = turned.input[0]
    graph.node.remove(turned)
    return len(frame)


def _replace(graph: Any, node: Any, index: int, value: NDArray[Any]) -> None:
    """Give a node another constant, under a name of its own, as zeros are shared with other convolutions."""
    from onnx import numpy_helper as arrays

    name = f"{node.output[0]}.{index}.fours"
    graph.initializer.append(arrays.from_array(np.ascontiguousarray(value), name))
    node.input[index] = name


def _find_pictures(graph: Any, pixels: str) -> str:
    """Return what the first layer reads: the photo, or the batch of what is cut out of it."""
    cut = {pixels}
    for node in graph.node:  # each comes after what it reads
        if node.op_type == "Slice" and node.input[0] in cut:
            cut.add(node.output[0])
    for node in graph.node:
        if node.op_type == "Concat" and set(node.input) <= cut:
            return str(node.output[0])
    return pixels


def _insert(graph: Any, before: Any, *nodes: Any) -> None:
    for node in nodes:
        graph.node.insert(list(graph.node).index(before), node)


def _find_reader(graph: Any, name: str) -> Any:
    """Return the one node that reads a value."""
    (node,) = (node for node in graph.node if name in node.input)
    return node
