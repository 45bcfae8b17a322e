"""Write how a TFLite graph of integers begins: bytes become int8 first, and are read in pairs of pixels."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.export.stem import blame_unknown_entry, group_kernel
from imageqx_export.quantize.rewrites.entry import PIXEL_STEP

_GROUP = 2  # pixels read as one: six channels of XNNPACK's eight, instead of three
_SIGN = 128  # uint8 − int8


def group_pixels(model: Any) -> bool:
    """Round the bytes to int8 before they are framed, and let the first convolution read two pixels as one; in place.

    The integers are the same. litert-torch frames float32, four times as many bytes, and scales it to the step of the
    recipe, a power of 2 that may as well lie in the weights' scales; of each kernel's eight channels, XNNPACK left five
    empty.

    Args:
        model: A ``ModelT`` with integers from the first convolution on, which has a kernel of 3 and no padding.

    Returns:
        Whether there is something to group: with a stride of 1 every pixel begins a window of its own.

    Raises:
        ConversionError: The entry is another.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph, kinds = model.subgraphs[0], schema.BuiltinOperator
    names = {value: name for name, value in vars(kinds).items() if isinstance(value, int)}
    found = [names[model.operatorCodes[operator.opcodeIndex].builtinCode] for operator in graph.operators]
    slices = next(index for index, name in enumerate(found[1:]) if name != "SLICE")
    cuts = slices + 1 if slices else 0  # what is cut out of the photo is joined as a batch
    del found[1 : cuts + 1]
    if tuple(found[:6]) != ("CAST", "CONCATENATION", "CONCATENATION", "MUL", "QUANTIZE", "CONV_2D"):
        raise blame_unknown_entry("TFLite", "bytes, framed, scaled and rounded", found[:6])
    cast, *cutting = graph.operators[: cuts + 1]
    above, left, _, quantize, conv = graph.operators[cuts + 1 : cuts + 6]
    if conv.builtinOptions.strideW == 1:
        return False
    tensors = graph.tensors
    rounded = tensors[quantize.outputs[0]]
    rounded.quantization.scale = np.ones(1, np.float32)
    bytes_ = _add_tensor(model, rounded, tensors[graph.inputs[0]].shape)
    quantize.inputs, quantize.outputs = cast.outputs, [bytes_]
    for operator in (*cutting, above):
        operator.inputs = np.where(operator.inputs == cast.outputs[0], bytes_, operator.inputs).astype(np.int32)
    for tensor in (tensors[operator.outputs[0]] for operator in cutting):
        tensor.type, tensor.quantization = schema.TensorType.INT8, rounded.quantization
    for operator, columns in ((above, 1), (left, _GROUP)):
        _round_frame(model, operator, columns, rounded)
    shape = tensors[left.outputs[0]].shape // [1, 1, _GROUP, 1] * [1, 1, 1, _GROUP]
    weight = tensors[conv.inputs[1]]
    kernel = model.buffers[weight.buffer].data.view(np.int8).reshape(weight.shape).transpose(0, 3, 1, 2)
    kernel = group_kernel(kernel, _GROUP).transpose(0, 2, 3, 1)
    weight.buffer, weight.shape = _add_buffer(model, kernel), np.array(kernel.shape, np.int32)
    weight.quantization.scale = weight.quantization.scale * np.float32(PIXEL_STEP)
    conv.inputs[0], conv.builtinOptions.strideW = _add_tensor(model, rounded, shape), 1
    reshape = _reshape(model, left.outputs[0], conv.inputs[0], shape)
    graph.operators[: cuts + 6] = [cast, quantize, *cutting, above, left, reshape, conv]
    return True


def _round_frame(model: Any, operator: Any, columns: int, rounded: Any) -> None:
    """Let an operator put int8 of another tensor's quantization around the photo, so many columns of it."""
    from ai_edge_litert import schema_py_generated as schema

    tensors = model.subgraphs[0].tensors
    frame, framed = (tensors[index] for index in (operator.inputs[0], operator.outputs[0]))
    colours = model.buffers[frame.buffer].data.view(np.float32).reshape(frame.shape)
    integers = (np.rint(colours) - _SIGN).astype(np.int8).repeat(columns, axis=2)
    framed.shape[2] += columns - 1
    frame.shape = np.array(integers.shape, np.int32)
    for tensor in (frame, framed):
        tensor.type, tensor.quantization = schema.TensorType.INT8, rounded.quantization
    frame.buffer = _add_buffer(model, integers)


def _add_tensor(model: Any, like: Any, shape: NDArray[np.integer[Any]]) -> int:
    """Add a tensor of another's type and quantization, and return its index."""
    tensor = copy.copy(like)
    tensor.shape, tensor.name = np.asarray(shape, np.int32), like.name + b"/pixels"
    model.subgraphs[0].tensors.append(tensor)
    return len(model.subgraphs[0].tensors) - 1


def _add_buffer(model: Any, array: NDArray[Any]) -> int:
    """Add a buffer, and return its index."""
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = np.ascontiguousarray(array).view(np.uint8).ravel()
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def _reshape(model: Any, source: int, target: int, shape: NDArray[np.integer[Any]]) -> Any:
    """Return an operation that reshapes one tensor into another."""
    from ai_edge_litert import schema_py_generated as schema

    code, sizes, operator = schema.OperatorCodeT(), schema.TensorT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RESHAPE
    code.version = 1
    model.operatorCodes.append(code)
    numbers = np.asarray(shape, np.int32)
    sizes.name, sizes.type, sizes.shape = b"sizes", schema.TensorType.INT32, np.array([len(numbers)], np.int32)
    sizes.buffer, sizes.hasRank = _add_buffer(model, numbers), True
    model.subgraphs[0].tensors.append(sizes)
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs = np.array([source, len(model.subgraphs[0].tensors) - 1], np.int32)
    operator.outputs = np.array([target], np.int32)
    operator.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
    operator.builtinOptions = schema.ReshapeOptionsT()
    operator.builtinOptions.newShape = numbers
    return operator
