"""How a TFLite graph of integers begins, on a small one, judged by LiteRT."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from imageqx_export.errors import ConversionError
from imageqx_export.export.tflite import flatbuffer
from imageqx_export.export.tflite.stem import group_pixels
from tests.export.tflite.test_flatbuffer import run

schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
HEIGHT, WIDTH, OUT = 8, 12, 5
COLOURS = np.array([123.7, 116.3, 103.5], np.float32)


class Small:
    """Bytes → float32 → a frame above and at the left → · 1/64 → int8 → a convolution of stride 2, as litert-torch."""

    def __init__(self, kinds: str = "CAST CONCATENATION CONCATENATION MUL QUANTIZE CONV_2D") -> None:
        rng = np.random.default_rng(0)
        self.model = schema.ModelT()
        self.model.version, self.model.buffers = 3, [schema.BufferT()]
        self.model.subgraphs, self.model.operatorCodes = [schema.SubGraphT()], []
        self.graph = self.model.subgraphs[0]
        self.graph.tensors, self.graph.operators = [], []
        self.kernel = rng.integers(-127, 128, (OUT, 3, 3, 3), np.int8)
        frame = np.broadcast_to(COLOURS, (1, 1, WIDTH, 3))
        side = np.broadcast_to(COLOURS, (1, HEIGHT + 1, 1, 3))
        image = self.tensor((1, HEIGHT, WIDTH, 3), "UINT8")
        pixels = self.tensor((1, HEIGHT, WIDTH, 3), "FLOAT32")
        above = self.tensor((1, HEIGHT + 1, WIDTH, 3), "FLOAT32")
        left = self.tensor((1, HEIGHT + 1, WIDTH + 1, 3), "FLOAT32")
        scaled = self.tensor((1, HEIGHT + 1, WIDTH + 1, 3), "FLOAT32")
        rounded = self.tensor((1, HEIGHT + 1, WIDTH + 1, 3), "INT8", scale=[2**-6], zero=-128)
        steps = 2.0 ** -rng.integers(5, 8, OUT)
        weight = self.tensor(self.kernel.transpose(0, 2, 3, 1), "INT8", scale=steps)
        bias = self.tensor(rng.integers(-9999, 9999, OUT, np.int32), "INT32", scale=steps * 2**-6)
        out = self.tensor((1, HEIGHT // 2, WIDTH // 2, OUT), "INT8", scale=[0.37], zero=-3)
        self.graph.inputs, self.graph.outputs = np.array([image], np.int32), np.array([out], np.int32)
        inputs = [
            [image],
            [self.tensor(frame, "FLOAT32"), pixels],
            [self.tensor(side, "FLOAT32"), above],
            [left, self.tensor(np.array(1 / 64, np.float32), "FLOAT32")],
            [scaled],
            [rounded, weight, bias],
        ]
        outputs = [pixels, above, left, scaled, rounded, out]
        for kind, read, given in zip(kinds.split(), inputs, outputs, strict=True):
            self.operator(kind, read, given)

    def tensor(self, what: tuple[int, ...] | NDArray[Any], kind: str, scale: Any = None, zero: int = 0) -> int:
        made, constant = schema.TensorT(), isinstance(what, np.ndarray)
        made.shape = np.array(np.shape(what) if constant else what, np.int32)
        made.type, made.buffer, made.hasRank = getattr(schema.TensorType, kind), 0, True
        made.name = f"t{len(self.graph.tensors)}".encode()
        if constant:
            made.buffer, buffer = len(self.model.buffers), schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(what).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
        if scale is not None:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale = np.asarray(scale, np.float32)
            made.quantization.zeroPoint = np.full(len(made.quantization.scale), zero, np.int64)
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def operator(self, kind: str, inputs: list[int], output: int) -> None:
        code, made = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = getattr(schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 3 if kind == "CONV_2D" else 1
        names = {"CONCATENATION": "ConcatenationOptions", "CONV_2D": "Conv2DOptions", "MUL": "MulOptions"}
        if kind in names:
            made.builtinOptionsType = getattr(schema.BuiltinOptions, names[kind])
            made.builtinOptions = getattr(schema, f"{names[kind]}T")()
        if kind == "CONCATENATION":
            made.builtinOptions.axis = 1 if not self.done("CONCATENATION") else 2
        if kind == "CONV_2D":
            made.builtinOptions.padding = schema.Padding.VALID
            made.builtinOptions.strideH = made.builtinOptions.strideW = 2
        made.inputs, made.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        made.opcodeIndex = len(self.model.operatorCodes)
        self.model.operatorCodes.append(code)
        self.graph.operators.append(made)

    def done(self, kind: str) -> bool:
        return any(code.builtinCode == getattr(schema.BuiltinOperator, kind) for code in self.model.operatorCodes)


def test_pixels_read_in_twos_give_the_same_integers() -> None:
    small = Small()
    image = np.random.default_rng(1).integers(0, 256, (1, HEIGHT, WIDTH, 3), np.uint8)
    want = run(flatbuffer.write(small.model), image)
    group_pixels(small.model)
    got = run(flatbuffer.write(small.model), image)
    np.testing.assert_array_equal(got, want)
    assert got.dtype == np.int8 and len(np.unique(got)) > 20
    tensors = [small.graph.tensors[index] for index in small.graph.operators[-1].inputs]
    assert [list(t.shape) for t in tensors[:2]] == [[1, HEIGHT + 1, WIDTH // 2 + 1, 6], [OUT, 3, 2, 6]]
    framed = [small.graph.tensors[operator.outputs[0]].type for operator in small.graph.operators[2:4]]
    assert framed == [schema.TensorType.INT8] * 2, "a frame in float32 is four times as many bytes"


def test_another_entry_is_refused() -> None:
    with pytest.raises(ConversionError, match="entry"):
        group_pixels(Small("CAST CONCATENATION CONCATENATION ADD QUANTIZE CONV_2D").model)
