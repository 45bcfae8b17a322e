"""Find a lesion on a close-up: what differs most in colour from the skin around, near the middle.

1. A plane through the colours (Lab) of the frame's outer fifth is the skin; shading and vignettes are in it.
2. Each pixel's distance from it, smoothed, times a bell around the frame's middle, is cut in two by Otsu's threshold.
3. The part with the largest sum is the lesion, its holes filled, if it covers 0.3 to 60 % of the frame.

Pen marks, hair and a second lesion can be taken for it. How often it is wrong, and where, is in ``docs/train.md``.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imageqx_export.data.skin import Floats
from imageqx_export.data.synthetic import Image

_WORK = 112  # pixels a side: details do not matter
_RIM = 0.2  # of a side
_BELL = 0.55  # its deviation, in half sides
_SHARES = (0.003, 0.6)
_ONE_PIECE, _SOLID, _CONVEX = 0.9, 0.9, 0.6  # shares: of the mask in its largest part, of that part, of its hull


def find_lesion(picture: Image) -> Image | None:
    """Return a lesion's mask.

    Args:
        picture: uint8 [H,W,3], a close-up.

    Returns:
        uint8 [H,W], 255 on it, or None where nothing stands out.
    """
    small = cv2.resize(picture, (_WORK, _WORK), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    distance = _measure_distance(cv2.GaussianBlur(lab, (0, 0), 1.5))
    axis = np.linspace(-1, 1, _WORK, dtype=np.float32)
    bell = np.exp(-(axis[None] ** 2 + axis[:, None] ** 2) / (2 * _BELL**2))
    standing_out = distance * bell
    levels = np.clip(standing_out * 255 / max(float(standing_out.max()), 1e-6), 0, 255).astype(np.uint8)
    _, mask = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    mask = _choose_part(np.asarray(mask, np.uint8), standing_out)
    share = float((mask > 0).mean())
    if not _SHARES[0] <= share <= _SHARES[1]:
        return None
    large = cv2.resize(mask, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.where(large > 127, 255, 0).astype(np.uint8)


def is_whole(mask: Image) -> bool:
    """Return whether a mask uint8 [H,W] is one object: hardly in pieces, and not full of bays and holes."""
    binary = (mask > 127).astype(np.uint8)
    outlines, _ = cv2.findContours(binary, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return False
    largest = max(outlines, key=cv2.contourArea)
    part = np.asarray(cv2.drawContours(np.zeros_like(binary), [largest], -1, 1, -1)) > 0
    area, filled, within = float(binary.sum()), float(part.sum()), float(binary[part].sum())
    hull = cv2.contourArea(cv2.convexHull(largest))
    return within >= _ONE_PIECE * area and within >= _SOLID * filled and filled >= _CONVEX * hull


def _measure_distance(lab: Floats) -> Floats:
    """Return each pixel's distance from the plane through the rim's colours; what the rim itself says twice."""
    ys, xs = np.mgrid[-1 : 1 : _WORK * 1j, -1 : 1 : _WORK * 1j].astype(np.float32)
    plane = np.stack([np.ones_like(xs), xs, ys], 2)
    rim = np.maximum(np.abs(xs), np.abs(ys)) > 1 - 2 * _RIM
    chosen = rim
    for _ in range(2):  # the second time without what is not skin
        solution: NDArray[Any] = np.linalg.lstsq(plane[chosen], lab[chosen], rcond=None)[0]
        distance = np.hypot.reduce(lab - plane @ solution, axis=2)
        chosen = rim & (distance <= np.quantile(distance[rim], 0.7))
    return np.asarray(distance, np.float32)


def _choose_part(mask: Image, weight: Floats) -> Image:
    """Return the connected part of a mask with the largest sum of weights, its holes filled."""
    mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)), np.uint8)
    mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    count, parts = cv2.connectedComponents(mask)
    if count < 2:
        return np.zeros_like(mask)
    sums = np.bincount(parts.ravel(), weights=weight.ravel(), minlength=count)
    chosen = (parts == 1 + int(sums[1:].argmax())).astype(np.uint8) * 255
    outline, _ = cv2.findContours(chosen, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(np.zeros_like(chosen), outline, -1, 255, -1), np.uint8)
