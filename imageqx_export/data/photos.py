"""Files of photos: find those below a folder, and read them as the model sees them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import Preprocessing
from imageqx_export.data.bank import SIDE
from imageqx_export.errors import PhotoError
from imageqx_export.support.processes import start_pool
from imageqx_export.support.progress import Progress, silent

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})


def find_photos(folder: Path) -> list[Path]:
    """List the photos below ``folder``, at any depth, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def read_photos(
    paths: Sequence[Path], progress: Progress = silent, side: int = SIDE
) -> Iterator[NDArray[np.uint8] | PhotoError]:
    """Read photos in threads, in their order.

    Args:
        paths: The files.
        progress: Opens a bar over them.
        side: Pixels a side.

    Yields:
        Per file its pixels, uint8 [side,side,3], or why they cannot be read.
    """
    # Threads: Pillow decodes and stretches without Python's lock, and processes would copy every picture.
    with progress("reading photos", len(paths)) as advance, start_pool() as threads:
        for photo in threads.map(partial(_read, side=side), paths):
            advance()
            yield photo


def _read(path: Path, side: int) -> NDArray[np.uint8] | PhotoError:
    from imageqx_export.preprocess import load_pixels

    try:
        return load_pixels(path, Preprocessing(height=side, width=side))
    except PhotoError as error:
        return error
