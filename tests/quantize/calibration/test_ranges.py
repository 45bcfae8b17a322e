"""Scales and zero points against PyTorch's own observers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch.ao.quantization import MinMaxObserver, PerChannelMinMaxObserver

from imageqx_export.errors import ConversionError
from imageqx_export.quantize.calibration.ranges import choose_weight_scales, make_activation_scale, make_sigmoid_scale
from imageqx_export.quantize.model import QuantizedModel
from imageqx_export.quantize.plan import make_w8a8_recipe
from imageqx_export.runtimes.torch import TorchRuntime
from tests.networks.toy import SIZE, SPEC, Toy, toy


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


def dead_channel() -> tuple[Toy, NDArray[np.uint8]]:
    """Return a network with a channel of weights that are nearly 0, as pruning leaves them, and a bias of 3."""
    network = toy()
    conv = network.features.get_submodule("1.0")
    with torch.no_grad():
        conv.get_parameter("weight")[0] = 1e-9
        conv.get_parameter("bias")[0] = 3.0
    return network, np.random.default_rng(0).integers(0, 256, (256, SIZE.height, SIZE.width, 3), np.uint8)


def test_the_bias_of_a_dead_channel_fits_int32() -> None:
    network, pixels = dead_channel()
    model = QuantizedModel(network, make_w8a8_recipe(network, "ab" * 32, pixels, "noise", narrowed=0))
    floats = TorchRuntime(network, SPEC).run(pixels[:8])["good"]
    assert np.abs(model.run(pixels[:8])["good"] - floats).max() < 0.02
    (weight,) = (w for w in model.weights() if w.tensor.startswith("late"))
    assert weight.bias is not None and 2**29 < weight.bias[0] <= 2**30


def test_a_bias_that_does_not_fit_is_refused_by_name() -> None:
    network, pixels = dead_channel()
    recipe = make_w8a8_recipe(network, "ab" * 32, pixels, "noise", narrowed=0)
    rows = [
        row.model_copy(update={"scales": (2.0**-24, *row.scales[1:])}) if row.tensor.startswith("late") else row
        for row in recipe.weights
    ]
    with pytest.raises(ConversionError, match="a bias does not fit int32") as caught:
        QuantizedModel(network, recipe.model_copy(update={"weights": tuple(rows)})).weights()
    assert caught.value.where == "late.0:conv, channel 0"
