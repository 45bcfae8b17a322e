"""Images without labels: those that parity compares outputs on, and those that activation ranges come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import ModelSpec, Pixels
from imageqx_export.data.photos import describe_left_out, find_photos, list_photos, read_photos
from imageqx_export.data.settings import USUAL, PhotoSettings, choose_settings
from imageqx_export.errors import DatasetError, PhotoError
from imageqx_export.support.progress import Progress, silent

PARITY_IMAGES = 64
PARITY_SEED = 2**32
CALIBRATION_IMAGES = 256
CLEAN_IMAGES = 128
# How training's own scenes are drawn; what is held out, and what parity draws, have seeds from 2 ** 31 on.
CALIBRATION_SEED = 0
_NAMED = 5


def generate_images(count: int | None = None, seed: int = PARITY_SEED, *, spec: ModelSpec | None = None) -> Pixels:
    """Return synthetic photos, good and degraded, uint8 [count,H,W,3].

    Args:
        count: How many; None for those that make 64 pictures.
        seed: A seed always gives the same.
        spec: Of the model that takes them; None for ImageQX's 224 × 224.
    """
    from imageqx_export.data.held_out import make_synthetic_samples

    count = count_photos(PARITY_IMAGES, spec) if count is None else count
    return make_synthetic_samples(count, seed, _choose(spec)).pixels


def count_photos(pictures: int, spec: ModelSpec | None) -> int:
    """Return how many photos make at least so many pictures for a network's first layer.

    One each, unless the network cuts regions out of a photo: what its layers are asked about is then as much with fewer
    photos, and takes as long.
    """
    regions = None if spec is None or spec.binary is None else spec.binary.regions
    return pictures if regions is None else -(-pictures // len(regions.parts))


def _choose(spec: ModelSpec | None) -> PhotoSettings:
    return USUAL if spec is None else choose_settings(spec)


def read_images(folder: Path, *, spec: ModelSpec | None = None) -> Pixels:
    """Read every photo below ``folder``, uint8 [N,H,W,3].

    Args:
        folder: With 64 photos or more, at any depth.
        spec: As for :func:`generate_images`.

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
    for photo in read_photos(files, size=_choose(spec).size):
        if isinstance(photo, PhotoError):
            raise photo
        images.append(photo)
    return np.stack(images)


def gather_calibration_images(
    folder: Path | None, *, spec: ModelSpec | None = None, progress: Progress = silent
) -> tuple[Pixels, str]:
    """Return images to calibrate on and a sentence on where they come from.

    Args:
        folder: The user's photos, at any depth; None for synthetic samples of the scenes that were trained on, degraded
            as training degrades them: 256, or as many as 256 regions are cut out of.
        spec: As for :func:`generate_images`.
        progress: Opens a bar over the photos.

    Returns:
        uint8 [N,H,W,3], and the sentence, without a full stop.

    Raises:
        DatasetError: The folder is missing, has fewer than 256 photos, or has one that cannot be read.
    """
    if folder is None:
        count = count_photos(CALIBRATION_IMAGES, spec)
        source = f"{count} synthetic samples of training's scenes, seed {CALIBRATION_SEED}"
        return generate_images(count, CALIBRATION_SEED, spec=spec), source
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
    for path, photo in zip(files, read_photos(files, progress, _choose(spec).size), strict=True):
        if isinstance(photo, PhotoError):
            unreadable.append(path.relative_to(folder).as_posix())
        else:
            images.append(photo)
    _require_calibration_images(folder, len(images), unreadable)
    return np.stack(images), f"{len(images)} photos below {folder.name}{describe_left_out(left_out)}"


def add_clean_photos(
    calibration: tuple[Pixels, str], photos: Path | None, *, spec: ModelSpec, progress: Progress = silent
) -> tuple[Pixels, str]:
    """Add good photos as they are, half of them a little brighter: synthetic samples are rarely as plain or as bright.

    Args:
        calibration: What :func:`gather_calibration_images` returned.
        photos: A folder with a folder per class, of which the training side is taken; None adds nothing.
        spec: Of the model that takes them.
        progress: Opens a bar over the photos.

    Raises:
        DatasetError: The folder cannot be used.
    """
    from imageqx_export.data.folder import read_folder
    from imageqx_export.data.held_out import draw_clean

    if photos is None:
        return calibration
    settings, (pixels, source) = choose_settings(spec), calibration
    count = count_photos(CLEAN_IMAGES, spec)
    folder = read_folder(photos, settings=settings, progress=progress)
    clean = draw_clean(folder.side("train"), count, CALIBRATION_SEED, settings)
    return np.concatenate([pixels, clean]), f"{source}, and {count} photos of {photos.name}, half a little brighter"


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
