"""Core ML's dequantize → operation → quantize against NumPy's int64, and where floats would say something else."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from imageqx_export.runtimes.mil import runtime as mil
from tests.runtimes.mil.test_quant import Array, program

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("coremltools")
    from coremltools.converters.mil import Builder as mb  # noqa: N813 - its usual name
    from coremltools.converters.mil.mil import types

IN, OUT = (np.float32(0.037), 11), (np.float32(0.05), -20)
RNG = np.random.default_rng(8)


def levels(shape: tuple[int, ...]) -> Array:
    """Return real values on the input's grid, from one end to the other."""
    integers = RNG.integers(-128, 128, shape)
    return ((integers - IN[1]) * IN[0]).astype(np.float32)


def centred(x: Array) -> Array:
    return np.rint(x / IN[0]).astype(np.int64)


def held(x: Any, grid: tuple[np.float32, int] = IN) -> Any:
    scale, zero = grid
    given = {"scale": scale, "zero_point": np.int8(zero)}
    return mb.dequantize(input=mb.quantize(input=x, output_dtype="int8", **given), **given)


def evaluated(build: Any, x: Array) -> Array:
    """Return the integers, less the zero point, of what ``build`` makes of ``x``, held in int8 again."""
    made = program(lambda v: held(build(held(v)), OUT), x.shape)
    return np.rint(mil.evaluate(made, {"x": x})["y0"] / OUT[0]).astype(np.int64)


def requantized(total: Array, factor: Any) -> Array:
    product = total.astype(np.float32) * np.asarray(factor, np.float32)
    return np.clip(np.rint(product), -128 - OUT[1], 127 - OUT[1]).astype(np.int64)


def test_a_convolution_adds_up_integers() -> None:
    x = levels((1, 3, 9, 9))
    weight = RNG.integers(-127, 128, (5, 3, 1, 1)).astype(np.int8)
    scales = RNG.uniform(0.001, 0.004, 5).astype(np.float32)
    bias = RNG.normal(size=5).astype(np.float32)

    def build(v: Any) -> Any:
        stored = mb.constexpr_affine_dequantize(
            quantized_data=weight, zero_point=np.zeros(5, np.int8), scale=scales, axis=0
        )
        return mb.conv(x=v, weight=stored, bias=bias, pad_type="valid")

    total = np.einsum("oi,nihw->nohw", weight[:, :, 0, 0].astype(np.int64), centred(x))
    total += np.rint(bias * (1 / (IN[0] * scales))).astype(np.int64)[:, None, None]
    want = requantized(total, (IN[0] * scales / OUT[0])[:, None, None])
    np.testing.assert_array_equal(evaluated(build, x), want)


def test_products_sums_means_and_sigmoids() -> None:
    x = levels((1, 4, 8, 8))
    integers = centred(x)
    gate = (np.array([3, 255, 64, 9]) / 256).astype(np.float32)[None, :, None, None]
    wants = {
        "square": (lambda v: mb.mul(x=v, y=v), requantized(integers**2, IN[0] * IN[0] / OUT[0])),
        "gate": (lambda v: mb.mul(x=v, y=gate), requantized(integers * (gate * 256), IN[0] / np.float32(256) / OUT[0])),
        "mean": (
            lambda v: mb.reduce_mean(x=v, axes=[2, 3], keep_dims=True),
            requantized(integers.sum((2, 3), keepdims=True), IN[0] / OUT[0] / np.float32(64)),
        ),
        "sigmoid": (lambda v: mb.sigmoid(x=v), None),
    }
    for name, (build, want) in wants.items():
        got = evaluated(build, x)
        if want is None:
            want = np.rint(1 / (1 + np.exp(-integers * float(IN[0]))) / OUT[0]).astype(np.int64)
        np.testing.assert_array_equal(got, want, name)
        assert len(np.unique(got)) > 2, name


def test_a_sum_of_equal_steps_is_the_integers_own() -> None:
    x = levels((1, 2, 16, 16))
    made = program(lambda v: held(mb.add(x=held(v), y=held(mb.relu(x=v))), IN), x.shape)
    got = np.rint(mil.evaluate(made, {"x": x})["y0"] / IN[0]).astype(np.int64)
    integers = centred(x)
    np.testing.assert_array_equal(got, np.clip(integers + np.maximum(integers, 0), -139, 116))


def test_float16_between_the_integers_rounds_nothing() -> None:
    """A product of 20 bits has no float16, and the integers need none."""
    x = levels((1, 1, 32, 32))

    def build(v: Any) -> Any:
        given = {"scale": np.float16(0.25), "zero_point": np.int8(0)}
        half = mb.dequantize(input=mb.quantize(input=v, output_dtype="int8", **given), **given)
        square = mb.quantize(input=mb.mul(x=half, y=half), output_dtype="int8", scale=np.float16(0.0107))
        return mb.cast(x=mb.dequantize(input=square, scale=np.float16(1)), dtype="fp32")

    got = mil.evaluate(program(build, x.shape, types.fp16), {"x": x})["y0"].astype(np.int64)
    integers = np.clip(np.rint(x.astype(np.float16) / np.float16(0.25)), -128, 127).astype(np.int64)
    factor = np.float32(0.0625) / np.float32(np.float16(0.0107))
    np.testing.assert_array_equal(got, np.clip(np.rint((integers**2).astype(np.float32) * factor), -128, 127))


def test_what_is_not_between_integers_stays_float() -> None:
    """A convolution with float weights, and a sum with a float operand."""
    x = levels((1, 2, 5, 5))
    weight = RNG.normal(size=(3, 2, 1, 1)).astype(np.float32)
    got = evaluated(lambda v: mb.conv(x=v, weight=weight, pad_type="valid"), x)
    real = np.einsum("oi,nihw->nohw", weight[:, :, 0, 0].astype(np.float64), centred(x) * float(IN[0]))
    want = np.clip(np.rint(real / OUT[0]), -128 - OUT[1], 127 - OUT[1])
    assert np.abs(got - want).max() <= 1 and (got == want).mean() > 0.95
    shifted = evaluated(lambda v: mb.add(x=v, y=np.float32(0.3)), x)
    assert np.abs(shifted - np.clip(np.rint((x + 0.3) / OUT[0]), -108, 147)).max() <= 1
