"""Integers in ONNX graphs, on small ones, judged by ONNX's own evaluator."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.reference
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from imageqx_export.errors import ConversionError
from imageqx_export.export.onnx.passes import (
    make_activations_unsigned,
    pool_globally,
    shorten_names,
    store_int8_weights,
    unshare_weights,
    widen_gates,
)
from imageqx_export.quantize.graph.integers import IntegerWeight
from imageqx_export.runtimes.onnx import count_optimised_operations

RNG = np.random.default_rng(0)
CONV = RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)
LINEAR = RNG.normal(size=(2, 4)).astype(np.float32)


def proto(
    nodes: list[Any],
    arrays: Mapping[str, Any],
    rank: int = 4,
    *,
    kind: int = TensorProto.FLOAT,
    shape: tuple[int, ...] = (1, 3, 6, 6),
) -> Any:
    """Return a model from x, of a kind and shape, to y, float32 of a rank."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["a", "b", "c", "d"][:rank])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model


def evaluate(model: Any, x: NDArray[Any]) -> NDArray[np.float32]:
    newer = onnx.ModelProto.FromString(model.SerializeToString())
    newer.opset_import[0].version = 19  # the evaluator's first with DequantizeLinear, which is 18's but for new types
    (y,) = onnx.reference.ReferenceEvaluator(newer).run(None, {"x": x})
    return np.asarray(y)


def float_model() -> Any:
    nodes = [
        helper.make_node("Conv", ["x", "conv"], ["a"]),
        helper.make_node("GlobalAveragePool", ["a"], ["b"]),
        helper.make_node("Flatten", ["b"], ["c"]),
        helper.make_node("Gemm", ["c", "linear"], ["y"], transB=1),
    ]
    return proto(nodes, {"conv": CONV, "linear": LINEAR}, 2)


def integer_weight(name: str, values: NDArray[np.float32]) -> IntegerWeight:
    scales = (np.abs(values).reshape(len(values), -1).max(1) / 127).astype(np.float32)
    column = scales.reshape(-1, *[1] * (values.ndim - 1))
    return IntegerWeight(name, values, np.rint(values / column).astype(np.int8), scales)


def test_int8_weights_give_what_numpy_gives_with_the_rounded_ones() -> None:
    weights = [integer_weight("conv", CONV), integer_weight("linear", LINEAR)]
    model = float_model()
    assert store_int8_weights(model, weights) == 2
    onnx.checker.check_model(model, full_check=True)
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert sorted(kinds.values()) == sorted([TensorProto.INT8] * 2 + [TensorProto.FLOAT] * 2)
    x = RNG.normal(size=(1, 3, 6, 6)).astype(np.float32)
    rounded = [w.integers * w.scales.reshape(-1, *[1] * (w.values.ndim - 1)) for w in weights]
    windows = np.lib.stride_tricks.sliding_window_view(x[0], (3, 3), (1, 2))
    pooled = np.einsum("cyxij,ocij->oyx", windows, rounded[0]).mean((1, 2))
    np.testing.assert_allclose(evaluate(model, x)[0], rounded[1] @ pooled, rtol=1e-4, atol=1e-6)


def test_onnx_runtime_makes_int8_weights_float_once(tmp_path: Path) -> None:
    path = tmp_path / "w8.onnx"
    model = float_model()
    store_int8_weights(model, [integer_weight("conv", CONV)])
    onnx.save(model, path)
    found = count_optimised_operations(path)
    assert found["Conv"] == 1
    assert not {"Cast", "Mul", "DequantizeLinear"} & set(found)


def test_a_weight_that_is_not_there_is_refused_by_its_name() -> None:
    with pytest.raises(ConversionError, match="late9:conv"):
        store_int8_weights(float_model(), [integer_weight("late9:conv", CONV + np.float32(1e-3))])


def quantized_model(zero_points: list[int], constant: bool = False) -> Any:
    """Return input → Q → DQ → Conv → Q → DQ (→ times an int8 constant → Q → DQ), all activations int8."""
    w = integer_weight("conv", CONV)
    arrays: dict[str, NDArray[Any]] = {
        "w": w.integers,
        "ws": w.scales,
        "wz": np.zeros(4, np.int8),
        **{f"z{i}": np.array(z, np.int8) for i, z in enumerate(zero_points)},
        **{f"s{i}": np.array(s, np.float32) for i, s in enumerate((0.03, 0.1, 0.05))},
    }

    def pair(source: str, index: int, out: str) -> list[Any]:
        return [
            helper.make_node("QuantizeLinear", [source, f"s{index}", f"z{index}"], [f"q{index}"]),
            helper.make_node("DequantizeLinear", [f"q{index}", f"s{index}", f"z{index}"], [out]),
        ]

    nodes = [
        *pair("x", 0, "xr"),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wr"], axis=0),
        helper.make_node("Conv", ["xr", "wr"], ["a"]),
        *pair("a", 1, "ar" if constant else "y"),
    ]
    if constant:
        arrays |= {"g": np.array([-100, 0, 50, 127], np.int8).reshape(1, 4, 1, 1), "gs": np.array(1 / 255, np.float32)}
        arrays |= {"gz": np.array(-128, np.int8)}
        nodes.append(helper.make_node("DequantizeLinear", ["g", "gs", "gz"], ["gr"]))
        nodes += [helper.make_node("Mul", ["ar", "gr"], ["m"]), *pair("m", 2, "y")]
    return proto(nodes, arrays)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-128, 127), min_size=3, max_size=3), st.booleans())
def test_unsigned_activations_are_the_same_numbers(zero_points: list[int], constant: bool) -> None:
    signed = quantized_model(zero_points, constant)
    unsigned = copy.deepcopy(signed)
    assert make_activations_unsigned(unsigned) > 0 and make_activations_unsigned(copy.deepcopy(unsigned)) == 0
    onnx.checker.check_model(unsigned, full_check=True)
    kinds = {t.name: t.data_type for t in unsigned.graph.initializer}
    assert kinds["w"] == kinds["wz"] == TensorProto.INT8
    assert {kinds[name] for name in kinds if name in ("z0", "z1", "g")} == {TensorProto.UINT8}
    x = np.random.default_rng(1).normal(size=(1, 3, 6, 6)).astype(np.float32)
    np.testing.assert_array_equal(evaluate(unsigned, x), evaluate(signed, x))


def test_zero_points_that_did_not_move_would_be_found() -> None:
    # So large that values are clipped: elsewhere a zero point cancels out.
    signed, x = quantized_model([3, -7, 0]), 50 * np.random.default_rng(1).normal(size=(1, 3, 6, 6)).astype(np.float32)
    wrong = copy.deepcopy(signed)
    make_activations_unsigned(wrong)
    zero = next(t for t in wrong.graph.initializer if t.name == "z1")
    zero.CopyFrom(numpy_helper.from_array(np.array(120, np.uint8), "z1"))
    assert not np.array_equal(evaluate(wrong, x), evaluate(signed, x))


def shared_model() -> Any:
    """Return two int8 convolutions of bytes, whose weights and zero points are the same tensors."""
    nodes = [helper.make_node("DequantizeLinear", ["x", "s", "z"], ["a"])]
    for index, source in enumerate("ab"):
        nodes += [
            helper.make_node("DequantizeLinear", ["kernel", "scales", "zeros"], [f"w{index}"], axis=0),
            helper.make_node("Conv", [source, f"w{index}"], [f"c{index}"]),
            helper.make_node("QuantizeLinear", [f"c{index}", "s", "z"], [f"q{index}"]),
            helper.make_node("DequantizeLinear", [f"q{index}", "s", "z"], ["by"[index]]),
        ]
    kernel = np.random.default_rng(1).integers(-127, 128, (4, 4, 1, 1), np.int8)
    arrays = {
        "kernel": kernel,
        "scales": np.full(4, 2**-8, np.float32),
        "zeros": np.zeros(4, np.int8),
        "s": np.float32(2**-4),
        "z": np.uint8(128),
    }
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 4, 2, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 2, 2])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_weights_that_no_other_shares_can_be_made_unsigned() -> None:
    x, model = RNG.integers(0, 256, (1, 4, 2, 2), np.uint8), shared_model()
    want, options = evaluate(model, x), onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.log_severity_level = 4
    unshare_weights(model)
    onnx.checker.check_model(model, full_check=True)
    np.testing.assert_array_equal(evaluate(model, x), want)
    with pytest.raises(Exception, match="Attempt to replace the existing tensor"):
        onnxruntime.InferenceSession(shared_model().SerializeToString(), options)
    (got,) = onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, {"x": x})
    np.testing.assert_array_equal(got, want)
    assert len(np.unique(want)) > 3


def mean_model(keepdims: int) -> Any:
    nodes = [helper.make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=keepdims)]
    return proto(nodes, {"axes": np.array([2, 3])}, 4 if keepdims else 2)


def test_a_mean_over_the_picture_is_pooling() -> None:
    x = RNG.normal(size=(1, 3, 6, 6)).astype(np.float32)
    pooled, flat = mean_model(1), mean_model(0)
    for model in (pooled, flat):
        pool_globally(model)
    assert [node.op_type for node in pooled.graph.node] == ["GlobalAveragePool"]
    assert [node.op_type for node in flat.graph.node] == ["ReduceMean"]
    np.testing.assert_allclose(evaluate(pooled, x), x.mean((2, 3), keepdims=True), rtol=1e-5)


@pytest.mark.parametrize("make", [float_model, lambda: quantized_model([1, 2, 3], constant=True)])
def test_short_names_change_nothing_but_names(make: Callable[[], Any]) -> None:
    model, x = make(), RNG.normal(size=(1, 3, 6, 6)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(1000, np.float32), "nobody_reads_this"))
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    shorten_names(copy, ["x", "y"])
    onnx.checker.check_model(copy, full_check=True)
    names = {name for node in copy.graph.node for name in (*node.input, *node.output)}
    assert max(map(len, names)) <= 3 and {"x", "y"} <= names
    assert copy.ByteSize() < model.ByteSize() - 3900
    np.testing.assert_array_equal(evaluate(copy, x), evaluate(model, x))


def test_equal_constants_are_one_and_a_means_of_another_type_is_not() -> None:
    model = quantized_model([5, 5, 5])
    model.graph.initializer.append(numpy_helper.from_array(np.array(5, np.uint8), "other"))
    shorten_names(model, ["x", "y"])
    zeros = [t for t in model.graph.initializer if t.data_type == TensorProto.INT8 and not t.dims]
    assert len(zeros) == 1


def gated_model(size: int) -> Any:
    """Return the product of [1,2,size,size] with its own mean's sigmoid, all int8 between Q and DQ."""
    scales = {"s0": 0.03, "s1": 0.03, "s2": 1 / 256, "s3": 0.02}
    arrays = {name: np.float32(scale) for name, scale in scales.items()} | {"z": np.uint8(9)}
    nodes = []
    for index, (kind, inputs) in enumerate(
        [("", ["x"]), ("GlobalAveragePool", ["r0"]), ("Sigmoid", ["r1"]), ("Mul", ["r2", "r0"])]
    ):
        source = inputs[0] if not kind else f"a{index}"
        nodes += [helper.make_node(kind, inputs, [source])] if kind else []
        nodes.append(helper.make_node("QuantizeLinear", [source, f"s{index}", "z"], [f"q{index}"]))
        out = "y" if index == 3 else f"r{index}"
        nodes.append(helper.make_node("DequantizeLinear", [f"q{index}", f"s{index}", "z"], [out]))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, size, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, size, size])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.mark.parametrize(("size", "products"), [(28, 2), (27, 1)])
def test_gates_with_a_column_for_each_column_are_the_same_numbers(size: int, products: int) -> None:
    model, x = gated_model(size), RNG.normal(2, 1, (1, 2, size, size)).astype(np.float32)
    want = evaluate(model, x)
    widen_gates(model)
    onnx.checker.check_model(model, full_check=True)
    assert sum(node.op_type == "Mul" for node in model.graph.node) == products
    np.testing.assert_array_equal(evaluate(model, x), want)
    assert len(np.unique(want)) > 50
