"""Read a folder of photos: lesion/, healthy_skin/ and no_skin/, split so that no group is on both sides."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np

from imageqx_export.data.synthetic import Floats, Image, SceneClass
from imageqx_export.errors import DatasetError, PhotoError
from imageqx_export.preprocess import open_photo

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})
MIN_SIDE = 96
_KEPT_SIDE = 288
_LAB_WEIGHTS = np.array([0.3, 2, 2], np.float32)
_PLAIN = 30.0  # in weighted Lab units
_PLAIN_SHARE = 0.75  # of the border
_SUBJECT_SHARES = (0.06, 0.7)  # of the frame
Split = Literal["train", "val"]


@dataclass(frozen=True)
class PhotoFolder:
    """Hold one split of a folder of photos, decoded.

    Args:
        root: The folder.
        split: Which side of the split.
        images: Per class, uint8 [H,W,3] pictures whose longer side is at most 288.
        names: Per class, the file names, in the order of ``images``.
        skipped: Per reason for leaving a file out, how many.
        cutouts: Per photo of healthy skin, its subject's mask, or None where the background is not plain.
    """

    root: Path
    split: Split
    images: dict[SceneClass, list[Image]] = field(repr=False)
    names: dict[SceneClass, list[str]] = field(repr=False)
    skipped: dict[str, int]
    cutouts: list[Floats | None] = field(repr=False, default_factory=list)

    def has(self, label: SceneClass) -> bool:
        """Say whether there is at least one photo of ``label``."""
        return bool(self.images[label])

    def draw(self, rng: np.random.Generator, label: SceneClass) -> tuple[Image, Floats | None]:
        """Draw one photo of ``label``, and its subject's mask [H,W] in [0, 1] where there is one."""
        index = int(rng.integers(len(self.images[label])))
        mask = self.cutouts[index] if label == "healthy_skin" and self.cutouts else None
        return self.images[label][index], mask

    def counts(self) -> dict[str, int]:
        """Count the photos per class."""
        return {label: len(pictures) for label, pictures in self.images.items()}


def _group_key(root: Path) -> dict[str, str]:
    manifest = root / "manifest.csv"
    if not manifest.is_file():
        return {}
    with manifest.open(newline="", encoding="utf-8-sig") as file:
        return {row["file"]: row["group"] for row in csv.DictReader(file) if row.get("file") and row.get("group")}


def _split_of(groups: list[str], settled: dict[str, Split] | None = None) -> dict[str, Split]:
    """Put a fifth of the groups, at least one where there are two, into ``val``, by their names' hash.

    With five groups or fewer the one with the fewest photos is held out, as a hash would be a gamble. A group in
    ``settled`` stays where another class has put it.
    """
    settled = settled or {}
    names = sorted(set(groups) - set(settled), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    if len(names) < 2:
        return settled | dict.fromkeys(names, "train")
    if len(names) <= 5:
        held = {min(names, key=lambda name: (groups.count(name), name))}
    else:
        held = set(names[: max(1, len(names) // 5)])
    return settled | {name: "val" if name in held else "train" for name in names}


def _files(root: Path, label: SceneClass) -> list[Path]:
    return sorted(path for path in (root / label).rglob("*") if path.suffix.lower() in SUFFIXES)


def count_files(root: Path) -> int:
    """Count the photos of all classes below ``root``, readable or not.

    Raises:
        DatasetError: There is no such folder.
    """
    if not root.is_dir():
        raise DatasetError("no such folder of photos", where=root, remedy="pass a folder with lesion/, no_skin/ …")
    return sum(len(_files(root, label)) for label in get_args(SceneClass))


def read_folder(
    root: Path, split: Split, advance: Callable[[], None] = lambda: None, min_side: int = MIN_SIDE
) -> PhotoFolder:
    """Read one split of ``root``.

    ``root`` has the folders ``lesion``, ``healthy_skin`` and ``no_skin``. If it also has a ``manifest.csv`` with
    the columns ``file`` and ``group`` (patient, person or series), a group is never split; otherwise a file is
    its own group. Photos whose shorter side is under ``min_side`` pixels are left out, as they *are* of low
    resolution and would be labelled as if they were not; so are files that cannot be read.

    Args:
        root: The folder.
        split: ``"train"`` or ``"val"`` (a fifth of the groups).
        advance: Called once per file.
        min_side: Pixels.

    Raises:
        DatasetError: The folder is missing, or a class has no usable photo in ``"train"``.
    """
    groups = _group_key(root)
    count_files(root)  # raises if there is no folder
    images: dict[SceneClass, list[Image]] = {}
    names: dict[SceneClass, list[str]] = {}
    sides: dict[str, Split] = {}
    skipped = {"unreadable": 0, f"under {min_side} px": 0}
    for label in get_args(SceneClass):
        files = _files(root, label)
        keys = [groups.get(p.relative_to(root).as_posix(), p.relative_to(root).as_posix()) for p in files]
        loaded: list[tuple[str, str, Image]] = []
        for path, key in zip(files, keys, strict=True):
            advance()
            picture = _read(path, min_side, skipped)
            if picture is not None:
                loaded.append((path.relative_to(root).as_posix(), key, picture))
        sides = _split_of([key for _, key, _ in loaded], sides)
        kept = [(name, picture) for name, key, picture in loaded if sides[key] == split]
        images[label] = [picture for _, picture in kept]
        names[label] = [name for name, _ in kept]
        if split == "train" and not kept:
            raise DatasetError(
                "a class has no usable photo", where=root / label, expected=f"at least one of {min_side} px or more",
                got=f"{len(files)} files, none usable", remedy="add photos, or leave --photos out",
            )  # fmt: skip
    return PhotoFolder(root, split, images, names, skipped, [cutout(picture) for picture in images["healthy_skin"]])


def cutout(picture: Image) -> Floats | None:
    """Find the subject in front of a plain background, so that it can be put in front of another one.

    Hands come from few rooms; without this a network learns the rooms. The background is the border's median
    colour; Otsu's threshold on the distance to it gives the mask.

    Args:
        picture: uint8 [H,W,3].

    Returns:
        float32 [H,W] in [0, 1], or None where the border is not plain or the mask is implausible.
    """
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.float32)
    border = np.concatenate([lab[:4].reshape(-1, 3), lab[:, :4].reshape(-1, 3), lab[:, -4:].reshape(-1, 3)])
    middle = np.median(border, 0)
    # Lightness counts for less: shadows on the background are not the subject.
    distance = np.hypot.reduce((lab - middle) * _LAB_WEIGHTS, axis=2)
    near = np.hypot.reduce((border - middle) * _LAB_WEIGHTS, axis=1) < _PLAIN
    if near.mean() < _PLAIN_SHARE:
        return None
    _, mask = cv2.threshold(np.clip(distance * 2, 0, 255).astype(np.uint8), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    side = max(3, max(picture.shape) // 30) | 1
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    share = float((mask > 0).mean())
    if not _SUBJECT_SHARES[0] < share < _SUBJECT_SHARES[1]:
        return None
    return np.asarray(cv2.GaussianBlur(mask, (3, 3), 0) / 255, np.float32)


def _read(path: Path, min_side: int, skipped: dict[str, int]) -> Image | None:
    try:
        picture = np.asarray(open_photo(path))
    except PhotoError:
        skipped["unreadable"] += 1
        return None
    if min(picture.shape[:2]) < min_side:
        skipped[f"under {min_side} px"] += 1
        return None
    shrink = _KEPT_SIDE / max(picture.shape[:2])
    if shrink < 1:
        size = (round(picture.shape[1] * shrink), round(picture.shape[0] * shrink))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(picture, np.uint8)
