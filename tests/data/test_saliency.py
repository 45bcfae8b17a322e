"""Lesions that are found on close-ups: against discs whose place is known, and the generator's own masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from imageqx_export.data.saliency import find_lesion, is_whole
from imageqx_export.data.skin import Placement, draw_masked_lesion, draw_skin, light_scene

Array = NDArray[Any]


def overlap(mask: Array, truth: Array) -> float:
    return float((mask & truth).sum() / (mask | truth).sum())


@pytest.mark.parametrize("colour", [(90, 50, 40), (210, 90, 90), (235, 225, 215)])
@pytest.mark.parametrize("size", [96, 224])
def test_a_disc_on_shaded_skin_is_found(colour: tuple[int, int, int], size: int) -> None:
    axis = (np.arange(size) + 0.5) / size
    inside = np.hypot(axis[None] - 0.55, axis[:, None] - 0.45) < 0.15
    shading = (0.75 + 0.4 * axis)[None, :, None]  # a third darker on one side than on the other
    skin = np.array([190, 145, 120]) * shading
    noise = np.random.default_rng(1).normal(0, 4, (size, size, 3))
    picture = np.clip(np.where(inside[..., None], colour, skin) + noise, 0, 255).astype(np.uint8)
    mask = find_lesion(picture)
    assert mask is not None and mask.shape == (size, size) and set(np.unique(mask)) == {0, 255}
    assert overlap(mask > 127, inside) > 0.8


def test_most_drawn_lesions_are_found() -> None:
    hits = []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        skin = draw_skin(rng, 128, seed % 6)
        picture, mask = draw_masked_lesion(rng, skin, Placement(0.5, 0.5, 0.35))
        found = find_lesion(np.clip(light_scene(rng, picture), 0, 255).astype(np.uint8))
        truth = mask[..., 0] > 0.5
        hits.append(found is not None and (found[truth] > 127).mean() > 0.3 and truth[found > 127].mean() > 0.5)
    assert np.mean(hits) >= 0.8


def test_flat_colour_has_no_lesion() -> None:
    assert find_lesion(np.full((64, 64, 3), 140, np.uint8)) is None


def test_one_object_is_whole_and_pieces_are_not() -> None:
    rows, columns = np.mgrid[:100, :100]
    disc = np.where(np.hypot(rows - 50, columns - 50) < 30, 255, 0).astype(np.uint8)
    assert is_whole(disc) and is_whole(np.where((rows > 20) & (rows < 80), 255, 0).astype(np.uint8))
    assert not is_whole(np.where((rows // 10 + columns // 10) % 2, 255, 0).astype(np.uint8))
    assert not is_whole(np.where(np.abs(np.hypot(rows - 50, columns - 50) - 30) < 4, 255, 0).astype(np.uint8))
    assert not is_whole(np.zeros((100, 100), np.uint8))
