"""What a severity means in a camera's numbers: 0 is flawless, up to MILD a photo is good, from STRONG on it is poor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imageqx_export.data.synthetic import MILD, STRONG

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

NO_KIND = -1
DARK, BRIGHT, CAST, SOFT_SHADOW, NOISE = range(5)
"""Kinds of light."""
SHARP, DISC, MOTION, GAUSSIAN = range(4)
"""Kinds of blur."""
THUMBNAIL, BLOCKS, JPEG = range(3)
"""Kinds of a low resolution: few pixels, compressed; all pixels, compressed beyond use; compressed as messengers do."""


def ramp(severity: Array, values: Sequence[float]) -> Floats:
    """Read a number off at severities [B]: ``values`` are those at 0, MILD, STRONG and 1."""
    return np.asarray(np.interp(severity, [0, MILD, STRONG, 1], values))


def place_subjects(
    rng: np.random.Generator,
    framing: Array,
    distance: Array,
    moved: NDArray[np.bool_],
    scenery: NDArray[np.bool_],
) -> tuple[Array, Array, Array]:
    """Place subjects: a photo's is moved off the frame or away; of scenery a part is cut out; others stay.

    A photo covers 125 % of a side at distance 0, 62 % at MILD and 35 % at STRONG; its middle, where the subject is
    taken to be, is 16 % of a side off the middle at MILD and 48 % at STRONG.

    Returns:
        ``affine``, ``shrink`` and ``edge``, as in :class:`~imageqx_export.data.sample_plan.SamplePlan`.
    """
    count = len(framing)
    scale, share = ramp(distance, [1.25, 0.62, 0.35, 0.12]), ramp(framing, [0, 0.16, 0.48, 0.62])
    angle, turn = rng.uniform(0, 2 * np.pi, count), np.deg2rad(rng.normal(0, 8, count))
    direction = np.stack([np.cos(angle), np.sin(angle)], 1)
    direction /= np.abs(direction).max(1, keepdims=True)
    shift = 2 * share[:, None] * direction
    cos, sin = np.cos(turn), np.sin(turn)
    inverse = np.stack([np.stack([cos, sin], 1), np.stack([-sin, cos], 1)], 1)
    inverse = inverse / (scale[:, None] * np.exp(rng.normal(0, 0.08, (count, 2))))[:, :, None]
    shifted = np.concatenate([inverse, -(inverse @ shift[:, :, None])], 2)
    stays = np.tile(np.eye(2, 3), (count, 1, 1))
    choice = np.where(moved, 0, np.where(scenery, 1, 2))
    affine = np.stack([shifted, draw_crops(rng, count), stays])[choice, np.arange(count)]
    affine[:, 0] *= np.where(rng.random(count) < 0.5, -1, 1)[:, None]
    edge = np.stack([np.where(moved, rng.choice([2.5, 4, 12], count), 0), rng.uniform(0.02, 0.25, count)], 1)
    return affine.astype(np.float32), np.where(moved, 1 / scale, 1).clip(1).astype(np.float32), edge.astype(np.float32)


def draw_crops(rng: np.random.Generator, count: int) -> Array:
    """Draw crops of 75 to 100 % of a side, every other one mirrored, float32 [B,2,3]."""
    crop = rng.uniform(0.75, 1, (count, 2))
    affine = np.zeros((count, 2, 3), np.float32)
    affine[:, 0, 0], affine[:, 1, 1] = crop[:, 0] * np.where(rng.random(count) < 0.5, -1, 1), crop[:, 1]
    affine[:, :, 2] = rng.uniform(-1, 1, (count, 2)) * (1 - crop)
    return affine


def draw_tones(rng: np.random.Generator, photo: NDArray[np.bool_]) -> Array:
    """Shift half of the photos' tones: the photos at hand are mostly of light skin."""
    count = len(photo)
    darker = np.where((rng.random(count) < 0.5) & photo, rng.uniform(0.35, 1.1, count), 1.0)
    gains = 1 + rng.normal(0, 0.04, (count, 3)) * photo[:, None]
    return np.concatenate([1 / np.maximum(darker, 0.55)[:, None], gains], 1).astype(np.float32)


def draw_lights(rng: np.random.Generator, severity: Array, rated: NDArray[np.bool_]) -> Array:
    """Degrade the light in one of four ways: too little, too much, a colour cast, or a soft shadow."""
    kind = np.where(rated, NO_KIND, rng.integers(4, size=len(severity)))
    return make_lights(rng, severity, kind)


def make_lights(rng: np.random.Generator, severity: Array, kind: NDArray[np.int64]) -> Array:
    """Return the plan's ``light`` of each sample's kind: :data:`DARK`, :data:`BRIGHT` … or :data:`NOTHING`, [B,7]."""

    def only(values: list[float], neutral: float, of: int) -> Floats:
        return np.where(kind == of, ramp(severity, values), neutral)

    dark, bright = only([1, 0.6, 0.14, 0.02], 1, DARK), only([1, 1.35, 3.2, 8], 1, BRIGHT)
    casts = np.array([(1, 0.75, 0.35), (0.4, 0.8, 1), (0.5, 1, 0.45)])
    cast = casts[rng.choice(3, len(severity), p=[0.4, 0.4, 0.2])] ** only([0, 0.3, 1.2, 2.5], 0, CAST)[:, None]
    shade, after = only([0, 0.3, 0.88, 0.98], 0, SOFT_SHADOW), only([1, 1.05, 1.5, 2.5], 1, SOFT_SHADOW)
    noise = np.where(kind == DARK, 0.004 * (1 - dark), only([0, 0.008, 0.06, 0.25], 0, NOISE))
    return np.column_stack([dark * bright, cast, shade, after, noise]).astype(np.float32)


def draw_blurs(rng: np.random.Generator, severity: Array, rated: NDArray[np.bool_]) -> Array:
    """Blur as a lens out of focus (a disc) or a moving hand (a bent line) does."""
    disc = rng.random(len(severity)) < 0.6
    return make_blurs(rng, severity, np.where(rated, SHARP, np.where(disc, DISC, MOTION)))


def make_blurs(rng: np.random.Generator, severity: Array, kind: NDArray[np.int64]) -> Array:
    """Return the plan's ``blur`` of each sample's kind: :data:`SHARP`, :data:`DISC`, :data:`MOTION` …, [B,4]."""
    radius, length = ramp(severity, [0, 0.7, 2.6, 7]), ramp(severity, [1, 2.2, 9, 26])
    sigma = ramp(severity, [0, 0.5, 1.9, 5])
    extent = np.where(kind == DISC, radius, np.where(kind == GAUSSIAN, sigma, length))
    kind = np.where((kind == DISC) & (radius < 0.25) | (kind == GAUSSIAN) & (sigma < 0.2), SHARP, kind)
    angle, bend = rng.uniform(0, 2 * np.pi, len(kind)), rng.normal(0, 0.15, len(kind))
    return np.column_stack([kind, extent, angle, bend]).astype(np.float32)


def draw_resolutions(rng: np.random.Generator, severity: Array, rated: NDArray[np.bool_]) -> Array:
    """Throw pixels away and compress: a thumbnail, or a photo of a messenger's preview."""
    blocks = rng.random(len(severity)) < 0.25
    return make_resolutions(rng, severity, np.where(rated, NO_KIND, np.where(blocks, BLOCKS, THUMBNAIL)))


def make_resolutions(rng: np.random.Generator, severity: Array, kind: NDArray[np.int64]) -> Array:
    """Return the plan's ``resolution`` of each sample's kind: :data:`THUMBNAIL`, :data:`JPEG` …, [B,3]."""
    pixels = np.where(kind == THUMBNAIL, ramp(severity, [256, 170, 64, 32]), 256)
    qualities = {THUMBNAIL: [95, 75, 22, 8], BLOCKS: [95, 60, 7, 2], JPEG: [95, 30, 10, 3]}
    quality = np.select([kind == of for of in qualities], [ramp(severity, v) for v in qualities.values()], 100)
    quality = np.where(quality > 90, 100, quality)  # hardly to be seen, and compression takes time
    return np.column_stack([np.rint(pixels), np.rint(quality), rng.random(len(kind)) < 0.3]).astype(np.float32)
