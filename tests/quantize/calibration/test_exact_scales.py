"""What is added up has one step, a mean's has one factor, and everything else has its own."""

from __future__ import annotations

import functools
import math

import numpy as np
import onnx.parser
import onnxruntime
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.fx import GraphModule

from imageqx_export.quantize.calibration.exact_scales import make_steps_exact
from imageqx_export.quantize.graph.capture import find_tensors, trace
from imageqx_export.quantize.recipe import ActivationScale

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")

OUTPUTS = ("quality", "explanations", "attention")


class Chain(nn.Module):
    """Two sums, the second of which reads the first, and a third that has nothing to do with them."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c, self.d, self.e = (nn.Conv2d(3, 3, 1) for _ in range(5))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the chain's end times the other sum."""
        x = pixels.float().permute(0, 3, 1, 2)
        chain = self.c(x) + (self.a(x) + self.b(x))
        product: Tensor = chain * (self.d(x) + self.e(x))
        return product


def rows(scales: dict[str, float], zero_point: int = -10) -> list[ActivationScale]:
    return [
        ActivationScale(tensor=name, scale=scale, zero_point=zero_point, observer="minmax")
        for name, scale in scales.items()
    ]


def test_sums_that_touch_have_the_widest_step_of_all() -> None:
    program = trace(Chain().eval(), torch.zeros(1, 4, 4, 3, dtype=torch.uint8), OUTPUTS, any_batch=False)
    names = list(find_tensors(program))
    assert names == [
        "c:conv",
        "a:conv",
        "b:conv",
        "heads:add",
        "heads:add2",
        "d:conv",
        "e:conv",
        "heads:add3",
        "heads:mul",
    ]
    scales = dict(zip(names, (0.1, 0.5, 0.2, 0.3, 0.25, 0.01, 0.02, 0.015, 7.0), strict=True))
    found = {row.tensor: row for row in make_steps_exact(program, rows(scales))}
    assert list(found) == names
    assert {found[name].scale for name in names[:5]} == {0.5}
    assert {found[name].scale for name in names[5:8]} == {0.02}
    assert found["heads:mul"] == rows(scales)[-1]
    assert found["a:conv"] == rows(scales)[1], "the widest stays as it is"
    for name in names[:8]:  # every range still has what it had
        low, high = ((level + 10) * scales[name] for level in (-128, 127))
        zero, scale = found[name].zero_point, found[name].scale
        assert (-128.5 - zero) * scale <= low and high <= (127.5 - zero) * scale


def test_a_float_operand_joins_nothing() -> None:
    program = trace(Chain().eval(), torch.zeros(1, 4, 4, 3, dtype=torch.uint8), OUTPUTS, any_batch=False)
    scales = {"c:conv": 0.1, "heads:add2": 0.2, "d:conv": 0.3}
    found = {row.tensor: row.scale for row in make_steps_exact(program, rows(scales))}
    assert found == {"c:conv": 0.2, "heads:add2": 0.2, "d:conv": 0.3}


class Pooled(nn.Module):
    """A mean of one tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 3, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the mean over both axes."""
        pooled: Tensor = self.a(pixels.float().permute(0, 3, 1, 2)).mean((2, 3))
        return pooled


@settings(deadline=None)
@given(st.floats(1e-3, 2), st.floats(1e-3, 2))
def test_a_means_factor_is_the_same_in_every_order(before: float, after: float) -> None:
    scales = {"a:conv": float(np.float16(before)), "heads:mean": float(np.float16(after))}
    source, mean = make_steps_exact(pooled(), rows(scales))
    assert scales["a:conv"] <= source.scale <= scales["a:conv"] * 1.05
    assert scales["heads:mean"] <= mean.scale < 2 * scales["heads:mean"]
    assert source.scale == float(np.float16(source.scale)) and math.frexp(mean.scale)[0] == 0.5
    x, y, n = np.float32(source.scale), np.float32(mean.scale), np.float32(14 * 14)
    for total in np.random.default_rng(0).integers(-255 * 196, 255 * 196, 50).astype(np.float32):
        assert total * (x / (y * n)) == total * (x / y / n) == (total * (x * (1 / n))) / y


class Product(nn.Module):
    """A product of two tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the product."""
        x = pixels.float().permute(0, 3, 1, 2)
        product: Tensor = self.a(x) * self.b(x)
        return product


@functools.cache
def product() -> GraphModule:
    return trace(Product().eval(), torch.zeros(1, 4, 4, 3, dtype=torch.uint8), OUTPUTS, any_batch=False)


def in_onnx_runtime(a: ActivationScale, b: ActivationScale, c: ActivationScale) -> NDArray[np.int64]:
    """Return the integers of all products of two bytes, row by row, less their zero point."""
    scales = ", ".join(f"float s{i} = {{{row.scale!r}}}" for i, row in enumerate((a, b, c)))
    zeros = ", ".join(f"uint8 z{i} = {{{row.zero_point + 128}}}" for i, row in enumerate((a, b, c)))
    model = onnx.parser.parse_model(
        f'<ir_version: 9, opset_import: ["": 18]> g (uint8[256,256] p, uint8[256,256] q) => (uint8[256,256] r) '
        f"<{scales}, {zeros}> {{ x = DequantizeLinear(p, s0, z0) y = DequantizeLinear(q, s1, z1) m = Mul(x, y) "
        "r = QuantizeLinear(m, s2, z2) }"
    )
    p, q = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8), indexing="ij")
    (r,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"p": p, "q": q})
    return np.asarray(r, np.int64) - c.zero_point - 128


def rounded_first(a: ActivationScale, b: ActivationScale, c: ActivationScale) -> NDArray[np.int64]:
    """Return the same, as XNNPACK computes it: rounded to an integer, which the zero point then moves."""
    p, q = (np.arange(-128, 128, dtype=np.float32) - row.zero_point for row in (a, b))
    real = np.outer(p, q) * (np.float32(a.scale) * np.float32(b.scale) / np.float32(c.scale))
    return np.asarray(np.clip(np.rint(real), -128 - c.zero_point, 127 - c.zero_point), np.int64)


@settings(max_examples=30, deadline=None)
@given(
    st.floats(0.02, 1).map(np.float16),
    st.floats(0.02, 1).map(np.float16),
    st.integers(-128, 127),
    st.integers(-128, 127),
)
@example(np.float16(0.703125), np.float16(0.65625), -103, -102)
def test_products_are_the_same_integers_in_onnx_runtime(
    before: np.float16, after: np.float16, first: int, last: int
) -> None:
    given_rows = [
        ActivationScale(tensor=name, scale=float(scale), zero_point=zero, observer="minmax")
        for name, scale, zero in (
            ("a:conv", before, first),
            ("b:conv", np.float16(2**-8), -128),
            ("heads:mul", after, last),
        )
    ]
    a, b, c = make_steps_exact(product(), given_rows)
    assert (a, b) == tuple(given_rows[:2])
    assert float(after) <= c.scale <= 1.05 * float(after) and c.scale == float(np.float16(c.scale))
    np.testing.assert_array_equal(in_onnx_runtime(a, b, c), rounded_first(a, b, c))


def test_steps_as_15_to_14_would_not_be() -> None:
    a, b, c = (
        ActivationScale(tensor="x", scale=scale, zero_point=zero, observer="minmax")
        for scale, zero in ((0.703125, -103), (2**-8, -128), (0.65625, -102))
    )
    assert (in_onnx_runtime(a, b, c) != rounded_first(a, b, c)).sum() == 3


@functools.cache
def pooled() -> GraphModule:
    return trace(Pooled().eval(), torch.zeros(1, 14, 14, 3, dtype=torch.uint8), OUTPUTS, any_batch=False)
