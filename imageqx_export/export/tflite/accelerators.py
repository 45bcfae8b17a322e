"""Write TFLite graphs in the forms that phones' accelerators compute right, too; on a CPU not one bit changes."""

from __future__ import annotations

from typing import Any

import numpy as np

_DEQUANTIZE_VERSION = 1  # of uint8 with one scale: TFLite's op_version.cc
_QUANTIZE_VERSION = 2  # of integers: likewise


def enter_by_dequantizing(model: Any) -> bool:
    """Turn the CAST of the uint8 pixels to float32 into a DEQUANTIZE of scale 1 and zero point 0, in place.

    Both give the byte as a number. Qualcomm's compiler makes of the CAST, on SM8450 to SM8850, an operation that gives
    1 for every byte but 0 (its x86 simulator's word, QNN 2.51; no phone has confirmed it), and calls the graph whole.

    Args:
        model: A ``ModelT``.

    Returns:
        Whether the graph began with such a CAST.
    """
    from ai_edge_litert import schema_py_generated as schema

    cast = _find_entry(model)
    if cast is None:
        return False
    _state_bytes(model)
    cast.opcodeIndex = find_code(model, schema.BuiltinOperator.DEQUANTIZE, _DEQUANTIZE_VERSION)
    cast.builtinOptionsType, cast.builtinOptions = schema.BuiltinOptions.NONE, None
    return True


def enter_by_quantizing(model: Any) -> bool:
    """Turn the pixels' CAST to float32 and the QUANTIZE after it into one QUANTIZE from uint8 to int8, in place.

    See :func:`enter_by_dequantizing`; with one step a level it subtracts 128.

    Args:
        model: A ``ModelT`` whose pixels are rounded before anything else is done to them.

    Returns:
        Whether the graph began so.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph, cast = model.subgraphs[0], _find_entry(model)
    if cast is None:
        return False
    readers = [op for op in graph.operators if cast.outputs[0] in op.inputs]
    if len(readers) != 1 or _read_kind(model, readers[0]) != schema.BuiltinOperator.QUANTIZE:
        return False
    _state_bytes(model)
    (quantize,) = readers
    quantize.inputs = cast.inputs
    quantize.opcodeIndex = find_code(model, schema.BuiltinOperator.QUANTIZE, _QUANTIZE_VERSION)
    graph.operators.remove(cast)
    return True


def pool_before_transposing(model: Any) -> bool:
    """Let the heads read the features with their channels last, as they are computed, in place.

    PyTorch's channels come first, so that litert-torch turns the features before their mean and turns them back for the
    attention maps: at 1280 channels, Arm's Ethos-U leaves that TRANSPOSE, and what follows it, to the CPU. TensorFlow
    Lite's GPU delegate (2.16.1) takes the graph whole and answers wrongly where a MEAN reads a TRANSPOSE.

    Args:
        model: A ``ModelT``.

    Returns:
        Whether there was such a mean.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph, kinds = model.subgraphs[0], schema.BuiltinOperator
    made = {op.outputs[0]: op for op in graph.operators}
    for mean in [op for op in graph.operators if _read_kind(model, op) == kinds.MEAN]:
        turn = made.get(mean.inputs[0])
        if (
            turn is None
            or _read_kind(model, turn) != kinds.TRANSPOSE
            or _read_constant(model, turn.inputs[1]) != (0, 3, 1, 2)
        ):
            continue
        if _read_constant(model, mean.inputs[1]) != (2, 3) or mean.builtinOptions.keepDims:
            continue
        back = [op for op in graph.operators if turn.outputs[0] in op.inputs and op is not mean]
        if any(
            _read_kind(model, op) != kinds.TRANSPOSE or _read_constant(model, op.inputs[1]) != (0, 2, 3, 1)
            for op in back
        ):
            continue
        mean.inputs = np.array([turn.inputs[0], _add_axes(model, mean.inputs[1])], np.int32)
        for op in back:
            for reader in graph.operators:
                reader.inputs = np.where(reader.inputs == op.outputs[0], turn.inputs[0], reader.inputs)
            graph.operators.remove(op)
        graph.operators.remove(turn)
        return True
    return False


def _find_entry(model: Any) -> Any | None:
    """Return the operation that casts the graph's uint8 input to float32; None where there is none."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    pixels = graph.inputs[0]
    readers = [op for op in graph.operators if pixels in op.inputs]
    if graph.tensors[pixels].type != schema.TensorType.UINT8 or len(readers) != 1:
        return None
    (cast,) = readers
    to_float = graph.tensors[cast.outputs[0]].type == schema.TensorType.FLOAT32
    return cast if to_float and _read_kind(model, cast) == schema.BuiltinOperator.CAST else None


def _state_bytes(model: Any) -> None:
    """Say of the input's bytes that each is the number that it is."""
    from ai_edge_litert import schema_py_generated as schema

    pixels = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
    pixels.quantization = schema.QuantizationParametersT()
    pixels.quantization.scale, pixels.quantization.zeroPoint = np.ones(1, np.float32), np.zeros(1, np.int64)
    pixels.quantization.quantizedDimension = 0


def _read_kind(model: Any, operator: Any) -> int:
    return int(model.operatorCodes[operator.opcodeIndex].builtinCode)


def find_code(model: Any, kind: int, version: int) -> int:
    """Return the index of an operator code, added where there is none."""
    from ai_edge_litert import schema_py_generated as schema

    for index, code in enumerate(model.operatorCodes):
        if (code.builtinCode, code.version) == (kind, version):
            return index
    made = schema.OperatorCodeT()
    made.builtinCode = made.deprecatedBuiltinCode = kind
    made.version = version
    model.operatorCodes.append(made)
    return len(model.operatorCodes) - 1


def _read_constant(model: Any, index: int) -> tuple[int, ...] | None:
    """Return the int32 values of a constant tensor; None where it is computed."""
    data = model.buffers[model.subgraphs[0].tensors[index].buffer].data
    return None if data is None else tuple(int(value) for value in data.view(np.int32))


def _add_axes(model: Any, like: int) -> int:
    """Add the constant (1, 2) as a tensor, and return its index."""
    import copy

    from ai_edge_litert import schema_py_generated as schema

    graph, buffer = model.subgraphs[0], schema.BufferT()
    buffer.data = np.array((1, 2), np.int32).view(np.uint8)
    model.buffers.append(buffer)
    tensor = copy.copy(graph.tensors[like])
    tensor.buffer = len(model.buffers) - 1
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def widen_normalisation(model: Any) -> int:
    """Give the constants that normalise pixels a column for each column of the picture, in place.

    Kernels walk along the axes that two operands share: three channels alone, and XNNPACK begins anew at each pixel.

    Args:
        model: A ``ModelT`` of float32 whose pixels [1,h,w,3] are subtracted from and multiplied.

    Returns:
        How many constants were widened.
    """
    graph = model.subgraphs[0]
    channels = int(graph.tensors[graph.inputs[0]].shape[-1])
    widened = 0
    for operator in graph.operators:
        tensors = [graph.tensors[index] for index in operator.inputs]
        shapes = [[] if tensor.shape is None else [int(size) for size in tensor.shape] for tensor in tensors]
        if len(shapes) != 2 or shapes[0][3:] != [channels] or shapes[1] != [1, 1, 1, channels]:
            continue
        width = shapes[0][2]
        constant = tensors[1]
        colours = model.buffers[constant.buffer].data.view(np.float32).reshape(1, 1, 1, channels)
        model.buffers[constant.buffer].data = np.ascontiguousarray(colours.repeat(width, axis=2)).view(np.uint8).ravel()
        constant.shape = np.array([1, 1, width, channels], np.int32)
        widened += 1
    return widened
