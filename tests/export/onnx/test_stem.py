"""How an ONNX graph of integers begins, on small ones, judged by ONNX's own evaluator."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx.reference
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from imageqx_export.errors import ConversionError
from imageqx_export.export.onnx.stem import group_pixels, read_pixels_as_bytes
from tests.export.onnx.test_passes import evaluate, proto

RNG = np.random.default_rng(0)


def bytes_model(zero_point: int = 0, step: float = 1 / 64) -> Any:
    """Return uint8 → float → a frame on top and at the left → ÷ 64 → Q → DQ."""
    frame = np.array([123.7, 116.3, 103.5], np.float32).reshape(1, 3, 1, 1)
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["f"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("Concat", ["above", "t"], ["u"], axis=2),
        helper.make_node("Concat", ["left", "u"], ["v"], axis=3),
        helper.make_node("Div", ["v", "levels"], ["w"]),
        helper.make_node("QuantizeLinear", ["w", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    arrays = {
        "above": frame.repeat(6, 3),
        "left": frame.repeat(7, 2),
        "levels": np.float32(64),
        "s": np.float32(step),
        "z": np.uint8(zero_point),
    }
    return proto(nodes, arrays, kind=TensorProto.UINT8, shape=(1, 6, 6, 3))


def test_bytes_that_stay_bytes_are_the_same_numbers() -> None:
    model = bytes_model()
    x = RNG.integers(0, 256, (1, 6, 6, 3), np.uint8)
    want = evaluate(model, x)
    read_pixels_as_bytes(model)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Transpose", "Concat", "Concat", "DequantizeLinear"]
    np.testing.assert_array_equal(evaluate(model, x), want)
    np.testing.assert_array_equal(want[0, :, 0, 0] * 64, [124, 116, 104])
    np.testing.assert_array_equal(want[0, :, 1:, 1:] * 64, x[0].transpose(2, 0, 1))


@pytest.mark.parametrize(("zero_point", "step"), [(1, 1 / 64), (0, 1 / 63)])
def test_an_entry_that_rounds_pixels_is_refused(zero_point: int, step: float) -> None:
    with pytest.raises(ConversionError, match="entry"):
        read_pixels_as_bytes(bytes_model(zero_point, step))


def stem_model(height: int, groups: int, out: int) -> Any:
    """Return bytes → a frame → DQ → a convolution of stride 2 → Q → DQ; steps are powers of 2: sums are exact."""
    rng, width = np.random.default_rng(groups), 4 * groups
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("Concat", ["above", "t"], ["u"], axis=2),
        helper.make_node("Concat", ["left", "u"], ["v"], axis=3),
        helper.make_node("DequantizeLinear", ["v", "s", "z"], ["a"]),
        helper.make_node("DequantizeLinear", ["kernel", "ks", "kz"], ["w"], axis=0),
        helper.make_node("DequantizeLinear", ["bias", "bs", "bz"], ["b"], axis=0),
        helper.make_node("Conv", ["a", "w", "b"], ["c"], strides=[2, 2], kernel_shape=[3, 3]),
        helper.make_node("QuantizeLinear", ["c", "cs", "cz"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "cs", "cz"], ["y"]),
    ]
    steps = 2.0 ** -rng.integers(5, 8, out)
    arrays = {
        "above": rng.integers(0, 256, (1, 3, 1, width), np.uint8),
        "s": np.float32(2.0**-6),
        "z": np.uint8(0),
        "left": rng.integers(0, 256, (1, 3, height + 1, 1), np.uint8),
        "cs": np.float32(0.5),
        "cz": np.uint8(120),
        "kernel": rng.integers(-127, 128, (out, 3, 3, 3), np.int8),
        "ks": steps.astype(np.float32),
        "kz": np.zeros(out, np.int8),
        "bias": rng.integers(-9999, 9999, out, np.int32),
        "bs": (steps * 2.0**-6).astype(np.float32),
        "bz": np.zeros(out, np.int32),
    }
    return proto(nodes, arrays, kind=TensorProto.UINT8, shape=(1, height, width, 3))


@settings(deadline=None, max_examples=10)
@given(st.integers(2, 4), st.integers(2, 4), st.integers(2, 6))
def test_pixels_read_in_fours_give_the_same_integers(rows: int, groups: int, out: int) -> None:
    model = stem_model(2 * rows, groups, out)
    x = np.random.default_rng(rows).integers(0, 256, (1, 2 * rows, 4 * groups, 3), np.uint8)
    want = evaluate(model, x)
    group_pixels(model)
    onnx.checker.check_model(model, full_check=True)
    (conv,) = (node for node in model.graph.node if node.op_type == "Conv")
    assert {a.name: tuple(a.ints) for a in conv.attribute} == {"strides": (2, 1), "kernel_shape": (3, 2)}
    np.testing.assert_array_equal(evaluate(model, x), want)
    assert len(np.unique(want)) > 2


def test_a_stem_that_does_not_read_bytes_is_refused() -> None:
    model = bytes_model()
    with pytest.raises(ConversionError, match="entry"):
        group_pixels(model)
