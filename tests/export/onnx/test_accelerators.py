"""What makes ONNX graphs right on accelerators changes no number, judged by ONNX's own evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnx.reference
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from imageqx_export.export.onnx.accelerators import dequantize_around_moves, enter_by_dequantizing

PIXELS = np.arange(256, dtype=np.uint8).reshape(1, 8, 32, 1)


def graph(nodes: list[Any], arrays: Mapping[str, Any], kind: int = TensorProto.UINT8) -> Any:
    """Return a checked model from x [1,8,32,1] to the float32 y."""
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, PIXELS.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["a", "b", "c", "d"])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def evaluate(model: Any, x: NDArray[Any] = PIXELS) -> NDArray[np.float32]:
    onnx.checker.check_model(model, full_check=True)
    newer = onnx.ModelProto.FromString(model.SerializeToString())
    newer.opset_import[0].version, newer.ir_version = 21, 10  # ONNX's evaluator has quantization from opset 19 on
    (found,) = onnx.reference.ReferenceEvaluator(newer).run(None, {"x": x})
    return np.asarray(found)


def cast_model(kind: int = TensorProto.UINT8) -> Any:
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["f", "half"], ["y"]),
    ]
    return graph(nodes, {"half": np.float32(0.5)}, kind)


def test_every_byte_is_the_same_number_without_the_cast() -> None:
    model = cast_model()
    assert enter_by_dequantizing(model) == 1
    assert [node.op_type for node in model.graph.node] == ["DequantizeLinear", "Mul"]
    np.testing.assert_array_equal(evaluate(model), PIXELS / np.float32(2))


def test_a_cast_of_other_numbers_stays() -> None:
    model = cast_model(TensorProto.FLOAT16)
    before = model.SerializeToString()
    assert enter_by_dequantizing(model) == 0
    assert model.SerializeToString() == before


def moves_model(scale: float = 0.5, zero: int = 7) -> Any:
    """Return bytes → a frame → turned → reshaped → DQ → · 2 → Q → turned → DQ."""
    nodes = [
        helper.make_node("Concat", ["frame", "x"], ["c"], axis=1),
        helper.make_node("Transpose", ["c"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("Reshape", ["t", "shape"], ["r"]),
        helper.make_node("DequantizeLinear", ["r", "s", "z"], ["d"]),
        helper.make_node("Mul", ["d", "two"], ["m"]),
        helper.make_node("QuantizeLinear", ["m", "s2", "z"], ["q"]),
        helper.make_node("Transpose", ["q"], ["u"], perm=[0, 2, 3, 1]),
        helper.make_node("DequantizeLinear", ["u", "s2", "z"], ["y"]),
    ]
    arrays = {
        "frame": np.full((1, 1, 32, 1), 9, np.uint8),
        "shape": np.array([1, 3, 3, 32], np.int64),
        "s": np.float32(scale),
        "z": np.uint8(zero),
        "two": np.float32(2),
        "s2": np.float32(scale * 4),
    }
    return graph(nodes, arrays)


def test_integers_that_are_moved_are_the_same_between_dequantize_and_quantize() -> None:
    model = moves_model()
    want = evaluate(model)
    assert dequantize_around_moves(model) == 4
    np.testing.assert_array_equal(evaluate(model), want)
    assert len(np.unique(want)) > 50
    made = {name: node.op_type for node in model.graph.node for name in node.output}
    held = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in ("Concat", "Reshape", "Transpose"):
            data = [name for name in node.input if held.get(name) != TensorProto.INT64]
            assert {made.get(name) for name in data} == {"DequantizeLinear"}, node.op_type
            (reader,) = (other for other in model.graph.node if node.output[0] in other.input)
            assert reader.op_type == "QuantizeLinear"
            assert list(reader.input[1:]) == (["s2", "z"] if reader.output[0] == "u" else ["s", "z"])


def test_a_pair_of_another_step_would_be_found() -> None:
    model = moves_model()
    want = evaluate(model)
    dequantize_around_moves(model)
    quantize = next(node for node in model.graph.node if node.op_type == "QuantizeLinear")
    quantize.input[1] = "s2"
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(evaluate(model), want)


def test_moves_of_floats_stay() -> None:
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s", "z"], ["d"]),
        helper.make_node("Transpose", ["d"], ["y"], perm=[0, 3, 1, 2]),
    ]
    model = graph(nodes, {"s": np.float32(1), "z": np.uint8(0)})
    assert dequantize_around_moves(model) == 0 and len(model.graph.node) == 2
