"""Spoil a photo in the five ways that the reasons name; what was done is the label.

Every function takes a severity in [0, 1]. Up to :data:`MILD` the photo is still good and the reason is not
given; from :data:`STRONG` on it is. What lies between is never drawn, since raters disagree there.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from imageqx_export.data.synthetic import Floats, Image, Placement, noise

MILD = 0.3
STRONG = 0.5


def place(rng: np.random.Generator, off_frame: float, distance: float) -> Placement:
    """Choose where the subject lies.

    Args:
        rng: The only source of randomness.
        off_frame: Severity of bad framing: 0 is centred, 1 puts the centre well outside the frame.
        distance: Severity of distance: 0 fills 45 % of the frame, 1 fills 2.5 %.
    """
    scale = float(0.45 * (0.025 / 0.45) ** distance)
    angle = rng.uniform(0, 6.28)
    direction = np.array([np.cos(angle), np.sin(angle)])
    direction /= np.abs(direction).max()
    # At STRONG the subject's centre is on the frame's edge; at MILD it is whole and inside.
    inside = max(0.5 - 0.6 * scale, 0.05)
    share = np.interp(off_frame, [0, MILD, STRONG, 1], [0, inside * 0.75, 0.5, 0.5 + 0.3 * scale])
    return Placement(float(0.5 + share * direction[0]), float(0.5 + share * direction[1]), scale)


def compose(rng: np.random.Generator, photo: Image, background: Image, off_frame: float, distance: float) -> Image:
    """Move a photo's subject off the frame or away, onto a background.

    The subject is taken to be in the photo's middle.

    Args:
        rng: The only source of randomness.
        photo: uint8 [H,W,3].
        background: uint8 [S,S,3]; what shows beside the photo. Sets the result's size.
        off_frame: Severity of bad framing.
        distance: Severity of distance: the photo covers the frame at 0, 62 % of a side at MILD, 35 % at STRONG.

    Returns:
        uint8 [S,S,3].
    """
    size = background.shape[0]
    height, width = photo.shape[:2]
    scale = float(np.interp(distance, [0, MILD, STRONG, 1], [1.25, 0.62, 0.35, 0.12]))
    angle = rng.uniform(0, 6.28)
    direction = np.array([np.cos(angle), np.sin(angle)])
    direction /= np.abs(direction).max()
    share = np.interp(off_frame, [0, MILD, STRONG, 1], [0, 0.16, 0.48, 0.62])
    shift = share * direction * size
    grow = np.array([size * scale / width, size * scale / height])
    if rng.random() < 0.5:
        grow[:] = grow.max() if distance < MILD else grow.min()
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.normal(0, 8)), 1.0)
    affine = np.diag(grow) @ turn
    affine[:, 2] += size / 2 + shift - np.diag(grow) @ np.array([width / 2, height / 2])
    method = cv2.INTER_AREA if grow.max() < 1 else cv2.INTER_LINEAR
    if grow.max() < 0.7:  # warpAffine does not antialias
        photo = np.asarray(cv2.GaussianBlur(photo, (0, 0), 0.5 / float(grow.max())), np.uint8)
    moved = cv2.warpAffine(photo, affine, (size, size), flags=cv2.INTER_LINEAR if method else method)
    mask = _patch_mask(rng, height, width)
    mask = cv2.warpAffine(mask, affine, (size, size), flags=cv2.INTER_LINEAR)[..., None]
    return np.asarray(moved * mask + background * (1 - mask), np.uint8)


def _patch_mask(rng: np.random.Generator, height: int, width: int) -> Floats:
    ys, xs = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    power = float(rng.choice([2.5, 4, 12]))
    reach = (np.abs(xs) ** power + np.abs(ys) ** power) ** (1 / power)
    soft = rng.uniform(0.02, 0.25)
    return np.asarray(np.clip((1 - reach) / soft, 0, 1), np.float32)


def light(rng: np.random.Generator, image: Image, severity: float) -> Image:
    """Spoil the light: too little, too much, a colour cast, or a hard shadow."""
    linear = (image.astype(np.float32) / 255) ** 2.2
    kind = rng.integers(4)
    if kind == 0:
        gain = np.interp(severity, [0, MILD, STRONG, 1], [1, 0.6, 0.14, 0.02])
        linear = linear * gain + rng.normal(0, 0.004 * (1 - gain), linear.shape)
    elif kind == 1:
        linear = linear * np.interp(severity, [0, MILD, STRONG, 1], [1, 1.35, 3.2, 8])
    elif kind == 2:
        warm = np.array([1, 0.75, 0.35]) if rng.random() < 0.5 else np.array([0.4, 0.8, 1])
        warm = np.array([0.5, 1, 0.45]) if rng.random() < 0.2 else warm
        linear = linear * warm ** np.interp(severity, [0, MILD, STRONG, 1], [0, 0.3, 1.2, 2.5])
    else:
        size = linear.shape[0]
        shade = 1 / (1 + np.exp(np.clip(-(noise(rng, size, 1) + rng.uniform(-0.5, 0.5)) * 12, -30, 30)))
        shade = cv2.resize(shade, (linear.shape[1], linear.shape[0]))[..., None]
        linear = linear * (1 - np.interp(severity, [0, MILD, STRONG, 1], [0, 0.3, 0.88, 0.98]) * shade)
        linear = linear * np.interp(severity, [0, MILD, STRONG, 1], [1, 1.05, 1.5, 2.5])
    return np.asarray(np.clip(linear, 0, 1) ** (1 / 2.2) * 255, np.uint8)


def blur(rng: np.random.Generator, image: Image, severity: float) -> Image:
    """Blur as a lens out of focus (a disc) or a moving hand (a bent line) does."""
    side = max(image.shape[:2]) / 256
    if rng.random() < 0.6:
        radius = side * float(np.interp(severity, [0, MILD, STRONG, 1], [0, 0.7, 2.6, 7]))
        reach = int(np.ceil(radius))
        ys, xs = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        kernel = np.clip(radius + 0.5 - np.hypot(xs, ys), 0, 1).astype(np.float32)
    else:
        length = side * float(np.interp(severity, [0, MILD, STRONG, 1], [1, 2.2, 9, 26]))
        reach = int(np.ceil(length / 2)) + 1
        kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
        angle, bend = rng.uniform(0, 6.28), rng.normal(0, 0.15)
        along = np.linspace(-0.5, 0.5, 48)[:, None] * length
        turn = angle + bend * along[:, 0] / max(length, 1)
        points = reach + along * np.stack([np.cos(turn), np.sin(turn)], 1)
        np.add.at(kernel, tuple(np.rint(points).astype(int).T), 1)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT), np.uint8)


def resolution(rng: np.random.Generator, image: Image, severity: float) -> Image:
    """Throw pixels away and compress: a thumbnail, or a photo of a messenger's preview."""
    height, width = image.shape[:2]
    pixels = float(np.interp(severity, [0, MILD, STRONG, 1], [256, 170, 64, 32]))
    small = (max(8, round(pixels * width / max(height, width))), max(8, round(pixels * height / max(height, width))))
    quality = int(np.interp(severity, [0, MILD, STRONG, 1], [95, 75, 22, 8]))
    if rng.random() < 0.25:  # blocks alone
        small = (width, height)
        quality = int(np.interp(severity, [0, MILD, STRONG, 1], [95, 60, 7, 2]))
    if small < (width, height):
        image = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA), np.uint8)
    coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]
    how = cv2.INTER_NEAREST if rng.random() < 0.3 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)


# In the order in which a camera spoils a photo. Framing and distance happen before, when the scene is made.
PIXELWISE: dict[str, Callable[[np.random.Generator, Image, float], Image]] = {
    "bad_light": light,
    "blurry": blur,
    "low_resolution": resolution,
}
GEOMETRIC = ("bad_framing", "too_far_away")
