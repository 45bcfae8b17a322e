"""Subjects that are cut out of a plain background."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imageqx_export.data.bank import SIDE
from imageqx_export.data.folder import cut_out_subject, read_folder
from imageqx_export.data.vocabulary import LABELS
from tests.data.test_folder import CLASSES, photo

Array = NDArray[Any]


def hand(seed: int, behind: tuple[int, int, int]) -> tuple[Array, Array]:
    """Draw a disc of skin in front of a plain wall with a little noise, and tell where it is."""
    ys, xs = np.mgrid[0:200, 0:240]
    inside = np.hypot(xs - 120, ys - 110) < 60
    picture = np.where(inside[..., None], (205, 150, 120), behind)
    return np.clip(picture + np.random.default_rng(seed).normal(0, 3, picture.shape), 0, 255).astype(np.uint8), inside


def overlap(mask: Array, inside: Array) -> float:
    return float(((mask > 0.5) & inside).sum() / ((mask > 0.5) | inside).sum())


@pytest.mark.parametrize("behind", [(30, 60, 140), (20, 90, 40), (235, 235, 240)])
def test_a_subject_is_cut_out_of_a_plain_background(behind: tuple[int, int, int]) -> None:
    picture, inside = hand(1, behind)
    mask = cut_out_subject(picture)
    assert mask is not None and mask.shape == inside.shape and mask.min() >= 0 and mask.max() <= 1
    assert overlap(mask, inside) > 0.9


def test_a_background_that_is_not_plain_is_left_alone() -> None:
    noise = np.random.default_rng(2).integers(0, 256, (200, 240, 3), dtype=np.uint8)
    assert cut_out_subject(noise) is None
    assert cut_out_subject(np.full((200, 240, 3), 128, np.uint8)) is None  # nothing in front of it


def test_hands_and_objects_are_cut_out_and_lesions_found(tmp_path: Path) -> None:
    picture, inside = hand(3, (30, 60, 140))
    for label in CLASSES:
        (tmp_path / label).mkdir()
        Image.fromarray(picture).save(tmp_path / label / "hand.png")
    photo(tmp_path / "healthy_skin" / "plain.png", 200, 200)
    bank = read_folder(tmp_path).bank
    assert len(bank.masks) == (bank.mask >= 0).sum() == 3
    stretched = np.asarray(Image.fromarray(inside).resize((SIDE, SIDE)))
    for row in np.flatnonzero(bank.mask >= 0):
        assert overlap(bank.masks[bank.mask[row]] / 255, stretched) > 0.9, LABELS[bank.quality[row]]
