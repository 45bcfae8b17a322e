"""The first convolution on bytes, against one on normalised pixels."""

from __future__ import annotations

import numpy as np
import onnx.parser
import onnx.reference
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from imageqx_export.artifact import Preprocessing
from imageqx_export.quantize.calibration.ranges import make_pixel_scale
from imageqx_export.quantize.graph.simulate import round_activation
from imageqx_export.quantize.rewrites.entry import ENTRY, PIXEL_STEP, PixelEntry

SIZE = Preprocessing().height


def stages(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Tanh())).requires_grad_(False)


def photos(seed: int, count: int = 2) -> Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 256, (count, 3, SIZE, SIZE)).astype(np.float32))


@settings(max_examples=10, deadline=None)
@given(
    st.integers(0, 1000),
    st.lists(st.floats(0, 255), min_size=3, max_size=3),
    st.lists(st.floats(20, 120), min_size=3, max_size=3),
)
def test_it_is_the_convolution_of_normalised_pixels(seed: int, mean: list[float], std: list[float]) -> None:
    first, pixels = stages(seed), photos(seed)
    m, s = (torch.tensor(values)[None, :, None, None] for values in (mean, std))
    want = first((pixels - m) / s)
    torch.testing.assert_close(PixelEntry(first, m, s, (1, 224, 224))(pixels), want, rtol=0, atol=2e-5)


def test_another_colour_around_the_picture_would_be_seen_at_its_edges_alone() -> None:
    mean, std = torch.full((1, 3, 1, 1), 120.0), torch.full((1, 3, 1, 1), 60.0)
    first, pixels = stages(0), photos(0)
    want = first((pixels - mean) / std)
    entry = PixelEntry(first, mean, std, (1, 224, 224))
    entry.above.zero_()
    entry.left.zero_()
    far = (entry(pixels) - want).abs()
    assert far[:, :, 0].max() > 0.05 and far[:, :, :, 0].max() > 0.05
    assert far[:, :, 1:, 1:].max() < 1e-5, "the last row and column need no frame"


def test_restored_the_weights_are_what_they_were() -> None:
    first = stages(3)
    conv = first[0][0]  # type: ignore[index]
    weight, bias = conv.weight.clone(), conv.bias.clone()
    mean, std = torch.tensor([124.0, 116.0, 104.0]), torch.tensor([58.0, 57.0, 57.4])
    entry = PixelEntry(first, mean[None, :, None, None], std[None, :, None, None], (1, 224, 224))
    assert conv.padding == (0, 0) and not torch.allclose(conv.weight, weight)
    entry.restore()
    assert conv.padding == (1, 1)
    torch.testing.assert_close(conv.weight, weight, rtol=1e-6, atol=0)
    torch.testing.assert_close(conv.bias, bias, rtol=0, atol=1e-5)


def test_every_byte_is_an_integer_of_its_own() -> None:
    row, bytes_ = make_pixel_scale(ENTRY), torch.arange(256.0)
    assert (row.scale, row.zero_point) == (PIXEL_STEP, -128)
    assert torch.equal(round_activation(bytes_ * PIXEL_STEP, row), bytes_ * PIXEL_STEP)
    model = onnx.parser.parse_model(
        '<ir_version: 9, opset_import: ["": 19]> g (float[256] x, float s, int8 z) => (int8[256] y) '
        "{ y = QuantizeLinear(x, s, z) }"
    )
    inputs = {"x": (bytes_ * PIXEL_STEP).numpy(), "s": np.float32(row.scale), "z": np.int8(row.zero_point)}
    (integers,) = onnx.reference.ReferenceEvaluator(model).run(None, inputs)
    np.testing.assert_array_equal(integers, np.arange(-128, 128))


@pytest.mark.parametrize("channel", range(3))
def test_the_frame_rounds_to_the_level_next_to_the_mean_colour(channel: int) -> None:
    mean = 255 * Preprocessing().mean[channel]
    rounded = float(round_activation(torch.tensor(mean * PIXEL_STEP), make_pixel_scale(ENTRY))) / PIXEL_STEP
    assert rounded == (124, 116, 104)[channel] and abs(rounded - mean) <= 0.5
