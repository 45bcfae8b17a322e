"""A photo of 12 megapixels, as phones take them, and what it costs from its file to a verdict."""

from __future__ import annotations

import io
import statistics
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from imageqx_export.support.frozen import Frozen

if TYPE_CHECKING:
    from PIL import Image

WIDTH, HEIGHT = 4032, 3024
PROCESSES, TURNS = 5, 5
"""Fresh processes of an artifact, and warm turns of each."""

Seconds = Annotated[float, Field(ge=0)]


class PhotoTurn(Frozen):
    """The seconds of one photo on its way to a verdict.

    Args:
        pixels: From the file's bytes to the model's pixels.
        inference: The model's run, the pixels copied in and all outputs copied out.
        decision: From the outputs to label and reasons.
    """

    pixels: Seconds
    inference: Seconds
    decision: Seconds

    @property
    def seconds(self) -> float:
        """From the file to the verdict."""
        return self.pixels + self.inference + self.decision


class PhotoSample(Frozen):
    """The raw times of one fresh process that assesses the same photo several times.

    Args:
        photo: What it is, in words.
        load: Seconds from the artifact's file to a runtime that can run; the libraries are imported before.
        cold: The first turn.
        warm: The following ones.
    """

    photo: str
    load: Seconds
    cold: PhotoTurn
    warm: tuple[PhotoTurn, ...] = Field(min_length=1)


def take_cold(samples: Sequence[PhotoSample]) -> float | None:
    """Return the median over the processes of load and first turn, in seconds; None without any."""
    return _take_median([one.load + one.cold.seconds for one in samples])


def take_warm(
    samples: Sequence[PhotoSample], read: Callable[[PhotoTurn], float] = lambda turn: turn.seconds
) -> float | None:
    """Return the median over all warm turns of what ``read`` reads, in seconds; None without any."""
    return _take_median([read(turn) for one in samples for turn in one.warm])


def _take_median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def make_photo(width: int = WIDTH, height: int = HEIGHT, seed: int = 0) -> Image.Image:
    """Make a photo-like picture: soft light, texture at six scales, hard coloured edges, sensor noise.

    Args:
        width: Pixels per row.
        height: Rows.
        seed: Seed of the random numbers.

    Returns:
        A picture of mode RGB.
    """
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light = [
        110 + 70 * np.sin(x / 310 + y / 500),
        120 + 60 * np.sin(y / 270 - x / 900),
        105 + 60 * np.cos((x + y) / 410),
    ]
    scene = np.stack(light, axis=-1).astype(np.float32)
    for scale in (2, 4, 8, 16, 32, 64):
        grain = random.normal(0, 6, (height // scale + 1, width // scale + 1)).astype(np.float32)
        scene += np.kron(grain, np.ones((scale, scale), np.float32))[:height, :width, None]
    for _ in range(60):
        left, top = int(random.integers(0, width)), int(random.integers(0, height))
        right, bottom = left + int(random.integers(40, 900)), top + int(random.integers(40, 900))
        scene[top:bottom, left:right] *= 0.4
        scene[top:bottom, left:right] += 0.6 * random.integers(0, 256, 3).astype(np.float32)
    scene += random.normal(0, 4, scene.shape).astype(np.float32)
    return Image.fromarray(scene.clip(0, 255).astype(np.uint8))


def encode(picture: Image.Image, profile: bytes | None = None, progressive: bool = False) -> bytes:
    """Return a picture as the bytes of a JPEG file of quality 92, 4:2:0, with an ICC profile if any."""
    buffer = io.BytesIO()
    options = {"quality": 92, "subsampling": "4:2:0", "icc_profile": profile, "progressive": progressive}
    picture.save(buffer, "JPEG", **options)
    return buffer.getvalue()
