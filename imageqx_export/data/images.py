"""Images without labels: those that parity compares outputs on, and those that activation ranges come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import Pixels
from imageqx_export.data.photos import describe_left_out, find_photos, list_photos, read_photos
from imageqx_export.errors import DatasetError, PhotoError
from imageqx_export.support.progress import Progress, silent

PARITY_IMAGES = 64
PARITY_SEED = 2**32
CALIBRATION_IMAGES = 256
# How training's own scenes are drawn; what is held out, and what parity draws, have seeds from 2 ** 31 on.
CALIBRATION_SEED = 0
_NAMED = 5


def generate_images(count: int = PARITY_IMAGES, seed: int = PARITY_SEED) -> Pixels:
    """Return synthetic photos, good and degraded, uint8 [count,224,224,3]."""
    from imageqx_export.data.held_out import synthetic_samples

    return synthetic_samples(count, seed).pixels


def read_images(folder: Path) -> Pixels:
    """Read every photo below ``folder``, uint8 [N,224,224,3].

    Raises:
        DatasetError: The folder is missing or has fewer than 64 photos.
        PhotoError: One of them cannot be read.
    """
    if not folder.is_dir():
        raise DatasetError("no such folder of photos", where=folder)
    files = find_photos(folder)
    if len(files) < PARITY_IMAGES:
        raise DatasetError("too few photos", where=folder, expected=f"at least {PARITY_IMAGES}", got=str(len(files)))
    images = []
    for photo in read_photos(files):
        if isinstance(photo, PhotoError):
            raise photo
        images.append(photo)
    return np.stack(images)


def gather_calibration_images(folder: Path | None, *, progress: Progress = silent) -> tuple[Pixels, str]:
    """Return images to calibrate on and a sentence on where they come from.

    Args:
        folder: The user's photos, at any depth; None for 256 synthetic samples of the scenes that were trained on,
            degraded as training degrades them.
        progress: Opens a bar over the photos.

    Returns:
        uint8 [N,224,224,3], N ≥ 256, and the sentence, without a full stop.

    Raises:
        DatasetError: The folder is missing, has fewer than 256 photos, or has one that cannot be read.
    """
    if folder is None:
        source = f"{CALIBRATION_IMAGES} synthetic samples of training's scenes, seed {CALIBRATION_SEED}"
        return generate_images(CALIBRATION_IMAGES, CALIBRATION_SEED), source
    if not folder.is_dir():
        raise DatasetError(
            "no such folder of photos to calibrate on",
            where=folder,
            expected=f"at least {CALIBRATION_IMAGES} photos",
            remedy="leave --calibration out to calibrate on synthetic samples",
        )
    images: list[NDArray[np.uint8]] = []
    unreadable: list[str] = []
    files, left_out = list_photos(folder)
    for path, photo in zip(files, read_photos(files, progress), strict=True):
        if isinstance(photo, PhotoError):
            unreadable.append(path.relative_to(folder).as_posix())
        else:
            images.append(photo)
    _require_calibration_images(folder, len(images), unreadable)
    return np.stack(images), f"{len(images)} photos below {folder.name}{describe_left_out(left_out)}"


def _require_calibration_images(folder: Path, readable: int, unreadable: list[str]) -> None:
    """Refuse a folder with too few photos or with unreadable ones."""
    if readable >= CALIBRATION_IMAGES and not unreadable:
        return
    got = f"{readable} that can be read"
    if unreadable:
        more = f" and {len(unreadable) - _NAMED} more" if len(unreadable) > _NAMED else ""
        got += f", {len(unreadable)} that cannot: {', '.join(unreadable[:_NAMED])}{more}"
    what = "photos that cannot be read" if readable >= CALIBRATION_IMAGES else "too few photos to calibrate on"
    remedies = [f"add {CALIBRATION_IMAGES - readable} photos"] if readable < CALIBRATION_IMAGES else []
    remedies += ["remove or repair those that cannot be read"] if unreadable else []
    remedies += ["leave --calibration out to calibrate on synthetic samples"]
    raise DatasetError(
        what,
        where=folder,
        expected=f"at least {CALIBRATION_IMAGES} photos, each of them readable",
        got=got,
        remedy="; or ".join([" and ".join(remedies[:-1]), remedies[-1]]),
    )
