"""Scales and zero points against PyTorch's own observers."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.ao.quantization import MinMaxObserver, PerChannelMinMaxObserver

from imageqx_export.quantize.calibration.ranges import choose_weight_scales, make_activation_scale, make_sigmoid_scale


@given(st.floats(-1e3, 0, width=32), st.floats(2**-10, 1e3, width=32))
def test_activations_as_pytorchs_observer(low: float, high: float) -> None:
    theirs = MinMaxObserver(
        dtype=torch.qint8, qscheme=torch.per_tensor_affine, quant_min=-128, quant_max=127, eps=1e-30
    )
    theirs(torch.tensor([low, high]))
    scale, zero_point = theirs.calculate_qparams()
    ours = make_activation_scale("x", (low, high), "minmax")
    assert float(scale) * (1 - 1e-6) <= ours.scale <= float(scale) * (1 + 2**-10) + 2**-24
    assert ours.scale == float(np.float16(ours.scale)), "Core ML's float16 holds it"
    assert abs(ours.zero_point - int(zero_point)) <= 1  # halves are rounded either way
    # The defining properties: 0 is exact, and both ends are within half a step.
    for end in (low, high):
        assert -128.51 <= end / ours.scale + ours.zero_point <= 127.51


def test_weights_as_pytorchs_observer() -> None:
    weight = torch.randn(7, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    theirs = PerChannelMinMaxObserver(
        ch_axis=0, dtype=torch.qint8, qscheme=torch.per_channel_symmetric, quant_min=-127, quant_max=127
    )
    theirs(weight)
    ours, scales = torch.tensor(choose_weight_scales("w", weight).scales), theirs.calculate_qparams()[0]
    torch.testing.assert_close(ours, scales, rtol=2**-10, atol=0)
    assert (ours >= scales * (1 - 1e-6)).all() and torch.equal(ours, ours.half().float())


def test_mse_weights_are_nearer_than_minmax() -> None:
    weight = torch.randn(5, 400, generator=torch.Generator().manual_seed(0)) ** 3

    def error(observer: str) -> torch.Tensor:
        scales = torch.tensor(choose_weight_scales("w", weight, observer).scales)
        again = torch.fake_quantize_per_channel_affine(weight, scales, torch.zeros(5, dtype=torch.int32), 0, -127, 127)
        return ((again - weight) ** 2).sum(1)

    assert (error("mse") <= error("minmax") * (1 + 1e-5)).all()
    assert (error("mse") < error("minmax")).any()


def test_a_channel_of_zeros_has_a_scale() -> None:
    assert all(scale > 0 for scale in choose_weight_scales("w", torch.zeros(2, 4)).scales)


def test_sigmoids_scale_is_tflites() -> None:
    row = make_sigmoid_scale("s")
    assert (row.scale, row.zero_point, row.observer) == (1 / 256, -128, "fixed")
