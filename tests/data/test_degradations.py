"""Degradations, each measured with a yardstick that shares nothing with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from imageqx_export.data import degradations
from imageqx_export.data.degradations import MILD, STRONG
from imageqx_export.data.synthetic import Placement, scene

Array = NDArray[Any]

STEPS = (0.0, MILD, STRONG, 1.0)


@pytest.fixture(scope="module")
def photos() -> list[Array]:
    """Give sharp scenes with a little sensor noise, so that there is something to lose."""
    made = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        picture = scene(rng, "lesion", Placement(0.5, 0.5, 0.4)) + rng.normal(0, 6, (256, 256, 1))
        made.append(np.clip(picture, 0, 255).astype(np.uint8))
    return made


def spoilt(name: str, photo: Array, severity: float, seed: int) -> Array:
    return degradations.PIXELWISE[name](np.random.default_rng(seed), photo, severity)


def sharpness(photo: Array) -> float:
    """Return the variance of the Laplacian, the usual measure of focus."""
    return float(ndimage.laplace(photo.astype(float).mean(2)).var())


def detail(photo: Array) -> float:
    """Return the power above half of the Nyquist frequency."""
    grey = photo.astype(float).mean(2)
    power = np.abs(np.fft.fft2(grey - grey.mean())) ** 2
    rows, columns = np.fft.fftfreq(grey.shape[0])[:, None], np.fft.fftfreq(grey.shape[1])[None]
    return float(power[np.hypot(rows, columns) > 0.25].sum() / grey.size**2)


def linear(photo: Array) -> Array:
    """Return linear light by sRGB's own curve."""
    share = photo / 255
    return np.asarray(np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4))


@pytest.mark.parametrize("name", degradations.PIXELWISE)
@pytest.mark.parametrize("seed", range(6))
def test_severity_0_barely_changes_the_photo(photos: list[Array], name: str, seed: int) -> None:
    for photo in photos[:2]:
        changed = spoilt(name, photo, 0.0, seed)
        assert changed.shape == photo.shape and changed.dtype == np.uint8
        assert np.abs(changed.astype(float) - photo).mean() < 4
        assert np.abs(spoilt(name, photo, 1.0, seed).astype(float) - photo).mean() > 4


@pytest.mark.parametrize("name", degradations.PIXELWISE)
def test_a_seed_gives_the_picture_and_the_photo_stays(photos: list[Array], name: str) -> None:
    before = photos[0].copy()
    assert np.array_equal(spoilt(name, photos[0], 0.8, 3), spoilt(name, photos[0], 0.8, 3))
    assert np.array_equal(before, photos[0])
    assert len({spoilt(name, photos[0], 0.8, seed).tobytes() for seed in range(8)}) > 1


@pytest.mark.parametrize("seed", range(8))
def test_blur_lowers_sharpness_step_by_step(photos: list[Array], seed: int) -> None:
    for photo in photos:
        measured = [sharpness(spoilt("blurry", photo, severity, seed)) for severity in STEPS]
        assert measured == sorted(measured, reverse=True)
        assert measured[2] < 0.25 * sharpness(photo) and measured[3] < measured[1]


@pytest.mark.parametrize("seed", range(12))
def test_low_resolution_removes_detail(photos: list[Array], seed: int) -> None:
    for photo in photos:
        measured = [detail(spoilt("low_resolution", photo, severity, seed)) for severity in STEPS]
        assert measured[2] < 0.75 * detail(photo) and measured[2] < measured[0]
        assert measured[0] > 0.6 * detail(photo)


def light_changes(severity: float, seed: int) -> set[str]:
    """Say what bad light does to a grey card, from its mean, its channels and its corners."""
    card = np.full((128, 128, 3), 120, np.uint8)
    after, before = linear(spoilt("bad_light", card, severity, seed)), float(linear(card).mean())
    channels = after.mean((0, 1))
    blocks = after.mean(2).reshape(8, 16, 8, 16).mean((1, 3))
    return {
        name
        for name, holds in {
            "cast": channels.max() / channels.min() > 1.6,
            "shadow": np.quantile(blocks, 0.9) / max(float(np.quantile(blocks, 0.1)), 1e-6) > 1.9,
            "dark": after.mean() < 0.3 * before,
            "bright": after.mean() > 2 * before,
        }.items()
        if holds
    }


def test_bad_light_shows_on_a_grey_card() -> None:
    seen = [light_changes(STRONG, seed) for seed in range(40)]
    assert all(seen), "a strong change of light that no yardstick sees"
    assert set().union(*seen) == {"cast", "shadow", "dark", "bright"}
    assert not any(light_changes(severity, seed) for severity in (0.0, MILD) for seed in range(40))


@given(seed=st.integers(0, 2**32), off=st.floats(STRONG, 1), distance=st.floats(0, 1))
def test_strong_bad_framing_puts_the_centre_off_the_frame(seed: int, off: float, distance: float) -> None:
    where = degradations.place(np.random.default_rng(seed), off, distance)
    assert max(abs(where.x - 0.5), abs(where.y - 0.5)) >= 0.5 - 1e-9


@given(seed=st.integers(0, 2**32), off=st.floats(0, MILD), distance=st.floats(0, 1))
def test_mild_framing_keeps_the_subject_whole(seed: int, off: float, distance: float) -> None:
    where = degradations.place(np.random.default_rng(seed), off, distance)
    assert max(abs(where.x - 0.5), abs(where.y - 0.5)) + where.scale / 2 <= 0.5


@given(seed=st.integers(0, 2**32), off=st.floats(0, 1), near=st.floats(0, 0.95))
def test_distance_shrinks_the_subject(seed: int, off: float, near: float) -> None:
    one = degradations.place(np.random.default_rng(seed), off, near)
    other = degradations.place(np.random.default_rng(seed), off, near + 0.05)
    assert 0.025 - 1e-9 <= other.scale < one.scale <= 0.45 + 1e-9
    assert degradations.place(np.random.default_rng(seed), 0, near)[:2] == (0.5, 0.5)


def composed(off: float, distance: float, seed: int) -> Array:
    """Compose a white photo on black and return how white each pixel is."""
    photo, behind = np.full((200, 260, 3), 255, np.uint8), np.zeros((256, 256, 3), np.uint8)
    made = degradations.compose(np.random.default_rng(seed), photo, behind, off, distance)
    return np.asarray(made.astype(float).mean(2) / 255)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_composing_moves_and_shrinks_the_photo(seed: int) -> None:
    areas = [float(composed(0, distance, seed).mean()) for distance in STEPS]
    assert areas == sorted(areas, reverse=True) and areas[0] > 0.6 and areas[2] < 0.35**2 * 1.1
    x, y = ndimage.center_of_mass(composed(0, MILD, seed))
    assert abs(x - 127.5) < 6 and abs(y - 127.5) < 6
    whole, cut = composed(0, MILD, seed).mean(), composed(STRONG, MILD, seed).mean()
    assert cut < 0.75 * whole, "half of a badly framed photo should be off the frame"
