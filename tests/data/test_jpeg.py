"""Check compression against kornia's codec, which it follows, and against Pillow's files, which both imitate."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from imageqx_export.data.jpeg import recompress
from imageqx_export.data.skin import Placement
from imageqx_export.data.synthetic import draw_scene


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    rng = np.random.default_rng(0)
    where = Placement(0.5, 0.5, 0.5)
    synthetic = [draw_scene(rng, label, where, 96, tone) for label in ("lesion", "no_skin") for tone in (0, 3, 5)]
    return torch.from_numpy(np.stack(synthetic)).permute(0, 3, 1, 2).float() / 255


def kornias(pictures: Tensor, quality: Tensor) -> Tensor:
    from kornia.enhance import jpeg_codec_differentiable

    decoded: Tensor = jpeg_codec_differentiable(pictures, quality)
    return decoded.clamp(0, 1)


def unlike(one: Tensor, other: Tensor) -> float:
    """Return the share of values that are more than a fifth of a level apart.

    A coefficient half-way between two steps may be rounded to either, so that no tolerance holds for all of a block.
    """
    return float(((one - other).abs() > 0.2 / 255).float().mean())


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(2, 95), min_size=6, max_size=6))
def test_it_is_kornias_codec(pictures: Tensor, quality: list[int]) -> None:
    at = torch.tensor(quality, dtype=torch.float32)
    assert unlike(recompress(pictures, at), kornias(pictures, at)) < 0.01
    assert unlike(recompress(pictures, at), kornias(pictures, at + 4)) > 0.2  # the comparison can fail


@pytest.mark.parametrize("size", [16, 48, 224])
def test_it_is_kornias_codec_in_every_size_up_to_the_border(size: int) -> None:
    draw_noise = torch.rand((4, 3, size, size), generator=torch.Generator().manual_seed(size))
    quality = torch.tensor([8.0, 22, 49, 75])
    ours, theirs = recompress(draw_noise, quality), kornias(draw_noise, quality)
    border = torch.ones(size, size, dtype=torch.bool)
    border[1:-1, 1:-1] = False
    assert unlike(ours, theirs) < 0.01
    assert unlike(ours[..., border], theirs[..., border]) < 0.01


@pytest.mark.parametrize("quality", [10, 30, 60, 90])
def test_it_is_close_to_a_file(pictures: Tensor, quality: int) -> None:
    ours = recompress(pictures, torch.full((6,), float(quality)))
    for before, after in zip(pictures, ours, strict=True):
        buffer = io.BytesIO()
        pixels = (before.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
        file = torch.from_numpy(np.array(Image.open(buffer))).permute(2, 0, 1) / 255
        lost = (file - before).square().mean()
        # It loses what a file loses and little else: rounding is smooth, so that some small coefficients stay.
        assert (file - after).square().mean() < 0.5 * lost


def test_a_sample_does_not_depend_on_its_neighbours(pictures: Tensor) -> None:
    quality = torch.tensor([5.0, 20, 40, 60, 80, 95])
    together = recompress(pictures, quality)
    alone = torch.cat([recompress(pictures[i : i + 1], quality[i : i + 1]) for i in range(6)])
    assert unlike(together, alone) < 0.001


def test_a_picture_of_one_colour_stays_as_it_is() -> None:
    # 128 is a multiple of every step; half a level of colour is lost before the steps, as kornia does.
    grey = torch.full((1, 3, 32, 32), 128 / 255)
    assert float((recompress(grey, torch.tensor([50.0])) - grey).abs().max()) < 2 / 255
    assert float((recompress(grey * 0.3, torch.tensor([2.0])) - grey * 0.3).abs().max()) > 2 / 255


def test_the_input_is_not_changed(pictures: Tensor) -> None:
    before = pictures.clone()
    recompress(pictures, torch.full((6,), 30.0))
    assert torch.equal(before, pictures)
