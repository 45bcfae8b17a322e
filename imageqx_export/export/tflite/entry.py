"""Let a TFLite graph that takes photos of bytes take floats, channels last or first."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.export.tflite.accelerators import find_code
from imageqx_export.input_form import InputForm

_TO_LAST = (0, 2, 3, 1)


def take_floats(model: Any, form: InputForm, *, integers: bool) -> int:
    """Let a graph begin with numbers in [0, 1], in place; one that takes bytes is left as it is.

    Args:
        model: A ``ModelT`` whose uint8 input [N,H,W,3] is read by one DEQUANTIZE or, of integers, one QUANTIZE.
        form: What it shall take.
        integers: Whether the graph reads integers, to which the floats are rounded; otherwise they are multiplied.

    Returns:
        How many operations were added.
    """
    if not form.kind.is_float:
        return 0
    from ai_edge_litert import schema_py_generated as schema

    graph, kinds = model.subgraphs[0], schema.BuiltinOperator
    index = graph.inputs[0]
    image = graph.tensors[index]
    (reader,) = (operator for operator in graph.operators if index in operator.inputs)
    image.type, image.quantization = schema.TensorType.FLOAT32, None
    last, added = index, []
    if form.kind.layout == "NCHW":
        last = _add(model, image, b"image/last", image.shape)
        added.append(_add_operator(model, kinds.TRANSPOSE, [index, _add_constant(model, _TO_LAST, np.int32)], last))
        added[-1].builtinOptionsType = schema.BuiltinOptions.TransposeOptions
        added[-1].builtinOptions = schema.TransposeOptionsT()
        image.shape = image.shape[[0, 3, 1, 2]]
        if image.shapeSignature is not None:
            image.shapeSignature = image.shape
    levels = _add(model, graph.tensors[last], b"image/levels", graph.tensors[last].shape) if integers else None
    target = reader.outputs[0] if levels is None else levels
    times = _add_operator(model, kinds.MUL, [last, _add_constant(model, [255], np.float32)], target)
    times.builtinOptionsType, times.builtinOptions = schema.BuiltinOptions.MulOptions, schema.MulOptionsT()
    added.append(times)
    place = graph.operators.index(reader)
    if levels is None:
        graph.operators.remove(reader)
    else:  # from float32 it is another version of the operation
        reader.inputs, reader.opcodeIndex = np.array([levels], np.int32), find_code(model, kinds.QUANTIZE, 1)
    graph.operators[place:place] = added
    return len(added)


def _add_operator(model: Any, kind: int, inputs: list[int], output: int) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    operator = schema.OperatorT()
    operator.opcodeIndex = find_code(model, kind, 1)
    operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
    return operator


def _add(model: Any, like: Any, name: bytes, shape: NDArray[np.int32]) -> int:
    """Add a computed tensor of another's type, and return its index."""
    tensor = copy.copy(like)
    tensor.name, tensor.shape, tensor.shapeSignature, tensor.buffer = name, np.array(shape, np.int32), None, 0
    model.subgraphs[0].tensors.append(tensor)
    return len(model.subgraphs[0].tensors) - 1


def _add_constant(model: Any, values: Any, dtype: type[np.generic]) -> int:
    """Add a constant tensor, and return its index."""
    from ai_edge_litert import schema_py_generated as schema

    array = np.array(values, dtype)
    tensor, buffer = schema.TensorT(), schema.BufferT()
    buffer.data = array.view(np.uint8).ravel()
    model.buffers.append(buffer)
    tensor.name, tensor.shape, tensor.hasRank = b"image/constant", np.array(array.shape, np.int32), True
    tensor.type = schema.TensorType.INT32 if dtype is np.int32 else schema.TensorType.FLOAT32
    tensor.buffer = len(model.buffers) - 1
    model.subgraphs[0].tensors.append(tensor)
    return len(model.subgraphs[0].tensors) - 1
