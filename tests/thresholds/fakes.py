"""Photos of noise with made-up labels, where bookkeeping is tested and not skill."""

from __future__ import annotations

import numpy as np

from imageqx_export.data.labels import LabelledPhotos

COUNT = 40


def labelled(count: int = COUNT, seed: int = 0) -> LabelledPhotos:
    """Give noise of many contrasts with made-up labels."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 7, 7, 3)).repeat(32, 1).repeat(32, 2)
    pixels = np.clip(coarse * rng.uniform(0, 1, (count, 1, 1, 1)), 0, 255).astype(np.uint8)
    return LabelledPhotos(
        pixels=pixels,
        quality=np.arange(count) % 4,
        reasons=(rng.random((count, 5)) < 0.4).astype(np.float32),
        fitzpatrick=np.zeros(count, np.int64),
        names=tuple(map(str, range(count))),
        source="noise",
    )
