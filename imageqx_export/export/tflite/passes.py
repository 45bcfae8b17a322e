"""Write integers into a TFLite graph: int8 weights that are read back as float32, or integers throughout."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.errors import ConversionError

if TYPE_CHECKING:
    from imageqx_export.quantize.graph.integers import IntegerWeight

_WIDE = 28 * 28  # pixels from which it pays
_DEQUANTIZE_VERSION = 5  # with a scale per channel: TFLite's op_version.cc


def make_static_config() -> Any:
    """Return what tells litert-torch that a graph has quantize and dequantize operations, and to make integers of them.

    The quantizer in it is not used: the graph is annotated and converted already.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchao warns of its own insides when it is imported
        from litert_torch.quantize.pt2e_quantizer import PT2EQuantizer, get_symmetric_quantization_config
        from litert_torch.quantize.quant_config import QuantConfig

    return QuantConfig(pt2e_quantizer=PT2EQuantizer().set_global(get_symmetric_quantization_config()))


def store_int8_weights(model: Any, weights: Iterable[IntegerWeight]) -> int:
    """Make the named weights of a float32 graph int8, with a DEQUANTIZE of each; in place.

    Without it, kernels that read int8 weights beside float activations would round those too, image by image.
    A weight is found by its values, so that what is stored is what PyTorch rounded, whatever the converter called it.

    Args:
        model: A ``ModelT``.
        weights: What to store.

    Returns:
        How many weights are int8 now.

    Raises:
        ConversionError: The graph does not hold one of the weights.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    held = {
        _make_key(tensor.shape, model.buffers[tensor.buffer].data): index
        for index, tensor in enumerate(graph.tensors)
        if tensor.type == schema.TensorType.FLOAT32 and model.buffers[tensor.buffer].data is not None
    }
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    code.version = _DEQUANTIZE_VERSION
    model.operatorCodes.append(code)
    unpacked = []
    for weight in weights:
        axis, order = _describe_layout(weight.values)
        values = np.ascontiguousarray(weight.values.transpose(order))
        index = held.get(_make_key(values.shape, values.view(np.uint8)))
        if index is None:
            raise ConversionError(
                "a weight is not in the TFLite graph as PyTorch holds it",
                where=weight.tensor,
                remedy="report this version of litert-torch",
            )
        integers = np.ascontiguousarray(weight.integers.transpose(order))
        unpacked.append(_pack(model, index, integers, weight.scales, axis))
    graph.operators[:0] = unpacked
    return len(unpacked)


def write_exact_integers(model: Any, weights: Iterable[IntegerWeight]) -> int:
    """Write the quantized network's own weights and biases over the converter's, in place.

    litert-torch rounds float weights and biases to the scales in the graph itself, and a value that lies between two
    integers may go the other way: a bias in three convolutions, which tips roundings behind it.

    Args:
        model: A ``ModelT`` with integers throughout.
        weights: What to store, in the order of the graph's convolutions.

    Returns:
        How many weights and biases were other integers.

    Raises:
        ConversionError: A convolution is not the quantized network's: another shape or scale, or further off.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    kinds = (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D)
    found = [
        operator
        for operator in graph.operators
        if model.operatorCodes[operator.opcodeIndex].builtinCode in kinds
        and graph.tensors[operator.inputs[1]].type == schema.TensorType.INT8
    ]
    given = list(weights)
    if len(found) != len(given):
        raise _make_error(f"{len(given)} int8 convolutions", str(len(found)))
    changed = 0
    for operator, weight in zip(found, given, strict=True):
        tensors = [graph.tensors[index] for index in operator.inputs[1:]]
        integers = np.ascontiguousarray(weight.integers.transpose(_describe_layout(weight.values)[1]))
        stored = model.buffers[tensors[0].buffer].data.view(np.int8).reshape(tensors[0].shape)
        _check_alike(weight, integers, stored, tensors[0].quantization.scale)
        model.buffers[tensors[0].buffer].data = integers.view(np.uint8).ravel()
        changed += not np.array_equal(integers, stored)
        if weight.bias is not None:
            rounded = model.buffers[tensors[1].buffer].data.view(np.int32)
            _check_alike(weight, weight.bias, rounded, None)
            model.buffers[tensors[1].buffer].data = np.ascontiguousarray(weight.bias).view(np.uint8)
            changed += not np.array_equal(weight.bias, rounded)
    return changed


def widen_gates(model: Any) -> int:
    """Give squeeze-and-excite's factors a column for each column of what they multiply, in place.

    Kernels walk along the axes that two operands share: channels alone, and XNNPACK would begin anew at each pixel. A
    product with ones of step 1 repeats the integers, and XNNPACK computes it, as it does not BROADCAST_TO.

    Args:
        model: A ``ModelT`` with integers throughout.

    Returns:
        How many factors are wider now.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph, widened = model.subgraphs[0], 0
    for operator in list(graph.operators):
        if model.operatorCodes[operator.opcodeIndex].builtinCode != schema.BuiltinOperator.MUL:
            continue
        tensors = graph.tensors
        gate, large = sorted(operator.inputs, key=lambda index: int(np.prod(tensors[index].shape)))
        height, width, channels = (1, 1, *(int(size) for size in tensors[large].shape))[-3:]
        if [int(side) for side in tensors[gate].shape[1:]] != [1, 1, channels] or height * width < _WIDE:
            continue
        ones, wide, repeat = schema.TensorT(), schema.TensorT(), schema.OperatorT()
        for tensor, name in ((ones, b"ones"), (wide, tensors[gate].name + b"/wide")):
            tensor.name, tensor.type, tensor.hasRank = name, schema.TensorType.INT8, True
            tensor.shape = np.array([1, 1, width, channels], np.int32)
            tensor.buffer = 0
        wide.shape[0] = tensors[gate].shape[0]
        ones.quantization = _describe_quantization(np.ones(1, np.float32), np.zeros(1, np.int64), 0)
        ones.buffer, buffer = len(model.buffers), schema.BufferT()
        buffer.data = np.ones(width * channels, np.uint8)
        model.buffers.append(buffer)
        wide.quantization = tensors[gate].quantization
        graph.tensors += [ones, wide]
        repeat.opcodeIndex, repeat.builtinOptionsType = operator.opcodeIndex, operator.builtinOptionsType
        repeat.builtinOptions = operator.builtinOptions
        repeat.inputs = np.array([gate, len(graph.tensors) - 2], np.int32)
        repeat.outputs = np.array([len(graph.tensors) - 1], np.int32)
        operator.inputs = np.array([large, len(graph.tensors) - 1], np.int32)
        graph.operators.insert(graph.operators.index(operator), repeat)
        widened += 1
    return widened


def _check_alike(
    weight: IntegerWeight, integers: NDArray[Any], stored: NDArray[Any], scales: NDArray[np.float32] | None
) -> None:
    """Check that the converter stored the same, up to how it rounds."""
    if integers.shape != stored.shape:
        raise _make_error(f"{weight.tensor} of shape {integers.shape}", str(stored.shape))
    if scales is not None and not np.array_equal(scales, weight.scales):
        raise _make_error(f"{weight.tensor} with the recipe's scales", "others")
    if (far := int(np.abs(integers.astype(np.int64) - stored).max())) > 1:
        raise _make_error(f"{weight.tensor} up to rounding", f"integers {far} apart")


def _make_error(expected: str, got: str) -> ConversionError:
    return ConversionError(
        "the TFLite graph is not the quantized network",
        expected=expected,
        got=got,
        remedy="report this version of litert-torch",
    )


def _pack(model: Any, index: int, integers: NDArray[np.int8], scales: NDArray[np.float32], axis: int) -> Any:
    """Add an int8 tensor, empty the float one, and return the operation from the one to the other."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    float_tensor = graph.tensors[index]
    quantization = _describe_quantization(scales, np.zeros(len(scales), np.int64), axis)
    tensor, operator = schema.TensorT(), schema.OperatorT()
    tensor.name, tensor.shape, tensor.type = float_tensor.name, float_tensor.shape, schema.TensorType.INT8
    tensor.buffer, tensor.quantization, tensor.hasRank = float_tensor.buffer, quantization, True
    model.buffers[float_tensor.buffer].data = integers.view(np.uint8).ravel()
    float_tensor.buffer = 0  # by the schema, the buffer of whatever is computed
    graph.tensors.append(tensor)
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs = np.array([len(graph.tensors) - 1], np.int32)
    operator.outputs = np.array([index], np.int32)
    return operator


def _describe_quantization(scales: NDArray[np.float32], zeros: NDArray[np.int64], axis: int) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    made = schema.QuantizationParametersT()
    made.scale, made.zeroPoint, made.quantizedDimension = scales, zeros, axis
    return made


def _describe_layout(weight: NDArray[np.float32]) -> tuple[int, tuple[int, ...]]:
    """Return a weight's channel axis in TFLite, and the order of PyTorch's axes there."""
    if weight.ndim == 2:
        return 0, (0, 1)
    # PyTorch's depthwise weight [C,1,h,w] is [1,h,w,C] there, any other [out,in,h,w] is [out,h,w,in].
    return (3, (1, 2, 3, 0)) if weight.shape[1] == 1 and weight.shape[0] > 1 else (0, (0, 2, 3, 1))


def _make_key(shape: Iterable[int], data: NDArray[np.uint8]) -> tuple[tuple[int, ...], bytes]:
    return tuple(int(size) for size in shape), data.tobytes()
