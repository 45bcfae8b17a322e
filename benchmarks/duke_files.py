"""Duke IQA's exported files without their first operations, for five regions or for one: peers of bench_duke."""

from __future__ import annotations

from typing import Any

import numpy as np

from imageqx_export.networks.duke_iqa.spec import NAMES, REGION_SIDE

REGIONS = len(NAMES)


def cut_tflite(content: bytes, regions: int) -> bytes:
    """Return a w8a8 TFLite file that takes regions in a photo's place, and is the same from there on.

    Args:
        content: ``duke-iqa_w8a8.tflite``, of which the head takes the mean of scores.
        regions: Five, or one, of which the score is all that is given.
    """
    from imageqx_export.export.tflite import flatbuffer

    model = flatbuffer.read(content)
    graph, kinds = model.subgraphs[0], _name_kinds(model)
    entry, tensors = graph.operators[0], graph.tensors
    cuts = [index for index, kind in enumerate(kinds) if kind in ("SLICE", "CONCATENATION")]
    joined = next(graph.operators[index] for index in cuts if kinds[index] == "CONCATENATION")
    pixels = tensors[joined.outputs[0]].shape
    tensors[graph.inputs[0]].shape = pixels.copy()
    entry.outputs = joined.outputs
    graph.operators = [entry, *graph.operators[graph.operators.index(joined) + 1 :]]
    if regions == 1:
        _keep_one_region(model)
    return flatbuffer.write(model)


def _name_kinds(model: Any) -> list[str]:
    """Return what kind each operation is."""
    from ai_edge_litert import schema_py_generated as schema

    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    codes = model.operatorCodes
    return [names[codes[operator.opcodeIndex].builtinCode] for operator in model.subgraphs[0].operators]


def _keep_one_region(model: Any) -> int:
    """Make each tensor one region's and the score the output, in place; return how many operations are left."""
    graph, kinds = model.subgraphs[0], _name_kinds(model)
    last = kinds.index("FULLY_CONNECTED")
    graph.operators = graph.operators[: last + 1]
    written = {int(index) for operator in graph.operators for index in operator.outputs} | {int(graph.inputs[0])}
    frames = [
        operator.inputs[0] for kind, operator in zip(kinds, graph.operators, strict=False) if kind == "CONCATENATION"
    ]
    for index in (*written, *frames):
        graph.tensors[index].shape[0] = 1
    for index in frames:
        buffer = model.buffers[graph.tensors[index].buffer]
        buffer.data = buffer.data[: len(buffer.data) // REGIONS]
    for kind, operator in zip(kinds, graph.operators, strict=False):
        if kind == "RESHAPE":
            shape = graph.tensors[operator.outputs[0]].shape.astype(np.int32)
            model.buffers[graph.tensors[operator.inputs[1]].buffer].data = shape.view(np.uint8)
            operator.builtinOptions.newShape = shape
    graph.outputs = graph.operators[-1].outputs
    model.signatureDefs = []
    return len(graph.operators)


def cut_onnx(content: bytes, regions: int) -> bytes:
    """Return a w8a8 ONNX file likewise; arguments as for :func:`cut_tflite`."""
    import onnx

    model = onnx.ModelProto.FromString(content)
    graph = model.graph
    joined = next(node for node in graph.node if node.op_type == "Concat" and len(node.input) == REGIONS)
    pixels = _find_integers(graph, joined.output[0])
    output = graph.output[2].name
    if regions == 1:
        output = next(node.output[0] for node in graph.node if node.op_type in ("Gemm", "MatMul"))
        _keep_one_picture(graph)
    _keep_between(graph, pixels, output)
    side = REGION_SIDE
    del graph.input[:], graph.output[:], graph.value_info[:]
    graph.input.append(onnx.helper.make_tensor_value_info(pixels, onnx.TensorProto.UINT8, [regions, side, side, 3]))
    graph.output.append(onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None))
    done: bytes = model.SerializeToString()
    return done


def _find_integers(graph: Any, name: str) -> str:
    """Return the name of the bytes that a joined batch is, behind the quantize operation that may follow."""
    readers = [node for node in graph.node if name in node.input]
    packed = [node for node in readers if node.op_type == "QuantizeLinear"]
    return str(packed[0].output[0] if packed else name)


def _keep_one_picture(graph: Any) -> int:
    """Make frames and shapes of five pictures those of one, in place; return how many there were."""
    from onnx import numpy_helper as arrays

    changed = 0
    for tensor in graph.initializer:
        value = arrays.to_array(tensor)
        if value.ndim == 4 and len(value) == REGIONS:
            value = value[:1]
        elif value.ndim == 1 and value.dtype == np.int64 and len(value) == 4 and value[0] == REGIONS:
            value = np.array([1, *value[1:]], np.int64)
        else:
            continue
        tensor.CopyFrom(arrays.from_array(np.ascontiguousarray(value), tensor.name))
        changed += 1
    return changed


def _keep_between(graph: Any, start: str, end: str) -> int:
    """Drop the operations that an output is not computed by from a value on, in place; return how many are left."""
    made = {name: node for node in graph.node for name in node.output}
    wanted, waiting = set(), [end]
    while waiting:
        name = waiting.pop()
        if name != start and name in made and id(made[name]) not in wanted:
            wanted.add(id(made[name]))
            waiting += made[name].input
    kept = [node for node in graph.node if id(node) in wanted]
    copies = [type(node).FromString(node.SerializeToString()) for node in kept]
    del graph.node[:]
    graph.node.extend(copies)
    return len(copies)
