"""Pictures and colour profiles made on the spot, and what numpy makes of them by the definitions."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]
SIZE = 224
REDUCED_SIDE = 336

# The ICC's own figures: XYZ of each primary adapted to D50, of Display P3 and Adobe RGB (1998).
P3 = np.array([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
ADOBE = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
D50 = (0.9642, 1.0, 0.8249)


def triangle(source: int, target: int) -> Array:
    """Weigh ``source`` samples for each of ``target``: a tent as wide as two of the larger samples."""
    scale = source / target
    reach = max(scale, 1.0)
    centres = (np.arange(target) + 0.5) * scale
    weights = np.maximum(0.0, 1.0 - np.abs(np.arange(source)[None] + 0.5 - centres[:, None]) / reach)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def stretched(picture: Array) -> Array:
    """Stretch [height, width, 3] to float64 [224, 224, 3] without rounding in between."""
    rows, columns = triangle(picture.shape[0], SIZE), triangle(picture.shape[1], SIZE)
    channels = np.moveaxis(picture.astype(float), -1, 0)
    return np.asarray(np.moveaxis(rows @ channels @ columns.T, 0, -1))


def to_srgb(colours: Array, primaries: Array, gamma: float | None) -> Array:
    """Convert 0..255 to sRGB's 0..255 with matrices; ``gamma`` None means sRGB's own curve."""
    x = colours / 255.0
    linear = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4) if gamma is None else x**gamma
    y = (linear @ (np.linalg.inv(SRGB) @ primaries).T).clip(0.0, 1.0)
    return np.asarray(255.0 * np.where(y <= 0.0031308, 12.92 * y, 1.055 * y ** (1 / 2.4) - 0.055))


def icc(primaries: Array | None, gamma: float | None) -> bytes:
    """Write an ICC version 2 profile byte by byte: of three primaries, or of grey."""

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"para\0\0\0\0" + struct.pack(">HH", 3, 0)
    curve += fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    if gamma is not None:
        curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = {b"wtpt": b"XYZ \0\0\0\0" + fixed(*D50)}
    if primaries is None:
        tags[b"kTRC"] = curve
    else:
        for name, column in zip((b"r", b"g", b"b"), primaries.T, strict=True):
            tags[name + b"XYZ"] = b"XYZ \0\0\0\0" + fixed(*column)
            tags[name + b"TRC"] = curve
    table, body = struct.pack(">I", len(tags)), b""
    for tag, value in tags.items():
        table += tag + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(value))
        body += value
    space = b"GRAY" if primaries is None else b"RGB "
    header = struct.pack(">4xI4s4s4s", 0x02400000, b"mntr", space, b"XYZ ") + bytes(12) + b"acsp"
    header = (header + bytes(28) + fixed(*D50)).ljust(124, b"\0")
    return struct.pack(">I", 128 + len(table) + len(body)) + header + table + body


def file_of(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def textured(height: int, width: int) -> Image.Image:
    """Make a photo-like picture: soft light, blocky texture, hard edges, noise."""
    draw = np.random.default_rng(5)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    scene = np.stack([120 + 90 * np.sin(9 * x + 4 * y), 120 + 90 * np.cos(7 * y), 110 + 80 * np.sin(11 * x)], -1)
    for block in (2, 5, 16, 50):
        grain = draw.normal(0, 7, (height // block + 1, width // block + 1))
        scene += np.kron(grain, np.ones((block, block)))[:height, :width, None]
    for _ in range(25):
        top, left = draw.integers(0, height), draw.integers(0, width)
        scene[top : top + height // 5, left : left + width // 5] *= 0.5
        scene[top : top + height // 5, left : left + width // 5] += draw.integers(0, 128, 3)
    return Image.fromarray((scene + draw.normal(0, 4, scene.shape)).clip(0, 255).astype(np.uint8))


def colour(pixels: Array) -> list[int]:
    """Return the one colour of a constant picture."""
    assert pixels.dtype == np.uint8
    assert pixels.shape == (224, 224, 3)
    assert (pixels == pixels[0, 0]).all(), "the picture is not constant"
    return [int(value) for value in pixels[0, 0]]


def furthest(a: Array, b: Array | list[int]) -> float:
    return float(np.abs(np.asarray(a, float) - np.asarray(b, float)).max())
