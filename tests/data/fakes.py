"""Small banks made by hand, and a plan that does nothing, for tests to change one thing of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from imageqx_export.data.bank import PHOTO, RATED, SIDE, SYNTHETIC, Bank, join, make_bank
from imageqx_export.data.sample_plan import SamplePlan
from imageqx_export.data.vocabulary import LABELS, REASONS

LESION, NO_SKIN, HEALTHY, POOR = range(4)
FRAMING, LIGHT, BLUR, RESOLUTION, DISTANCE = range(5)


def f32(values: object) -> NDArray[np.float32]:
    """Return values as float32."""
    return np.asarray(values, np.float32)


def plan_of(count: int) -> SamplePlan:
    """Return a plan that shows pictures 0, 1, 2 … as they are; its arrays may be written to."""
    stays = np.tile(np.eye(2, 3, dtype=np.float32), (count, 1, 1))
    return SamplePlan(
        focus=np.zeros(count, np.float32),
        mirror=np.zeros(count, np.float32),
        ground=np.zeros((count, 4), np.float32),
        shadow=np.zeros((count, 4), np.float32),
        glare=np.zeros((count, 4), np.float32),
        marks=np.zeros((count, 5), np.float32),
        subject=np.arange(count),
        behind=np.zeros(count, np.int64),
        cut=np.zeros(count, np.float32),
        affine=stays,
        behind_affine=stays.copy(),
        shrink=np.ones(count, np.float32),
        edge=np.tile(f32([0, 0.1]), (count, 1)),
        skin_behind=np.zeros(count, np.float32),
        tone=np.ones((count, 4), np.float32),
        light=np.tile(f32([1, 1, 1, 1, 0, 1, 0]), (count, 1)),
        blur=np.zeros((count, 4), np.float32),
        resolution=np.tile(f32([256, 100, 0]), (count, 1)),
        shares=np.tile(np.eye(len(LABELS), dtype=np.float32)[LESION], (count, 1)),
        reasons=np.zeros((count, len(REASONS)), np.float32),
        votes=np.full(count, 4),
        fitzpatrick=np.zeros(count, np.int64),
        seed=1,
    )


def pictures(*kept: NDArray[np.uint8]) -> Bank:
    """Return a bank of lesions' photos that holds these pictures."""
    return make_bank(np.stack(kept), np.zeros(len(kept), np.int64), PHOTO)


def flat(colors: list[tuple[int, int, int]]) -> NDArray[np.uint8]:
    """Return pictures of one colour each, uint8 [N,224,224,3]."""
    wide = np.array(colors, np.uint8)[:, None, None]
    return np.ascontiguousarray(np.broadcast_to(wide, (len(colors), SIDE, SIDE, 3)))


def empty_images(count: int) -> NDArray[np.uint8]:
    """Return black pictures that take no memory: to plan from, not to develop."""
    return np.broadcast_to(np.zeros((), np.uint8), (count, SIDE, SIDE, 3))


def photo_bank(labels: list[int], masks: list[int] | None = None) -> Bank:
    """Return photos of these labels, type III; those numbered in ``masks`` have a mask."""
    half = np.zeros((SIDE, SIDE), np.uint8)
    half[:, : SIDE // 2] = 255
    known = [half if i in (masks or []) else None for i in range(len(labels))]
    types = np.full(len(labels), 3)
    return make_bank(empty_images(len(labels)), np.array(labels), PHOTO, fitzpatrick=types, masks=known)


def synthetic_bank(copies: int = 1) -> Bank:
    """Return a synthetic bank's facts without its pictures: every kind of scene, ``copies`` times, type V."""
    kinds = [(LESION, 0, 0), (LESION, 1, 0), (LESION, 0, 1), (HEALTHY, 0, 0), (HEALTHY, 0, 1), (NO_SKIN, 0, 0)] * copies
    reasons = np.zeros((len(kinds), len(REASONS)), np.float32)
    reasons[:, FRAMING], reasons[:, DISTANCE] = [kind[1] for kind in kinds], [kind[2] for kind in kinds]
    labels = np.array([kind[0] for kind in kinds])
    types = np.where(labels == NO_SKIN, 0, 5)
    return make_bank(empty_images(len(kinds)), labels, SYNTHETIC, reasons, types)


def rated_bank() -> Bank:
    """Return five rated photos, one with tied raters and two that have reasons; types I to V."""
    shares = f32([[1, 0, 0, 0], [0, 0.75, 0.25, 0], [0.5, 0, 0.5, 0], [0.25, 0, 0, 0.75], [0, 0, 1, 0]])
    reasons = np.zeros((5, len(REASONS)), np.float32)
    reasons[3, [LIGHT, BLUR]] = reasons[4, FRAMING] = 1
    return make_bank(empty_images(5), shares, RATED, reasons, np.arange(1, 6))


def whole_bank() -> Bank:
    """Return synthetic scenes, photos of every class with some masks, and rated photos."""
    photos = photo_bank([LESION] * 5 + [HEALTHY] * 4 + [NO_SKIN] * 3, masks=[5, 6])
    return join([synthetic_bank(3), photos, rated_bank()])
