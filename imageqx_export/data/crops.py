"""Crops and places that follow from where a subject lies: a lesion that the border cuts, an object on a ground."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from imageqx_export.data.synthetic import MILD, STRONG

Array = NDArray[np.float32]

STEPS = 11
"""Of :func:`measure_spans`: every tenth of the mass."""
_LEAST_ZOOM = 0.6  # of a side: more would be seen as blur
_AGAIN = 0.02  # of a side: so much of a lesion may be seen a second time, mirrored


def measure_spans(masks: NDArray[np.uint8]) -> Array:
    """Return where the tenths of each mask's mass lie along x and y, from its first pixel to its last.

    Args:
        masks: uint8 [M,H,H], none of them empty.

    Returns:
        Shares of a side, float32 [M,2,11], each row rising.
    """
    spans = np.empty((len(masks), 2, STEPS), np.float32)
    for mask, row in zip(masks, spans, strict=True):
        inside = mask > 127
        for axis in (0, 1):
            mass = inside.sum(axis).astype(np.float64)
            rises = np.concatenate([[0], np.cumsum(mass)]) / mass.sum()
            first, last = np.flatnonzero(mass)[[0, -1]]
            places = np.arange(first, last + 2)
            row[axis] = np.interp(np.linspace(0, 1, STEPS), rises[first : last + 2], places) / len(mask)
    return spans


def crop_lesions(rng: np.random.Generator, spans: Array, severity: Array) -> Array:
    """Place each lesion so that a border of the frame cuts it, or nearly does.

    At MILD it is whole, a fiftieth of a side from the border; at STRONG the border cuts off 30 % of it, at 1 70 %. The
    border is the one of four that shows least of the lesion a second time in the mirrored picture; where it would show
    more than a fiftieth of a side, the picture is enlarged instead.

    Args:
        rng: The only source of randomness.
        spans: Of :func:`measure_spans`, [R,2,11].
        severity: In [0, 1], [R].

    Returns:
        From the sample's coordinates in [-1, 1] to the picture's, float32 [R,2,3].
    """
    count = len(spans)
    rows = np.arange(count)
    sides = np.stack([spans, 1 - spans[:, :, ::-1]], 2).reshape(count, 4, STEPS)  # x and y, each from either end
    share = np.interp(severity, [MILD, STRONG, 1], [0, 0.3, 0.7]) * (STEPS - 1)
    step = np.minimum(share.astype(int), STEPS - 2)
    lower, upper = sides[rows, :, step], sides[rows, :, step + 1]
    place = lower + (upper - lower) * (share - step)[:, None]
    margin = np.interp(severity, [0, MILD], [0.25, 0.02])[:, None]
    place = np.where((severity > MILD)[:, None], place, (sides[:, :, 0] - margin).clip(0))
    again = (sides[:, :, -1] + place - 1).clip(0)
    side = (again + rng.random((count, 4)) * _AGAIN).argmin(1)
    place, again = place[rows, side], again[rows, side]
    zoom = np.where(again > _AGAIN, (1 - place).clip(_LEAST_ZOOM), 1)
    axis, far = side // 2, side % 2
    middle = 2 * spans[rows, 1 - axis, STEPS // 2] - 1
    affine = np.zeros((count, 2, 3))
    affine[:, 0, 0] = affine[:, 1, 1] = zoom
    affine[rows, axis, 2] = np.where(far, -1, 1) * (2 * place - 1 + zoom)
    affine[rows, 1 - axis, 2] = middle.clip(zoom - 1, 1 - zoom)
    affine[:, :, 0] *= np.where(rng.random(count) < 0.5, -1, 1)[:, None]
    return affine.astype(np.float32)


def shrink_objects(rng: np.random.Generator, area: Array, share: NDArray[np.float64]) -> tuple[Array, Array]:
    """Place objects so that each covers a share of the frame.

    Args:
        rng: The only source of randomness.
        area: What each covers in its own picture, in (0, 1], [R].
        share: What it shall cover, likewise.

    Returns:
        ``affine`` and ``shrink``, as in :class:`~imageqx_export.data.sample_plan.SamplePlan`.
    """
    scale = np.sqrt(share / area)
    affine = np.zeros((len(area), 2, 3))
    affine[:, 0, 0] = affine[:, 1, 1] = 1 / scale
    shift = rng.uniform(-1, 1, (len(area), 2)) * (1 - scale).clip(0)[:, None]
    affine[:, :, 2] = -shift / scale[:, None]
    return affine.astype(np.float32), (1 / scale).clip(1).astype(np.float32)
