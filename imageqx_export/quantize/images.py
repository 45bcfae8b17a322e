"""The images that ranges come from: the user's photos, or painted samples of the training distribution."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import Pixels
from imageqx_export.errors import DatasetError, PhotoError
from imageqx_export.preprocess import load_pixels
from imageqx_export.support.progress import Progress, silent

MINIMUM_IMAGES = 256
# How training's own painted scenes are drawn; what is held out, and what parity paints, have seeds from 2 ** 31 on.
TRAINING_SEED = 0
_NAMED = 5


def calibration_images(folder: Path | None, *, progress: Progress = silent) -> tuple[Pixels, str]:
    """Return images to calibrate on and a sentence on where they come from.

    Args:
        folder: The user's photos, at any depth; None for 256 painted samples of the scenes that were trained on, spoilt
            as training spoils them.
        progress: Opens a bar over the photos.

    Returns:
        uint8 [N,224,224,3], N ≥ 256, and the sentence, without a full stop.

    Raises:
        DatasetError: The folder is missing, has fewer than 256 photos, or has one that cannot be read.
    """
    if folder is None:
        from imageqx_export.data.held_out import painted_samples

        source = f"{MINIMUM_IMAGES} painted samples of training's scenes, seed {TRAINING_SEED}"
        return painted_samples(MINIMUM_IMAGES, TRAINING_SEED).pixels, source
    pixels = _read(folder, progress)
    return pixels, f"{len(pixels)} photos below {folder.name}"


def _read(folder: Path, progress: Progress) -> Pixels:
    from imageqx_export.data.folder import SUFFIXES

    if not folder.is_dir():
        raise DatasetError(
            "no such folder of photos to calibrate on",
            where=folder,
            expected=f"at least {MINIMUM_IMAGES} photos",
            remedy="leave --calibration out to calibrate on painted samples",
        )
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    with progress("reading photos", len(files)) as advance, ThreadPoolExecutor() as threads:
        found: list[NDArray[np.uint8]] = []
        unreadable: list[str] = []
        for path, photo in zip(files, threads.map(_pixels, files), strict=True):
            advance()
            if photo is None:
                unreadable.append(path.relative_to(folder).as_posix())
            else:
                found.append(photo)
    _check(folder, len(found), unreadable)
    return np.stack(found)


def _pixels(path: Path) -> NDArray[np.uint8] | None:
    try:
        return load_pixels(path)
    except PhotoError:
        return None


def _check(folder: Path, readable: int, unreadable: list[str]) -> None:
    """Refuse a folder with too few photos or with unreadable ones."""
    if readable >= MINIMUM_IMAGES and not unreadable:
        return
    got = f"{readable} that can be read"
    if unreadable:
        more = f" and {len(unreadable) - _NAMED} more" if len(unreadable) > _NAMED else ""
        got += f", {len(unreadable)} that cannot: {', '.join(unreadable[:_NAMED])}{more}"
    what = "photos that cannot be read" if readable >= MINIMUM_IMAGES else "too few photos to calibrate on"
    remedies = [f"add {MINIMUM_IMAGES - readable} photos"] if readable < MINIMUM_IMAGES else []
    remedies += ["remove or repair those that cannot be read"] if unreadable else []
    remedies += ["leave --calibration out to calibrate on painted samples"]
    raise DatasetError(
        what,
        where=folder,
        expected=f"at least {MINIMUM_IMAGES} photos, each of them readable",
        got=got,
        remedy="; or ".join([" and ".join(remedies[:-1]), remedies[-1]]),
    )
