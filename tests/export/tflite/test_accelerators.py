"""What makes TFLite graphs right on accelerators changes no number, judged by LiteRT."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from imageqx_export.export.tflite import flatbuffer
from imageqx_export.export.tflite.accelerators import (
    enter_by_dequantizing,
    enter_by_quantizing,
    pool_before_transposing,
    widen_normalisation,
)

schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
PIXELS = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 8, 32, 3)


class Graph:
    """A small TFLite graph that is built operation by operation."""

    def __init__(self) -> None:
        self.model = schema.ModelT()
        self.model.version, self.model.buffers = 3, [schema.BufferT()]
        self.model.subgraphs, self.model.operatorCodes = [schema.SubGraphT()], []
        self.graph = self.model.subgraphs[0]
        self.graph.tensors, self.graph.operators = [], []

    def tensor(self, what: tuple[int, ...] | NDArray[Any], kind: str, scale: float | None = None, zero: int = 0) -> int:
        made = schema.TensorT()
        made.shape = np.array(what.shape if isinstance(what, np.ndarray) else what, np.int32)
        made.type, made.buffer, made.hasRank = getattr(schema.TensorType, kind), 0, True
        made.name = f"t{len(self.graph.tensors)}".encode()
        if isinstance(what, np.ndarray):
            made.buffer, buffer = len(self.model.buffers), schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(what).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
        if scale is not None:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale = np.array([scale], np.float32)
            made.quantization.zeroPoint = np.array([zero], np.int64)
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def operator(self, kind: str, inputs: list[int], output: int, version: int = 1, **options: Any) -> None:
        code, made = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
        code.version = version
        names = {"MUL": "MulOptions", "SUB": "SubOptions", "MEAN": "ReducerOptions"}
        if kind in names:
            made.builtinOptionsType = getattr(schema.BuiltinOptions, names[kind])
            made.builtinOptions = getattr(schema, f"{names[kind]}T")()
            for name, value in options.items():
                setattr(made.builtinOptions, name, value)
        made.inputs, made.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        made.opcodeIndex = len(self.model.operatorCodes)
        self.model.operatorCodes.append(code)
        self.graph.operators.append(made)

    def ends(self, source: int, *targets: int) -> Any:
        self.graph.inputs, self.graph.outputs = np.array([source], np.int32), np.array(targets, np.int32)
        return self.model

    def kinds(self) -> list[str]:
        names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
        return [names[self.model.operatorCodes[op.opcodeIndex].builtinCode] for op in self.graph.operators]


def run(model: Any, image: NDArray[Any]) -> list[NDArray[Any]]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=flatbuffer.write(model), num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    return [np.array(interpreter.get_tensor(row["index"])) for row in interpreter.get_output_details()]


def entry(integers: bool) -> Graph:
    """Return bytes → float32, and → normalised or → int8."""
    made = Graph()
    image = made.tensor(PIXELS.shape, "UINT8")
    floats = made.tensor(PIXELS.shape, "FLOAT32")
    made.operator("CAST", [image], floats)
    if integers:
        out = made.tensor(PIXELS.shape, "INT8", 1.0, -128)
        made.operator("QUANTIZE", [floats], out)
    else:
        mean = made.tensor(np.array([[[[120, 110, 100]]]], np.float32), "FLOAT32")
        scale = made.tensor(np.array([[[[0.3, 0.7, 0.11]]]], np.float32), "FLOAT32")
        centred, out = made.tensor(PIXELS.shape, "FLOAT32"), made.tensor(PIXELS.shape, "FLOAT32")
        made.operator("SUB", [floats, mean], centred)
        made.operator("MUL", [centred, scale], out)
    made.ends(image, out)
    return made


def test_every_byte_is_the_same_number_without_the_cast() -> None:
    made = entry(integers=False)
    (want,) = run(made.model, PIXELS)
    assert enter_by_dequantizing(made.model) and widen_normalisation(made.model) == 2
    assert made.kinds() == ["DEQUANTIZE", "SUB", "MUL"]
    np.testing.assert_array_equal(run(made.model, PIXELS)[0], want)
    numbers = (PIXELS - np.array([120, 110, 100], np.float32)) * np.array([0.3, 0.7, 0.11], np.float32)
    np.testing.assert_array_equal(want, numbers)


def test_every_byte_is_the_same_integer_with_one_quantize() -> None:
    made = entry(integers=True)
    (want,) = run(made.model, PIXELS)
    assert enter_by_quantizing(made.model) and made.kinds() == ["QUANTIZE"]
    (got,) = run(made.model, PIXELS)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(got, (PIXELS.astype(np.int16) - 128).astype(np.int8))


def test_another_entry_stays() -> None:
    made = entry(integers=False)
    assert not enter_by_quantizing(made.model) and made.kinds() == ["CAST", "SUB", "MUL"]
    assert enter_by_dequantizing(made.model) and not enter_by_dequantizing(made.model), "there is no CAST any more"


def heads(axes: tuple[int, int] = (2, 3)) -> Graph:
    """Return int8 features → channels first → their mean, and → channels last again → · 1."""
    rng, made = np.random.default_rng(0), Graph()
    shape, turned = (1, 7, 7, 16), (1, 16, 7, 7)
    features = made.tensor(shape, "INT8", 0.1, 3)
    first = made.tensor(turned, "INT8", 0.1, 3)
    pooled_shape = tuple(size for axis, size in enumerate(turned) if axis not in axes)
    pooled = made.tensor(pooled_shape, "INT8", 0.05, -5)
    back, out = made.tensor(shape, "INT8", 0.1, 3), made.tensor(shape, "INT8", 0.2, 3)
    one = made.tensor(rng.integers(-9, 9, (1, 1, 1, 16), np.int8), "INT8", 0.5, 0)
    made.operator("TRANSPOSE", [features, made.tensor(np.array([0, 3, 1, 2], np.int32), "INT32")], first, 2)
    made.operator("MEAN", [first, made.tensor(np.array(axes, np.int32), "INT32")], pooled, 2)
    made.operator("TRANSPOSE", [first, made.tensor(np.array([0, 2, 3, 1], np.int32), "INT32")], back, 2)
    made.operator("MUL", [back, one], out, 2)
    made.ends(features, pooled, out)
    return made


def test_a_mean_of_features_with_channels_last_is_the_same_integers() -> None:
    made = heads()
    features = np.random.default_rng(1).integers(-128, 128, (1, 7, 7, 16), np.int8)
    want = run(made.model, features)
    assert pool_before_transposing(made.model) and made.kinds() == ["MEAN", "MUL"]
    got = run(made.model, features)
    for one, other in zip(got, want, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(np.unique(want[0])) > 3


def test_a_mean_over_channels_stays() -> None:
    made = heads(axes=(1, 2))
    assert not pool_before_transposing(made.model) and len(made.kinds()) == 4
