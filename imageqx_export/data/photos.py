"""Files of photos: find those below a folder, and read them as the model sees them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import Preprocessing
from imageqx_export.errors import PhotoError
from imageqx_export.support.processes import start_pool
from imageqx_export.support.progress import Progress, silent

SUFFIXES = frozenset(
    f".{ending}"
    for ending in (
        *("jpg", "jpeg", "jpe", "jfif", "mpo", "heic", "heif", "hif", "avif", "png", "webp", "gif"),
        *("tif", "tiff", "bmp", "jp2", "ppm"),
    )
)
"""What the names of photos end with, in lower case: of every format that :mod:`imageqx_export.preprocess` reads."""

_USUAL = Preprocessing()
_DATABASES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", ".ds_store"})


class FoundPhotos(NamedTuple):
    """The photos below a folder, and what else is there.

    Args:
        photos: The files, sorted.
        left_out: Per reason, how many files were passed over; in the order of the reasons' names.
    """

    photos: tuple[Path, ...]
    left_out: dict[str, int]


def list_photos(folder: Path) -> FoundPhotos:
    """List the photos below ``folder``, at any depth, by their names; none is opened.

    Hidden files are passed over, and what systems leave beside photos: macOS's resource forks (``._IMG_1.JPG``, and
    ``__MACOSX/`` in its archives), whose names end as a photo's do, and databases of thumbnails.
    """
    closed: list[OSError] = []
    paths = [Path(place, name) for place, _, names in os.walk(folder, onerror=closed.append) for name in names]
    refused = sum(not isinstance(error, FileNotFoundError | NotADirectoryError) for error in closed)
    photos, left_out = [], Counter({"folder that may not be opened": refused} if refused else {})
    for path in sorted(path for path in paths if path.is_file()):
        reason = find_reason(path.relative_to(folder))
        if reason is None:
            photos.append(path)
        else:
            left_out[reason] += 1
    return FoundPhotos(tuple(photos), dict(sorted(left_out.items())))


def find_photos(folder: Path) -> list[Path]:
    """Return the photos that :func:`list_photos` lists."""
    return list(list_photos(folder).photos)


def describe_left_out(counts: Mapping[str, int]) -> str:
    """Return what stands behind a sentence on where photos come from: how many files were passed over, and why.

    >>> describe_left_out({"unreadable": 2, "under 96 px": 0, "hidden": 1})
    ' (passed over: 2 × unreadable, 1 × hidden)'
    >>> describe_left_out({})
    ''
    """
    told = ", ".join(f"{count:,} × {reason}" for reason, count in counts.items() if count)
    return f" (passed over: {told})" if told else ""


def find_reason(name: Path) -> str | None:
    """Return why a file is passed over, by its name below a folder, or None for a photo."""
    if name.name.startswith("._") or "__MACOSX" in name.parts:
        return "resource fork of macOS"
    if name.name.lower() in _DATABASES:
        return "a system's own file"
    if any(part.startswith(".") for part in name.parts):
        return "hidden"
    ending = name.suffix.lower()
    return None if ending in SUFFIXES else f"no photo's name: {ending or 'without an ending'}"


def read_photos(
    paths: Sequence[Path], progress: Progress = silent, size: Preprocessing = _USUAL
) -> Iterator[NDArray[np.uint8] | PhotoError]:
    """Read photos in threads, in their order.

    Args:
        paths: The files.
        progress: Opens a bar over them.
        size: Has the height and the width to read them with.

    Yields:
        Per file its pixels, uint8 [height,width,3], or why they cannot be read.
    """
    # Threads: Pillow decodes and stretches without Python's lock, and processes would copy every picture.
    with progress("reading photos", len(paths)) as advance, start_pool() as threads:
        for photo in threads.map(partial(_read, size=size), paths):
            advance()
            yield photo


def _read(path: Path, size: Preprocessing) -> NDArray[np.uint8] | PhotoError:
    from imageqx_export.preprocess import load_pixels

    try:
        return load_pixels(path, size)
    except PhotoError as error:
        return error
