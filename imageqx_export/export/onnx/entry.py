"""Let an ONNX graph that takes one photo of bytes take floats, channels first, or any number of photos."""

from __future__ import annotations

from typing import Any

import numpy as np

from imageqx_export.input_form import ANY, InputForm
from imageqx_export.model_spec import ModelSpec
from imageqx_export.runtimes.onnx import ANY_BATCH

_TO_LAST = (0, 2, 3, 1)


def take_form(model: Any, form: InputForm, spec: ModelSpec, *, integers: bool) -> int:
    """Change how a graph begins, in place; one photo of bytes is left as it is.

    Args:
        model: An ``onnx.ModelProto`` that takes uint8 [N,H,W,3], N being 1 or the form's fixed batch.
        form: What it shall take.
        spec: The file's, with the shapes of its input and outputs.
        integers: Whether the graph reads bytes as integers, so that floats are rounded to bytes first; otherwise they
            are only multiplied.

    Returns:
        How many operations and constants were added or changed.
    """
    edits = _take_floats(model, form, integers=integers) if form.kind.is_float else 0
    return edits + (_free_batch(model, spec) if form.batch is None else 0)


def _take_floats(model: Any, form: InputForm, *, integers: bool) -> int:
    import onnx
    from onnx import numpy_helper as arrays

    graph, make = model.graph, onnx.helper.make_node
    image = graph.input[0]
    name, sides = image.name, [axis.dim_value for axis in image.type.tensor_type.shape.dim]
    readers = [node for node in graph.node if name in node.input]
    last, added = name, []
    if form.kind.layout == "NCHW":
        sides = [sides[index] for index in (0, 3, 1, 2)]
        last = "image.last"
        added.append(make("Transpose", [name], [last], perm=_TO_LAST))
    if integers:
        graph.initializer.append(arrays.from_array(np.float32(1 / 255), "image.step"))
        graph.initializer.append(arrays.from_array(np.uint8(0), "image.zero"))
        added.append(make("QuantizeLinear", [last, "image.step", "image.zero"], ["image.bytes"]))
        for node in readers:
            node.input[:] = ["image.bytes" if value == name else value for value in node.input]
    else:
        graph.initializer.append(arrays.from_array(np.float32(255), "image.levels"))
        for node in readers:  # the DequantizeLinear that made bytes floats
            added.append(make("Mul", [last, "image.levels"], [node.output[0]]))
            graph.node.remove(node)
    for place, node in enumerate(added):
        graph.node.insert(place, node)
    image.CopyFrom(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, sides))
    del graph.value_info[:]
    return len(added)


def _free_batch(model: Any, spec: ModelSpec) -> int:
    """Leave the number of photos open, in place, in a graph for one that is not cut in parts."""
    import onnx
    from onnx import numpy_helper as arrays

    graph, make = model.graph, onnx.helper.make_node
    held = {tensor.name: tensor for tensor in graph.initializer}
    made = {name: node for node in graph.node for name in node.output}
    freed = 0
    for value, tensor in zip((graph.input[0], *graph.output), (spec.inputs[0], *spec.outputs), strict=True):
        sizes = [ANY_BATCH if size == ANY else size for size in tensor.shape]
        kind = value.type.tensor_type.elem_type
        value.CopyFrom(onnx.helper.make_tensor_value_info(value.name, kind, sizes))
    frames = []
    for node in list(graph.node):
        if node.op_type == "Reshape" and node.input[1] in held:
            sizes = arrays.to_array(held[node.input[1]]).copy()
            sizes[0] = 0  # as many as there are
            graph.initializer.append(arrays.from_array(sizes, f"{node.output[0]}.sizes"))
            node.input[1] = f"{node.output[0]}.sizes"
            freed += 1
        if node.op_type == "Concat":  # a frame is a constant, or a DequantizeLinear of one
            parts = [part for part in node.input if _is_constant(part, made, held)]
            frames += [(made.get(part, node), part if part in held else made[part].input[0]) for part in parts]
    for reader, constant in frames:
        reader.input[:] = [f"{constant}.each" if value == constant else value for value in reader.input]
    constants = dict.fromkeys(constant for _, constant in frames)  # one may lie above and below
    for constant in constants:
        graph.node.insert(0, make("Expand", [constant, "image.frames"], [f"{constant}.each"]))
    if constants:
        graph.initializer.append(arrays.from_array(np.ones(3, np.int64), "image.ones"))
        graph.node.insert(0, make("Concat", ["image.count", "image.ones"], ["image.frames"], axis=0))
        graph.node.insert(0, make("Shape", [graph.input[0].name], ["image.count"], start=0, end=1))
    del graph.value_info[:]
    return freed + len(constants)


def _is_constant(name: str, made: dict[str, Any], held: dict[str, Any]) -> bool:
    node = made.get(name)
    return name in held or (node is not None and node.op_type == "DequantizeLinear" and node.input[0] in held)
