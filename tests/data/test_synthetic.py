"""Synthetic scenes: tones, places and determinism."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from imageqx_export.data.skin import FITZPATRICK, Placement, draw_blob, draw_lesion, draw_noise, draw_skin
from imageqx_export.data.synthetic import SceneClass, draw_limb, draw_scene

Array = NDArray[Any]
CLASSES: tuple[SceneClass, ...] = ("lesion", "no_skin", "healthy_skin")


def luminance(picture: Array) -> float:
    return float((picture.mean((0, 1)) / 255) @ np.array([0.2126, 0.7152, 0.0722]))


def test_skin_darkens_from_type_to_type() -> None:
    means = [
        np.mean([luminance(draw_skin(np.random.default_rng(seed), 48, tone)) for seed in range(24)])
        for tone in range(6)
    ]
    assert all(lighter - darker > 0.03 for lighter, darker in itertools.pairwise(means))
    assert means[0] > 0.7 and means[5] < 0.25
    red, green, blue = FITZPATRICK.T
    assert (red > green).all() and (green > blue).all()


@pytest.mark.parametrize("label", CLASSES)
@pytest.mark.parametrize("size", [64, 256])
def test_a_seed_gives_the_scene(label: SceneClass, size: int) -> None:
    def drawn(seed: int) -> Array:
        return draw_scene(np.random.default_rng(seed), label, Placement(0.4, 0.6, 0.3), size)

    assert drawn(1).shape == (size, size, 3) and drawn(1).dtype == np.uint8
    assert np.array_equal(drawn(1), drawn(1))
    assert not np.array_equal(drawn(1), drawn(2))
    assert drawn(1).std() > 1


def test_no_skin_has_no_subject() -> None:
    one, other = (
        draw_scene(np.random.default_rng(4), "no_skin", where) for where in (Placement(0, 0, 1), Placement(1, 1, 0.1))
    )
    assert np.array_equal(one, other)


@pytest.mark.parametrize("cells", [2, 9, 40])
def test_noise_is_normed_and_as_fine_as_asked(cells: int) -> None:
    made = draw_noise(np.random.default_rng(cells), 128, cells)
    assert made.shape == (128, 128, 1) and abs(made.mean()) < 1e-4 and abs(made.std() - 1) < 1e-4
    finer = draw_noise(np.random.default_rng(cells), 128, 2 * cells)
    assert np.abs(np.diff(finer[..., 0])).mean() > 1.2 * np.abs(np.diff(made[..., 0])).mean()


@pytest.mark.parametrize("seed", range(6))
def test_a_blob_lies_where_it_is_put(seed: int) -> None:
    where = Placement(0.35, 0.6, 0.3)
    mask = draw_blob(np.random.default_rng(seed), 128, where, 0.2)[..., 0]
    row, column = ndimage.center_of_mass(mask)
    assert abs(column / 128 - where.x) < 0.05 and abs(row / 128 - where.y) < 0.05
    assert 0.5 < np.sqrt(mask.mean() * 4 / np.pi) / where.scale < 1.5
    assert mask.min() >= 0 and mask.max() <= 1


@pytest.mark.parametrize("seed", range(8))
def test_a_lesion_lies_where_it_is_put(seed: int) -> None:
    bare = draw_skin(np.random.default_rng(seed), 128, seed % 6)
    where = Placement(0.65, 0.4, 0.3)
    synthetic = draw_lesion(np.random.default_rng(100 + seed), bare.copy(), where)
    change = np.abs(synthetic - bare).mean(2)
    row, column = ndimage.center_of_mass(change)
    assert abs(column / 128 - where.x) < 0.08 and abs(row / 128 - where.y) < 0.08
    assert change[40:62, 73:93].mean() > 5 * change[100:, :30].mean()


@pytest.mark.parametrize("seed", range(6))
def test_a_wider_limb_covers_more(seed: int) -> None:
    areas = [draw_limb(np.random.default_rng(seed), 96, Placement(0.5, 0.5, scale)).mean() for scale in (0.1, 0.3, 0.8)]
    assert 0 < areas[0] < areas[1] < areas[2] <= 1
