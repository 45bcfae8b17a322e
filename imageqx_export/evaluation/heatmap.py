"""Attention over a photo, for verdicts and for an evaluation's figure alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def blend(photo: Image.Image, heat: NDArray[np.float32]) -> Image.Image:
    """Lay a map with values in [0, 1] over an RGB photo: clear where it is 0, red to yellow where it is high."""
    big = Image.fromarray(heat.astype(np.float32)).resize(photo.size, Image.Resampling.BICUBIC)
    level = np.clip(np.asarray(big), 0, 1)[..., None]
    # Two straight pieces, red → yellow: one hue path that also reads in grey, for colour-blind readers.
    color = np.concatenate([np.full_like(level, 255), 255 * level**1.5, 40 * level], axis=2)
    mixed = np.asarray(photo, np.float32) * (1 - 0.7 * level) + color * 0.7 * level
    return Image.fromarray(mixed.astype(np.uint8))
