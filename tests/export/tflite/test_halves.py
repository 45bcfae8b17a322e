"""float16 weights in TFLite: in the one form that every release of LiteRT takes whole (make test-compat runs them)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from imageqx_export.export.tflite import flatbuffer
from imageqx_export.export.tflite.halves import halve_biases
from tests.export.tflite.test_flatbuffer import run
from tests.export.tflite.test_stem import Small

schema = pytest.importorskip("ai_edge_litert.schema_py_generated")


@pytest.fixture
def model(exported: Path) -> Any:
    return flatbuffer.read((exported / "imageqx_fp16.tflite").read_bytes())


def list_products(model: Any) -> list[tuple[str, list[str]]]:
    """List each product's kind, and what its weight and bias are stored as."""
    graph = model.subgraphs[0]
    kinds = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    types = {value: name for name, value in vars(schema.TensorType).items() if isinstance(value, int)}
    name = [kinds[model.operatorCodes[operator.opcodeIndex].builtinCode] for operator in graph.operators]
    stored = {
        int(operator.outputs[0]): int(operator.inputs[0])
        for operator, kind in zip(graph.operators, name, strict=True)
        if kind == "DEQUANTIZE"
    }
    return [
        (kind, [types[graph.tensors[stored.get(int(i), int(i))].type] for i in operator.inputs[1:] if i >= 0])
        for operator, kind in zip(graph.operators, name, strict=True)
        if kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    ]


def test_depthwise_weights_are_float32_and_weight_and_bias_are_alike(model: Any) -> None:
    """LiteRT 1.1.2 to 1.3.0 refuse float16 depthwise weights; 1.4.0 to 2.1.6 do not delegate float16 beside float32."""
    products = list_products(model)
    assert len(products) == 66 + 16 + 3
    for kind, types in products:
        assert len(set(types)) == 1
        assert kind != "DEPTHWISE_CONV_2D" or types == ["FLOAT32"] * 2
    assert sum(types[0] == "FLOAT16" for _, types in products) == 49


class Product(Small):
    """A DEQUANTIZE of a float16 weight, a convolution of it with a float32 bias, and one in float32 behind it."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.buffers = 3, [schema.BufferT()]
        self.model.subgraphs, self.model.operatorCodes = [self.graph], []
        self.graph.tensors, self.graph.operators = [], []
        self.weights = [rng.normal(size=(4, 2, 2, 3)), rng.normal(size=(5, 2, 2, 4))]
        self.biases = [rng.normal(size=4).astype(np.float32), rng.normal(size=5).astype(np.float32)]
        image, inner = self.tensor((1, 5, 5, 3), "FLOAT32"), self.tensor((1, 2, 2, 4), "FLOAT32")
        out = self.tensor((1, 1, 1, 5), "FLOAT32")
        weight = self.tensor((4, 2, 2, 3), "FLOAT32")
        self.operator("DEQUANTIZE", [self.tensor(self.weights[0].astype(np.float16), "FLOAT16")], weight)
        self.operator("CONV_2D", [image, weight, self.tensor(self.biases[0], "FLOAT32")], inner)
        other = self.tensor(self.weights[1].astype(np.float32), "FLOAT32")
        self.operator("CONV_2D", [inner, other, self.tensor(self.biases[1], "FLOAT32")], out)
        self.graph.inputs, self.graph.outputs = np.array([image], np.int32), np.array([out], np.int32)

    def compute(self, image: NDArray[np.float32], kinds: tuple[type[np.floating[Any]], type[np.floating[Any]]]) -> Any:
        """Compute both convolutions in float64, with the weight and bias of the first rounded to ``kinds``."""
        first = image[0].astype(float)
        rounded = self.weights[0].astype(kinds[0]).astype(float), self.biases[0].astype(kinds[1]).astype(float)
        for weight, bias in (rounded, (self.weights[1].astype(np.float32).astype(float), self.biases[1].astype(float))):
            size = (len(first) - 2) // 2 + 1
            windows = [[first[2 * i : 2 * i + 2, 2 * j : 2 * j + 2] for j in range(size)] for i in range(size)]
            first = np.einsum("ijhwc,ohwc->ijo", np.array(windows), weight) + bias
        return first


def test_the_bias_beside_a_float16_weight_is_rounded_and_no_other() -> None:
    small, image = Product(), np.random.default_rng(1).normal(size=(1, 5, 5, 3)).astype(np.float32)
    before = run(flatbuffer.write(small.model), image)[0]
    np.testing.assert_allclose(before, small.compute(image, (np.float16, np.float32)), rtol=1e-5)
    assert halve_biases(small.model) == 1
    after = run(flatbuffer.write(small.model), image)[0]
    np.testing.assert_allclose(after, small.compute(image, (np.float16, np.float16)), rtol=1e-5)
    assert np.abs(after - before).max() > 1e-5, "the rounding must show"
    assert [types for _, types in list_products(small.model)] == [["FLOAT16"] * 2, ["FLOAT32"] * 2]


def test_a_graph_without_float16_stays() -> None:
    small = Product()
    del small.graph.operators[:2]
    assert halve_biases(small.model) == 0
