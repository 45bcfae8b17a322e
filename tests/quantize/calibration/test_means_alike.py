"""A mean whose step is chosen is one integer in ONNX Runtime and in LiteRT, for every sum that it does not clip."""

from __future__ import annotations

import functools
import math

import numpy as np
import onnx.parser
import onnxruntime
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.fx import GraphModule

from imageqx_export.export.tflite import flatbuffer
from imageqx_export.quantize.calibration.exact_scales import make_steps_exact
from imageqx_export.quantize.graph.capture import trace
from imageqx_export.quantize.recipe import ActivationScale
from imageqx_export.support.processes import quiet

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
SIDE = 14
COUNT = SIDE * SIDE


def row(name: str, scale: float, zero_point: int) -> ActivationScale:
    return ActivationScale(tensor=name, scale=scale, zero_point=zero_point, observer="minmax")


class Pooled(nn.Module):
    """A mean of one tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 3, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the mean over both axes."""
        pooled: Tensor = self.a(pixels.float().permute(0, 3, 1, 2)).mean((2, 3))
        return pooled


@functools.cache
def pooled() -> GraphModule:
    pixels = torch.zeros(1, SIDE, SIDE, 3, dtype=torch.uint8)
    return trace(Pooled().eval(), pixels, ("quality", "explanations", "attention"), any_batch=False)


def make_integers(source: ActivationScale, mean: ActivationScale) -> NDArray[np.int8]:
    """Return int8 [1,14,14,sums]: a channel for every sum whose mean has an integer."""
    factor = source.scale / mean.scale / COUNT
    low = max((-128 - source.zero_point) * COUNT, math.ceil((-128 - mean.zero_point) / factor))
    high = min((127 - source.zero_point) * COUNT, math.floor((127 - mean.zero_point) / factor))
    quotient, rest = np.divmod(np.arange(low, high + 1), COUNT)
    values = quotient + source.zero_point + (np.arange(COUNT)[:, None] < rest)
    assert values.min() >= -128 and values.max() <= 127
    return values.astype(np.int8).reshape(1, SIDE, SIDE, -1)


def in_onnx_runtime(source: ActivationScale, mean: ActivationScale) -> NDArray[np.int64]:
    integers = make_integers(source, mean)
    channels = integers.shape[3]
    scales = f"float s = {{{source.scale!r}}}, float t = {{{mean.scale!r}}}"
    zeros = f"uint8 z = {{{source.zero_point + 128}}}, uint8 y = {{{mean.zero_point + 128}}}"
    model = onnx.parser.parse_model(
        f'<ir_version: 9, opset_import: ["": 18]> g (uint8[1,{channels},{SIDE},{SIDE}] p) '
        f"=> (uint8[1,{channels},1,1] r) <{scales}, {zeros}> "
        "{ x = DequantizeLinear(p, s, z) m = GlobalAveragePool(x) r = QuantizeLinear(m, t, y) }"
    )
    pixels = np.ascontiguousarray((integers.astype(np.int16) + 128).astype(np.uint8).transpose(0, 3, 1, 2))
    (found,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"p": pixels})
    return np.asarray(found, np.int64).ravel() - 128


def in_litert(source: ActivationScale, mean: ActivationScale) -> NDArray[np.int64]:
    integers = make_integers(source, mean)
    with quiet():
        interpreter = Interpreter(
            model_content=flatbuffer.write(make_file(source, mean, integers.shape)), num_threads=1
        )
        interpreter.allocate_tensors()
    interpreter.set_tensor(0, integers)
    interpreter.invoke()
    assert "DELEGATE" in [row["op_name"] for row in interpreter._get_ops_details()], "XNNPACK is what is asked"
    return np.asarray(interpreter.get_tensor(2), np.int64).ravel()


def make_file(source: ActivationScale, mean: ActivationScale, shape: tuple[int, ...]) -> schema.ModelT:
    """Return a TFLite model of one MEAN over rows and columns."""
    model, graph, operator, code = schema.ModelT(), schema.SubGraphT(), schema.OperatorT(), schema.OperatorCodeT()
    axes = schema.BufferT()
    axes.data = np.array([1, 2], np.int32).view(np.uint8)
    model.version, model.buffers, model.subgraphs, model.operatorCodes = 3, [schema.BufferT(), axes], [graph], [code]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.MEAN
    code.version = 2
    graph.tensors = [schema.TensorT() for _ in range(3)]
    sizes = (shape, (2,), (1, 1, 1, shape[3]))
    for tensor, name, size, held in zip(graph.tensors, (b"x", b"axes", b"y"), sizes, (source, None, mean), strict=True):
        tensor.name, tensor.shape, tensor.hasRank, tensor.buffer = name, np.array(size, np.int32), True, 0
        tensor.type = schema.TensorType.INT8 if held else schema.TensorType.INT32
        if held is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.array([held.scale], np.float32)
            tensor.quantization.zeroPoint = np.array([held.zero_point], np.int64)
    graph.tensors[1].buffer = 1
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, np.array([0, 1], np.int32), np.array([2], np.int32)
    operator.builtinOptionsType, operator.builtinOptions = (
        schema.BuiltinOptions.ReducerOptions,
        schema.ReducerOptionsT(),
    )
    operator.builtinOptions.keepDims = True
    graph.operators, graph.inputs, graph.outputs = [operator], np.array([0], np.int32), np.array([2], np.int32)
    return model


@settings(max_examples=4, deadline=None)
@given(
    st.floats(0.02, 0.1).map(np.float16),
    st.sampled_from([2.0**-6, 2.0**-5]),
    st.integers(-126, -110),
    st.integers(-110, -60),
)
@example(np.float16(0.049346924), 2.0**-6, -122, -91)
@example(np.float16(0.024124146), 2.0**-6, -116, -78)
def test_every_mean_is_one_integer_in_both_runtimes(before: np.float16, after: float, zero: int, last: int) -> None:
    source, mean = make_steps_exact(pooled(), [row("a:conv", float(before), zero), row("heads:mean", after, last)])
    assert mean.scale == after and float(before) <= source.scale <= 1.07 * float(before)
    np.testing.assert_array_equal(in_onnx_runtime(source, mean), in_litert(source, mean))


@pytest.mark.parametrize(("scale", "zero", "last", "split"), [(0.049346924, -122, -91, 8), (0.024124146, -116, -78, 1)])
def test_as_they_come_some_would_not_be(scale: float, zero: int, last: int, split: int) -> None:
    source, mean = row("a:conv", float(np.float16(scale)), zero), row("heads:mean", 2.0**-6, last)
    assert (in_onnx_runtime(source, mean) != in_litert(source, mean)).sum() == split
