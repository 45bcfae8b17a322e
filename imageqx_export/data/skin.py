"""Draw skin and what is on it: tones over the whole Fitzpatrick range, freckles, lesions, hair, light."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Mean sRGB of Fitzpatrick types I…VI: the individual typology angles of Chardon et al. 1991, read off at the
# hue of untanned skin.
FITZPATRICK = np.array(
    [(244, 208, 188), (231, 184, 159), (212, 160, 128), (176, 122, 88), (124, 80, 55), (72, 46, 34)], np.float32
)


class Placement(NamedTuple):
    """The place of the subject: centre ``x``, ``y`` and ``scale``, all as shares of the frame.

    A lesion's scale is its diameter; a limb's is its width.
    """

    x: float
    y: float
    scale: float


def draw_noise(rng: np.random.Generator, size: int, cells: int, channels: int = 1) -> Floats:
    """Return smooth noise [size,size,channels] with standard deviation 1 and ``cells`` bumps a side."""
    small = rng.standard_normal((cells + 3, cells + 3, channels)).astype(np.float32)
    big = cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC).reshape(size, size, channels)
    return np.asarray((big - big.mean()) / (big.std() + 1e-6), np.float32)


def draw_skin(rng: np.random.Generator, size: int, tone: int) -> Floats:
    """Draw bare skin of Fitzpatrick type ``tone`` (0…5), float32 [size,size,3] in 0…255."""
    near = FITZPATRICK[np.clip(tone + rng.integers(-1, 2), 0, 5)]
    base = FITZPATRICK[tone] * 0.75 + near * 0.25 + rng.normal(0, 5, 3)
    blood = np.array([0.10, -0.55, -0.45], np.float32)
    melanin = np.array([-0.75, -0.65, -0.5], np.float32)
    depth = 4 + 5 * base.mean() / 255
    picture = base + depth * draw_noise(rng, size, int(rng.integers(2, 6))) * blood
    picture = picture + depth * 0.8 * draw_noise(rng, size, int(rng.integers(6, 24))) * melanin
    # Skin lines and pores: fine noise, stretched along one direction.
    lines = draw_noise(rng, size, size // int(rng.integers(2, 5)))[..., 0]
    kernel = _make_line_kernel(int(rng.integers(1, 6)) * 2 + 1, float(rng.uniform(0, 180)))
    lines = cv2.filter2D(lines, -1, kernel)
    picture = picture + (rng.uniform(2, 7) * lines / (lines.std() + 1e-6))[..., None]
    picture = picture + rng.normal(0, rng.uniform(0.5, 3), (size, size, 1))
    return np.asarray(_draw_freckles(rng, picture, base), np.float32)


def _draw_freckles(rng: np.random.Generator, picture: Floats, base: Floats) -> Floats:
    picture = np.ascontiguousarray(picture, np.float32)
    if rng.random() < 0.4:
        size = picture.shape[0]
        for _ in range(rng.integers(1, 25)):
            centre = tuple(int(v) for v in rng.integers(0, size, 2))
            color = tuple(float(v) for v in base * rng.uniform(0.6, 0.9))
            cv2.circle(picture, centre, int(rng.integers(1, max(2, size // 80))), color, -1, cv2.LINE_AA)
    return picture


def _make_line_kernel(length: int, angle: float) -> Floats:
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), angle, 1)
    kernel = np.asarray(cv2.warpAffine(kernel, turn, (length, length)), np.float32)
    return kernel / max(float(kernel.sum()), 1e-6)


def draw_blob(rng: np.random.Generator, size: int, place: Placement, rough: float) -> Floats:
    """Return a soft irregular mask [size,size,1] in 0…1 at ``place``; ``rough`` ≥ 0 bends its border."""
    ys, xs = np.mgrid[0:size, 0:size].astype(np.float32) / size
    dx, dy = xs - place.x, (ys - place.y) * rng.uniform(0.75, 1.33)
    angle = np.arctan2(dy, dx)
    radius = np.full_like(angle, place.scale / 2)
    for wave in range(2, 8):
        bend = rough / wave * rng.uniform(0, 1) * np.cos(wave * angle + rng.uniform(0, 6.28))
        radius = radius * (1 + bend)
    soft = place.scale * rng.uniform(0.02, 0.2) + 0.004
    mask = 1 / (1 + np.exp(np.clip((np.hypot(dx, dy) - radius) / soft * 4, -30, 30)))
    return np.asarray(mask[..., None], np.float32)


def draw_lesion(rng: np.random.Generator, picture: Floats, place: Placement) -> Floats:
    """Draw one lesion (naevus, erythema, plaque or crust) on skin, float32 [H,H,3] in 0…255."""
    return draw_masked_lesion(rng, picture, place)[0]


def draw_masked_lesion(rng: np.random.Generator, picture: Floats, place: Placement) -> tuple[Floats, Floats]:
    """Draw as :func:`draw_lesion` does, and return its mask [H,H,1] in 0…1 too; a red rim is not in it."""
    size = picture.shape[0]
    mask = draw_blob(rng, size, place, float(rng.uniform(0.1, 0.7)))
    base = picture.mean((0, 1))
    kind = rng.integers(4)
    target = (
        base * rng.uniform(0.25, 0.65) * np.array([1.0, 0.85, 0.75]),  # naevus
        base * np.array([1.02, 0.62, 0.62]) + np.array([18, 0, 0]) * rng.uniform(0, 1),  # erythema
        base * np.array([0.95, 0.7, 0.68]),  # plaque
        np.array([120, 60, 40]) * rng.uniform(0.5, 1.4),  # crust
    )[kind]
    tint = target + 12 * draw_noise(rng, size, int(rng.integers(6, 30))) * rng.uniform(0.4, 1.6)
    tint = tint + rng.normal(0, 4, (size, size, 1))
    picture = picture * (1 - mask * rng.uniform(0.65, 1)) + tint * mask * rng.uniform(0.75, 1)
    if kind >= 2:  # scale: bright flakes inside the mask
        flakes = (draw_noise(rng, size, int(rng.integers(25, 70))) > rng.uniform(0.6, 1.5)) * mask
        picture = picture * (1 - 0.6 * flakes) + (base * 0.5 + 120) * 0.6 * flakes
    if rng.random() < 0.5:  # a red rim
        rim = draw_blob(rng, size, place._replace(scale=place.scale * 1.35), 0.2) * (1 - mask)
        picture = picture * (1 - rim * np.array([0.0, 0.22, 0.2]) * rng.uniform(0.3, 1))
    return np.asarray(picture, np.float32), mask


def draw_hair(rng: np.random.Generator, picture: Floats) -> Floats:
    """Draw hairs as thin bent strokes."""
    picture = np.ascontiguousarray(np.clip(picture, 0, 255), np.float32)
    size = picture.shape[0]
    color = tuple(float(v) for v in rng.uniform(10, 90) * np.array([1.0, 0.8, 0.6]))
    lean = rng.uniform(0, 6.28)
    for _ in range(int(rng.integers(5, 60))):
        start = rng.uniform(0, size, 2)
        along = lean + rng.normal(0, 0.35)
        steps = np.linspace(0, rng.uniform(0.08, 0.35) * size, 8)[:, None]
        turn = along + rng.normal(0, 0.6) * steps[:, 0] / size
        points = start + steps * np.stack([np.cos(turn), np.sin(turn)], 1)
        cv2.polylines(picture, [(points * 8).astype(np.int32)], False, color, 1, cv2.LINE_AA, 3)
    return picture


def light_scene(rng: np.random.Generator, picture: Floats) -> Floats:
    """Light the scene: a gradient, and at times a highlight. Stays well inside good exposure."""
    size = picture.shape[0]
    ys, xs = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    angle, strength = rng.uniform(0, 6.28), rng.uniform(0, 0.22)
    picture = picture * (1 + strength * (np.cos(angle) * xs + np.sin(angle) * ys))[..., None]
    if rng.random() < 0.3:
        shine = np.exp(-((xs - rng.uniform(-1, 1)) ** 2 + (ys - rng.uniform(-1, 1)) ** 2) / rng.uniform(0.02, 0.3))
        picture = picture + (rng.uniform(5, 40) * shine)[..., None]
    return np.asarray(picture, np.float32)
