"""What light, blur and resolution do, against NumPy's arithmetic, SciPy's convolution, Pillow's codec and filters."""

from __future__ import annotations

import io
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from imageqx_export.data.bank import SIDE, Bank
from imageqx_export.data.degradations import blur, change_light, reduce_resolution
from imageqx_export.data.scenes import render_scenes

Array = NDArray[Any]

BILINEAR, NEAREST = Image.Resampling.BILINEAR, Image.Resampling.NEAREST


@pytest.fixture(scope="module")
def scenes() -> Bank:
    return render_scenes(21, 17, varied=False)


@pytest.fixture(scope="module")
def photo(scenes: Bank) -> Array:
    """Give one sharp scene with fine noise on it, so that there is something to lose."""
    noise = np.random.default_rng(4).normal(0, 6, (SIDE, SIDE, 1))
    return np.asarray(np.clip(scenes.images[0] + noise, 0, 255).astype(np.uint8))


def planes(*photos: Array) -> torch.Tensor:
    return torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2).float() / 255


def levels(picture: torch.Tensor) -> Array:
    return np.asarray(picture.mul(255).permute(0, 2, 3, 1).numpy(), np.float64)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(5)


# Light


def lit(color: tuple[int, int, int], *plan: float, size: int = 16) -> Array:
    picture = torch.tensor(color, dtype=torch.float32).view(1, 3, 1, 1).expand(1, 3, size, size) / 255
    return np.asarray(change_light(picture, torch.tensor([plan]), generator())[0].permute(1, 2, 0).numpy(), np.float64)


@pytest.mark.parametrize("color", [(0, 1, 2), (200, 150, 120), (255, 30, 128)])
@pytest.mark.parametrize("gains", [(1, 1, 1, 1, 1), (0.14, 1, 1, 1, 1), (3.2, 1, 1, 1, 1), (1, 1, 0.6, 0.2, 1.5)])
def test_light_is_linear_at_a_gamma_of_2_2(color: tuple[int, int, int], gains: tuple[float, ...]) -> None:
    gain, red, green, blue, after = gains
    linear = [
        (value / 255) ** 2.2 * gain * factor * after for value, factor in zip(color, (red, green, blue), strict=True)
    ]
    expected = np.minimum(linear, 1) ** (1 / 2.2)
    made = lit(color, gain, red, green, blue, 0, after, 0)
    np.testing.assert_allclose(made, np.broadcast_to(expected, made.shape), atol=2e-6)


def test_less_light_is_darker_and_more_is_brighter() -> None:
    means = [lit((200, 150, 120), gain, 1, 1, 1, 0, 1, 0).mean() for gain in (0.02, 0.14, 0.6, 1, 1.35, 3.2, 8)]
    assert all(np.diff(means) > 0.01)


def test_a_shadow_darkens_a_part_of_the_picture() -> None:
    bright, previous = (200 / 255) ** 2.2, np.inf
    for shade in (0.3, 0.88, 0.98):
        linear = lit((200, 200, 200), 1, 1, 1, 1, shade, 1, 0, size=64)[..., 0] ** 2.2
        assert linear.max() <= bright + 1e-6 and linear.max() > 0.9 * bright  # some of it lies in the light
        assert bright * (1 - shade) - 1e-6 <= linear.min() < previous  # and none is darker than a full shadow
        previous = linear.min()
    assert previous < 0.1 * bright


def test_grain_has_the_deviation_that_is_asked_for() -> None:
    linear = lit((128, 128, 128), 1, 1, 1, 1, 0, 1, 0.01, size=128) ** 2.2
    assert abs(linear.std() / 0.01 - 1) < 0.05 and abs(linear.mean() - (128 / 255) ** 2.2) < 2e-4
    assert lit((128, 128, 128), 1, 1, 1, 1, 0, 1, 0, size=128).std() == 0


def test_light_leaves_other_samples_alone() -> None:
    picture = torch.full((3, 3, 16, 16), 0.5)
    plans = torch.tensor([[1.0, 1, 1, 1, 0, 1, 0], [0.2, 1, 1, 1, 0.5, 1, 0.001], [1, 1, 1, 1, 0, 1, 0]])
    made = change_light(picture, plans, generator())
    assert torch.allclose(made[[0, 2]], picture[[0, 2]], atol=1e-6)
    assert (made[1] < 0.5).all() and torch.equal(picture, torch.full_like(picture, 0.5))


# Blur


def disc(radius: float) -> Array:
    """Draw a disc by asking 31 × 31 points in each pixel whether they lie inside."""
    reach = int(np.ceil(radius)) + 1
    points = (np.arange((2 * reach + 1) * 31) + 0.5) / 31 - reach - 0.5
    inside = np.hypot(points[:, None], points[None]) <= radius
    kernel = inside.reshape(2 * reach + 1, 31, 2 * reach + 1, 31).mean((1, 3))
    return np.asarray(kernel / kernel.sum())


def line(length: float, angle: float, bend: float = 0) -> Array:
    """Draw a line of 4,001 points, each shared among the four pixels around it; it turns by ``bend`` on its way."""
    reach = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * reach + 2, 2 * reach + 2))
    for along in np.linspace(-length / 2, length / 2, 4001):
        turned = angle + bend * along / length
        x, y = along * np.cos(turned) + reach, along * np.sin(turned) + reach
        column, row = int(np.floor(x)), int(np.floor(y))
        for i, down in ((row, 1 - (y - row)), (row + 1, y - row)):
            for j, right in ((column, 1 - (x - column)), (column + 1, x - column)):
                kernel[i, j] += down * right
    return np.asarray(kernel[:-1, :-1] / kernel.sum())


def blurred(photo: Array, *plan: float) -> Array:
    """Blur by a plan whose extent is given in the photo's own pixels."""
    kind, extent, *rest = plan
    made = levels(blur(planes(photo), torch.tensor([[kind, extent * 256 / len(photo), *rest]])))
    return np.asarray(made[0])


def convolved(photo: Array, kernel: Array) -> Array:
    return np.stack([ndimage.convolve(photo[..., c].astype(float), kernel, mode="mirror") for c in range(3)], 2)


@pytest.mark.parametrize("radius", [1.5, 2.6, 4.0, 6.1])
def test_an_unfocused_lens_is_a_disc(photo: Array, radius: float) -> None:
    made, reference = blurred(photo, 1, radius, 0, 0), convolved(photo, disc(radius))
    lost = np.abs(reference - photo).mean()
    assert np.abs(made - reference).mean() < 0.06 * lost
    assert np.abs(made - convolved(photo, disc(radius * 1.5))).mean() > 2 * np.abs(made - reference).mean()


@pytest.mark.parametrize("angle", [0.0, 0.6, np.pi / 2, 2.5])
@pytest.mark.parametrize("length", [2.2, 9.0, 20.0])
def test_a_moving_hand_is_a_line(photo: Array, length: float, angle: float) -> None:
    made, reference = blurred(photo, 2, length, angle, 0), convolved(photo, line(length, angle))
    assert np.abs(made - reference).mean() < 0.06 * np.abs(reference - photo).mean()
    across = convolved(photo, line(length, angle + np.pi / 2))
    assert np.abs(made - across).mean() > 4 * np.abs(made - reference).mean()


@pytest.mark.parametrize("plan", [(1, 0.7, 0, 0), (1, 6.5, 0, 0), (2, 9, 0.7, 0.4), (2, 24, 2, -0.3)])
def test_kernels_sum_to_1_and_reach_as_far_as_asked(plan: tuple[float, ...]) -> None:
    point = np.zeros((65, 65, 3), np.uint8)
    point[32, 32] = 255
    spread = blurred(point, *plan)[..., 0] / 255
    assert spread.sum() == pytest.approx(1, abs=1e-5) and spread.min() >= 0
    rows, columns = np.nonzero(spread > 1e-6)
    reach = np.hypot(rows - 32, columns - 32).max()
    half = plan[1] if plan[0] == 1 else plan[1] / 2
    assert half - 1 <= reach <= half + 1.5  # a pixel at most on the border of either


def test_a_bent_line_turns_on_its_way(photo: Array) -> None:
    made = blurred(photo, 2, 20, 0.6, 0.8)
    # A bent line is not the same from behind, so convolution and correlation differ; either is a hand's movement.
    bent, straight = (
        np.stack([ndimage.correlate(photo[..., c].astype(float), kernel, mode="mirror") for c in range(3)], 2)
        for kernel in (line(20, 0.6, 0.8), line(20, 0.6))
    )
    assert np.abs(made - bent).mean() < 0.06 * np.abs(bent - photo).mean()
    assert np.abs(made - straight).mean() > 3 * np.abs(made - bent).mean()


@pytest.mark.parametrize("extents", [(1, (0.3, 0.7, 2.6, 7)), (2, (1, 2.2, 9, 26))])
def test_energy_falls_with_severity(photo: Array, extents: tuple[int, tuple[float, ...]]) -> None:
    kind, steps = extents
    made = blur(planes(*[photo] * 4), torch.tensor([[float(kind), step, 0.8, 0.1] for step in steps]))
    sharpness = [ndimage.laplace(one.mean(2)).var() for one in levels(made)]
    assert all(after < before for before, after in itertools.pairwise(sharpness))
    assert sharpness[2] < 0.1 * ndimage.laplace(photo.astype(float).mean(2)).var()


def test_kind_0_leaves_the_picture_as_it_is(photo: Array) -> None:
    given = planes(photo, photo)
    made = blur(given, torch.tensor([[0.0, 7, 1, 0.2], [1, 7, 1, 0.2]]))
    assert torch.equal(made[0], given[0]) and not torch.equal(made[1], given[1])
    assert torch.equal(given, planes(photo, photo))


# Resolution


def stored(photo: Array, quality: int) -> Array:
    """Compress with Pillow's libjpeg and decode again."""
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), np.float64)


def lowered(photo: Array, *plan: float) -> Array:
    made = levels(reduce_resolution(planes(photo), torch.tensor([plan], dtype=torch.float32)))
    return np.asarray(made[0])


@pytest.mark.parametrize("quality", [2, 8, 22, 50, 75])
@pytest.mark.parametrize("number", [0, 2])
def test_compression_is_jpegs(scenes: Bank, quality: int, number: int) -> None:
    image = scenes.images[number]
    made, reference = lowered(image, 256, quality, 0), stored(image, quality)
    assert np.abs(made - reference).mean() < 3
    if quality <= 22:
        assert np.abs(made - reference).mean() < 0.6 * np.abs(made - image).mean()
        others = (2, 8, 22, 50)
        nearest = min(others, key=lambda other: np.abs(made - stored(image, other)).mean())
        assert nearest == quality


@pytest.mark.parametrize("pixels", [32, 64, 170])
@pytest.mark.parametrize(("blocky", "enlarge"), [(0, BILINEAR), (1, NEAREST)])
def test_shrinking_and_enlarging_are_pillows(photo: Array, pixels: int, blocky: int, enlarge: Any) -> None:
    side = round(pixels * SIDE / 256)
    small = Image.fromarray(photo).resize((side, side), BILINEAR)
    reference = np.asarray(small.resize((SIDE, SIDE), enlarge), np.float64)
    off = np.abs(lowered(photo, pixels, 100, blocky) - reference)
    assert off.max() < 2 and off.mean() < 0.5  # Pillow rounds three times
    assert np.abs(reference - photo).mean() > 5 * off.mean()


@pytest.mark.parametrize("quality", [10, 40])
def test_a_thumbnail_is_compressed_while_it_is_small(scenes: Bank, quality: int) -> None:
    image = scenes.images[0]
    side = round(100 * SIDE / 256)
    small = np.asarray(Image.fromarray(image).resize((side, side), BILINEAR))
    reference = Image.fromarray(stored(small, quality).astype(np.uint8)).resize((SIDE, SIDE), BILINEAR)
    wrong_order = Image.fromarray(stored(image, quality).astype(np.uint8)).resize((side, side), BILINEAR)
    wrong_order = wrong_order.resize((SIDE, SIDE), BILINEAR)
    made = lowered(image, 100, quality, 0)
    off = np.abs(made - np.asarray(reference, np.float64)).mean()
    assert off < 3 and off < 0.8 * np.abs(made - np.asarray(wrong_order, np.float64)).mean()


@pytest.mark.parametrize("blocky", [0, 1])
def test_256_pixels_uncompressed_is_the_picture_itself(photo: Array, blocky: int) -> None:
    given = planes(photo)
    assert torch.equal(reduce_resolution(given, torch.tensor([[256.0, 100, blocky]])), given)


def test_resolution_treats_each_sample_by_its_own_row(photo: Array) -> None:
    rows = [(256, 100, 0), (64, 100, 0), (256, 20, 0), (64, 20, 1), (256, 100, 1)]
    together = levels(reduce_resolution(planes(*[photo] * 5), torch.tensor(rows, dtype=torch.float32)))
    for one, row in zip(together, rows, strict=True):
        np.testing.assert_allclose(one, lowered(photo, *row), atol=0.01)


def test_detail_falls_with_severity(photo: Array) -> None:
    def detail(picture: Array) -> float:
        """Return the power above a quarter of the sampling rate."""
        power = np.abs(np.fft.fft2(picture.mean(2) - picture.mean())) ** 2
        rows, columns = np.fft.fftfreq(len(power))[:, None], np.fft.fftfreq(len(power))[None]
        return float(power[np.hypot(rows, columns) > 0.25].sum())

    measured = [detail(lowered(photo, *row)) for row in ((256, 100, 0), (170, 75, 0), (64, 22, 0), (32, 8, 0))]
    assert measured == sorted(measured, reverse=True) and measured[2] < 0.1 * measured[0]
