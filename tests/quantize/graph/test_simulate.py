"""Rounding against PyTorch's own operations, and what observing leaves out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from imageqx_export.quantize.calibration.observe import collect_histograms
from imageqx_export.quantize.graph.simulate import round_activation, round_weights
from imageqx_export.quantize.recipe import ActivationScale, WeightScales
from tests.quantize.tiny_network import TinySubject, subject

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")


@pytest.fixture(scope="module")
def tiny() -> TinySubject:
    return subject()


@settings(max_examples=50, deadline=None)
@given(st.floats(2.0**-12, 8, width=32), st.integers(-128, 127), st.integers(0, 2**31))
def test_activations_are_rounded_as_fake_quantize_does(scale: float, zero_point: int, seed: int) -> None:
    values = 3 * torch.randn(4000, generator=torch.Generator().manual_seed(seed))
    row = ActivationScale(tensor="x", scale=scale, zero_point=zero_point, observer="mse")
    got = round_activation(values, row)
    want = torch.fake_quantize_per_tensor_affine(values, scale, zero_point, -128, 127)
    off = (got - want).abs() > 1e-6 * scale
    # Only where a value lies half-way between two steps, to float32's rounding.
    ties = ((values / scale) % 1 - 0.5).abs() < 1e-4 * (1 + (values / scale).abs())
    assert not (off & ~ties).any() and off.float().mean() < 0.01
    assert ((got - want).abs() < 1.01 * scale).all()
    assert len(np.unique(got.numpy())) <= 256 and round_activation(torch.zeros(1), row).item() == 0


def test_weights_are_rounded_per_channel(tiny: TinySubject) -> None:
    program = tiny.capture_program()
    rows = [row for row in tiny.recipe.weights if row.tensor == "two:conv"]
    [(name, got)] = round_weights(program, rows).items()
    weight = dict(program.named_parameters())[name].detach().numpy()
    scales = np.array(rows[0].scales, np.float32)[:, None, None, None]
    np.testing.assert_allclose(got.numpy(), np.clip(np.rint(weight / scales), -127, 127) * scales, rtol=1e-6)
    assert name == "two.weight" and not np.array_equal(got.numpy(), weight)


def test_a_weight_on_its_grid_stays_as_it_is(tiny: TinySubject) -> None:
    program = tiny.capture_program()
    weight = dict(program.named_parameters())["two.weight"]
    with torch.no_grad():
        weight.copy_(torch.randint(-127, 128, weight.shape) / 128)
    row = WeightScales(tensor="two:conv", scales=(1 / 128,) * 6, observer="minmax")
    assert torch.equal(round_weights(program, [row])["two.weight"], weight)


def test_observing_counts_some_and_skips_what_it_is_told(tiny: TinySubject) -> None:
    program, pixels = tiny.capture_program(), tiny.photos.pixels
    full = collect_histograms(program, pixels)
    some = collect_histograms(program, pixels, every=5, skip={"act:sigmoid"})
    assert "act:sigmoid" in full and "act:sigmoid" not in some
    for name, row in some.items():
        assert (row.low, row.high) == (full[name].low, full[name].high)
        assert row.counts.sum() == pytest.approx(full[name].counts.sum() / 5, rel=0.01) or row.counts.sum() < 200
    shares = [np.cumsum(seen["one:conv"].counts) / seen["one:conv"].counts.sum() for seen in (full, some)]
    assert np.abs(shares[0] - shares[1]).max() < 0.1
