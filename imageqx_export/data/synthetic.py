"""Draw whole photos of skin (``skin.py``) on limbs, in rooms, and of no skin at all.

Everything is drawn from one random generator, so a seed gives the same picture everywhere. The pictures are
made to have the *structures* that quality depends on (edges, texture, a subject that can be cut off or far
away, a tone that can be mistaken for bad light), not to look like a clinic's photographs.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from imageqx_export.data.skin import (
    Floats,
    Placement,
    draw_blob,
    draw_hair,
    draw_masked_lesion,
    draw_noise,
    draw_skin,
    light_scene,
)

Image = NDArray[np.uint8]
SceneClass = Literal["lesion", "no_skin", "healthy_skin"]

# A degradation of this severity or less leaves a good photo; from STRONG on its reason is given. What lies between is
# never drawn, since raters disagree there.
MILD = 0.3
STRONG = 0.5
LEAST_LESION = 0.001
"""Of the frame: a lesion of which less is to be seen has no mask."""


def draw_background(rng: np.random.Generator, size: int) -> Floats:
    """Draw what lies behind a limb: cloth, tiles, wood, a wall with things; float32 [size,size,3]."""
    colors = rng.uniform(20, 245, (2, 3)).astype(np.float32)
    ys, xs = np.mgrid[0:size, 0:size].astype(np.float32) / size
    angle = rng.uniform(0, 3.14)
    along = xs * np.cos(angle) + ys * np.sin(angle)
    across = ys * np.cos(angle) - xs * np.sin(angle)
    period = rng.uniform(2, 30)
    pattern = (
        np.zeros_like(along),
        (np.sin(along * period * 6.28) > 0).astype(np.float32),
        ((np.sin(along * period * 6.28) > 0) ^ (np.sin(across * period * 6.28) > 0)).astype(np.float32),
        (np.sin(along * period + 2 * draw_noise(rng, size, 5)[..., 0]) * 0.5 + 0.5).astype(np.float32),
    )[rng.integers(4)][..., None]
    picture = colors[0] * (1 - pattern) + colors[1] * pattern
    picture = picture * (1 - 0.6 * rng.random()) + picture.mean() * 0.4 * rng.random()
    picture = np.ascontiguousarray(picture + 6 * rng.random() * draw_noise(rng, size, size // 3), np.float32)
    return _draw_objects(rng, picture) if rng.random() < 0.6 else np.asarray(np.clip(picture, 0, 255), np.float32)


def _draw_objects(rng: np.random.Generator, scenery: Floats) -> Floats:
    picture = np.ascontiguousarray(np.clip(scenery, 0, 255), np.uint8)  # OpenCV writes text on bytes alone
    size = picture.shape[0]
    for _ in range(int(rng.integers(1, 9))):
        color = tuple(float(v) for v in rng.uniform(10, 245, 3))
        centre = rng.uniform(0, size, 2)
        span = rng.uniform(0.04, 0.35) * size
        match rng.integers(4):
            case 0:
                axes = (int(span), int(span * rng.uniform(0.3, 1)))
                cv2.ellipse(picture, (int(centre[0]), int(centre[1])), axes, rng.uniform(0, 180), 0, 360, color, -1, 16)
            case 1:
                corners = centre + span * rng.uniform(-1, 1, (int(rng.integers(3, 7)), 2))
                cv2.fillPoly(picture, [corners.astype(np.int32)], color, cv2.LINE_AA)
            case 2:
                end = centre + rng.uniform(-0.6, 0.6, 2) * size
                ends = [tuple(int(v) for v in p) for p in (centre, end)]
                cv2.line(picture, ends[0], ends[1], color, int(rng.integers(1, 8)), cv2.LINE_AA)
            case _:
                text = "".join(rng.choice(list("ABCDEFGHKLMNPRSTUVXYZ0123456789"), 6))
                at = (int(centre[0] - span), int(centre[1]))
                cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, span / 60, color, 2, cv2.LINE_AA)
    return np.asarray(picture, np.float32)


def draw_limb(rng: np.random.Generator, size: int, place: Placement) -> Floats:
    """Return a mask [size,size,1] in 0…1 of an arm, finger or leg across the frame at ``place``."""
    ys, xs = np.mgrid[0:size, 0:size].astype(np.float32) / size
    angle = rng.uniform(0, 3.14)
    across = (ys - place.y) * np.cos(angle) - (xs - place.x) * np.sin(angle)
    along = (xs - place.x) * np.cos(angle) + (ys - place.y) * np.sin(angle)
    width = place.scale / 2 * (1 + rng.uniform(-0.35, 0.35) * along)
    bend = rng.uniform(-0.3, 0.3) * along**2
    edge = np.abs(across + bend) - width
    if rng.random() < 0.5:  # it ends inside the frame: a fingertip
        past = np.maximum(along - place.scale * rng.uniform(0.3, 1.2), 0)
        edge = np.hypot(np.maximum(np.abs(across + bend), 0), past) - width
    return np.asarray(1 / (1 + np.exp(np.clip(edge * size / 1.5, -30, 30))), np.float32)[..., None]


def draw_scene(
    rng: np.random.Generator, label: SceneClass, place: Placement, size: int = 256, tone: int | None = None
) -> Image:
    """Draw one flawless photo.

    Args:
        rng: The only source of randomness.
        label: What is on it.
        place: Where the lesion (or, on healthy skin, the limb) lies; unused for ``no_skin``.
        size: Pixels a side.
        tone: Fitzpatrick type less one, 0…5; None draws one.

    Returns:
        uint8 [size,size,3], sRGB.

    >>> rng = np.random.default_rng(0)
    >>> draw_scene(rng, "lesion", Placement(0.5, 0.5, 0.3)).shape
    (256, 256, 3)
    """
    return draw_masked_scene(rng, label, place, size, tone).image


class Scene(NamedTuple):
    """A picture uint8 [H,H,3], and its lesion's mask uint8 [H,H], 255 on it, or None where none is to be seen."""

    image: Image
    mask: Image | None


def draw_masked_scene(
    rng: np.random.Generator,
    label: SceneClass,
    place: Placement,
    size: int = 256,
    tone: int | None = None,
    limb: float | None = None,
) -> Scene:
    """Draw as :func:`draw_scene` does, and say where the lesion lies.

    Args:
        rng: The only source of randomness.
        label: What is on it.
        place: Where the subject lies.
        size: Pixels a side.
        tone: Fitzpatrick type less one; None draws one.
        limb: The width of the limb that the lesion is on, as a share of the frame; None draws one.
    """
    if label == "no_skin":
        picture = _draw_objects(rng, draw_background(rng, size))
        return Scene(_finish(light_scene(rng, picture)), None)
    picture = draw_skin(rng, size, int(rng.integers(6)) if tone is None else tone)
    lesion = None
    if label == "lesion":
        picture, lesion = draw_masked_lesion(rng, picture, place)
    if rng.random() < 0.35:
        picture = draw_hair(rng, picture)
    wide = place.scale * rng.uniform(2.2, 6) if label == "lesion" else place.scale
    wide = wide if limb is None else limb
    if wide < 1.6:
        mask = draw_limb(rng, size, place._replace(scale=wide))
        round_off = 1 - 0.35 * (1 - cv2.GaussianBlur(mask, (0, 0), size / 20)[..., None]) * rng.random()
        picture = picture * round_off * mask + draw_background(rng, size) * (1 - mask)
        lesion = None if lesion is None else lesion * mask
    return Scene(_finish(light_scene(rng, picture)), None if lesion is None else _see(lesion))


def draw_plain_object(rng: np.random.Generator, size: int) -> Image:
    """Draw one object at 10 to 60 % of the frame on a plain bright ground, as people photograph things to sell."""
    ground = rng.uniform(0.72, 1) * rng.uniform(238, 255, 3)
    picture = np.ones((size, size, 3), np.float32) * ground.astype(np.float32)
    x, y = (0.5 + rng.uniform(-0.1, 0.1, 2)).tolist()
    where = Placement(x, y, float(np.sqrt(rng.uniform(0.1, 0.6) * 4 / np.pi)))
    mask = draw_blob(rng, size, where, float(rng.uniform(0.1, 1.2)))
    mask = np.clip((mask - 0.5) * size / 8 + 0.5, 0, 1)  # an object's border is sharp
    shadow = cv2.GaussianBlur(np.roll(mask, (size // 40, size // 60), (0, 1)), (0, 0), size / 30)[..., None]
    picture = picture * (1 - 0.35 * rng.random() * shadow)
    thing = draw_background(rng, size)
    return _finish(light_scene(rng, picture * (1 - mask) + thing * mask))


def _finish(picture: Floats) -> Image:
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def _see(mask: Floats) -> Image | None:
    seen = np.rint(mask[..., 0] * 255).astype(np.uint8)
    return seen if (seen > 127).mean() >= LEAST_LESION else None
