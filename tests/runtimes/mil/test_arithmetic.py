"""Check how the Core ML evaluator rounds, and how it unpacks compressed weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from imageqx_export.runtimes.mil import runtime as mil
from tests.runtimes.mil.programs import RNG, Array, mb, normal, package, program, types
from tests.runtimes.mil.test_windows import conv_golden


def test_float16_rounds_after_every_operation(tmp_path: Path) -> None:
    """NumPy's float16 computes in float32 and rounds each result, which is the rounding model."""
    x, y, z = (10 * normal(50, 4) for _ in range(3))
    made = program(
        lambda x, y, z: [
            mb.add(x=mb.mul(x=x, y=y), y=z),
            mb.real_div(x=mb.sub(x=x, y=z), y=y),
            mb.sqrt(x=mb.abs(x=z)),
            mb.relu(x=mb.mul(x=x, y=np.float16(0.1))),
            mb.add(x=mb.cast(x=x, dtype="fp32"), y=np.float32(1e-3)),
            mb.mul(x=x, y=np.float16(60000)),
        ],
        *[(50, 4)] * 3,
        dtype=types.fp16,
    )
    got = mil.evaluate(package(tmp_path / "a.mlpackage", made), {"x0": x + 1e-5, "x1": y, "x2": z})
    a, b, c = ((v.astype(np.float32)).astype(np.float16) for v in (x + 1e-5, y, z))
    with np.errstate(over="ignore"):
        want = [
            a * b + c,
            (a - c) / b,
            np.sqrt(np.abs(c)),
            np.maximum(a * np.float16(0.1), 0),
            a.astype(np.float32) + np.float32(1e-3),
            a * np.float16(60000),
        ]
    for value, golden in zip(got.values(), want, strict=True):
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, golden.astype(np.float32))
    assert np.abs(got["y0"] - (x * y + z)).max() > 1e-3, "the rounding must be visible"


def test_float16_sums_in_float32() -> None:
    """A convolution and a mean accumulate in float32 and round once."""
    x, w = normal(1, 64, 6, 6), normal(4, 64, 3, 3)
    made = program(
        lambda x: [mb.conv(x=x, weight=w.astype(np.float16)), mb.reduce_mean(x=x, axes=[1, 2, 3])],
        x.shape,
        dtype=types.fp16,
    )
    got = mil.evaluate(made, {"x0": x})
    exact = conv_golden(x.astype(np.float64), w, (1, 1), ((0, 0), (0, 0)), (1, 1), 1)
    np.testing.assert_array_equal(got["y0"], got["y0"].astype(np.float16))
    np.testing.assert_allclose(got["y0"], exact, rtol=2**-11, atol=1e-4)
    np.testing.assert_array_equal(got["y1"], x.mean((1, 2, 3), dtype=np.float64).astype(np.float16))


def test_integers_and_booleans() -> None:
    """Keep their dtype."""
    made = program(lambda x: [mb.add(x=mb.cast(x=x, dtype="int32"), y=np.int32(2)), mb.cast(x=x, dtype="bool")], (2,))
    got = mil.evaluate(made, {"x0": np.array([3.9, 0.0], np.float32)})
    assert got["y0"].dtype == np.int32 and got["y0"].tolist() == [5, 2]
    assert got["y1"].dtype == np.bool_ and got["y1"].tolist() == [True, False]


@pytest.mark.parametrize("half", [False, True])
def test_compressed_weights(tmp_path: Path, half: bool) -> None:
    """Affine per channel and per tensor, and look-up tables of 1, 2, 4, 6 and 8 bits."""
    floats = np.float16 if half else np.float32
    q, zero = RNG.integers(-128, 128, (3, 4), np.int8), np.array([-3, 0, 127, 9], np.int8)
    scale = (RNG.random(4) + 0.1).astype(floats)
    tables = {bits: normal(2**bits).astype(floats) for bits in (1, 2, 4, 6, 8)}
    keys = {bits: RNG.integers(0, 2**bits, 15) for bits in tables}

    def packed(bits: int) -> Array:
        digits = np.array([[key >> i & 1 for i in range(bits)] for key in keys[bits]], np.uint8)
        return np.packbits(digits.ravel(), bitorder="little")

    saved = package(
        tmp_path / "a.mlpackage",
        program(
            lambda x: [
                mb.add(x=x, y=mb.constexpr_affine_dequantize(quantized_data=q, zero_point=zero, scale=scale, axis=1)),
                mb.add(
                    x=x,
                    y=mb.constexpr_affine_dequantize(quantized_data=q, zero_point=np.int8(5), scale=scale[0], axis=0),
                ),
                *(
                    mb.constexpr_lut_to_dense(indices=packed(bits), lut=table, shape=np.array([3, 5], np.uint32))
                    for bits, table in tables.items()
                ),
            ],
            (3, 4),
            dtype=types.fp16 if half else types.fp32,
        ),
    )
    got = mil.evaluate(saved, {"x0": np.zeros((3, 4), np.float32)})
    wide, factors = q.astype(np.float64), scale.astype(np.float64)
    goldens = [(wide - zero) * factors, (wide - 5) * factors[0]]
    for value, golden in zip(got.values(), goldens, strict=False):
        np.testing.assert_allclose(value, golden.astype(floats), rtol=0 if half else 1e-6)
    for (bits, table), i in zip(tables.items(), range(2, 7), strict=True):
        np.testing.assert_array_equal(got[f"y{i}"], table[keys[bits]].reshape(3, 5))
