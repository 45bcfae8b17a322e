"""Read a folder of photos: lesion/, healthy_skin/ and no_skin/, split so that no group is on two sides."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, get_args

import cv2
import numpy as np
from PIL.Image import Resampling

from imageqx_export.data.bank import PHOTO, Bank, make_bank
from imageqx_export.data.labels import SPLITS, Split
from imageqx_export.data.photos import list_photos
from imageqx_export.data.saliency import find_lesion, is_whole
from imageqx_export.data.settings import USUAL, PhotoSettings
from imageqx_export.data.skin import Floats
from imageqx_export.data.splits import TEST_SHARE, VAL_SHARE
from imageqx_export.data.synthetic import Image, SceneClass
from imageqx_export.data.tables import read_table
from imageqx_export.data.vocabulary import LABELS
from imageqx_export.errors import DatasetError, PhotoError
from imageqx_export.preprocess import open_photo
from imageqx_export.support.progress import Progress, silent

MIN_SIDE = 96
_CLASSES: tuple[SceneClass, ...] = get_args(SceneClass)
_LAB_WEIGHTS = np.array([0.3, 2, 2], np.float32)
_PLAIN = 30.0  # in weighted Lab units
_PLAIN_SHARE = 0.75  # of the border
_SUBJECT_SHARES = (0.06, 0.7)  # of the frame


@dataclass(frozen=True)
class PhotoFolder:
    """A folder of photos, decoded, every split of it.

    Args:
        root: The folder.
        bank: The pictures.
        names: Their files, relative to ``root``.
        splits: The side of the split that each is on.
        skipped: Per reason for leaving a file out, how many.
        groups: Per class, how many groups its photos are of.
    """

    root: Path
    bank: Bank = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    splits: tuple[Split, ...] = field(repr=False)
    skipped: dict[str, int]
    groups: dict[str, int]

    def side(self, split: Split) -> Bank:
        """Return one side of the split."""
        return self.bank.take(np.flatnonzero(np.array(self.splits) == split))

    def counts(self, split: Split) -> dict[str, int]:
        """Count one side's photos per class."""
        sides = zip(self.bank.quality, self.splits, strict=True)
        counted = Counter(LABELS[quality] for quality, side in sides if side == split)
        return {label: counted[label] for label in _CLASSES}

    def list_gaps(self) -> tuple[str, ...]:
        """Say which class has no photo on which side of the split, and why; a sentence each without a full stop."""
        gaps = []
        for label in _CLASSES:
            groups = self.groups[label]
            why = f"it has {groups} {'group' if groups == 1 else 'groups'} (patients, persons or series)"
            if groups >= 3:
                why = "its groups (patients, persons or series) are shared with classes that need them elsewhere"
            for side in ("train", "val", "test"):
                if not self.counts(side)[label]:
                    gaps.append(f"no photo of {label} on the {side} side: {why}; synthetic scenes stand in")
        return tuple(gaps)


class _Row(NamedTuple):
    group: str
    fitzpatrick: int
    split: str = ""


class _Decoded(NamedTuple):
    image: Image
    mask: Image | None


def _read_manifest(root: Path) -> dict[str, _Row]:
    path = root / "manifest.csv"
    if not path.is_file():
        return {}
    rows, problems = read_table(path, ("file",), ("group", "fitzpatrick", "split"), others=True)
    if problems:  # a group that is overlooked would put a patient on two sides
        raise DatasetError(
            "the manifest cannot be used",
            where=path,
            expected="columns file, group and, if known, fitzpatrick and split",
            got="; ".join(map(str, problems[:3])),
            remedy="correct it, or remove it if each photo is its own group",
        )
    known = (row for _, row in rows if row["file"])
    return {
        row["file"]: _Row(row["group"] or row["file"], _parse_skin_type(row["fitzpatrick"]), row["split"])
        for row in known
    }


def _settle(rows: dict[str, _Row], path: Path) -> dict[str, Split]:
    """Return the sides that the manifest's column ``split`` says for groups; a group that is on two is refused."""
    settled: dict[str, Split] = {}
    for name, row in rows.items():
        split = next((split for split in SPLITS if split == row.split), None)
        if row.split and (split is None or settled.setdefault(row.group, split) != split):
            raise DatasetError(
                "the manifest's split cannot be used",
                where=f"{path}: {name}",
                expected="train, val or test, the same in every row of a group, or nothing",
                got=f"{row.split} for {row.group}",
                remedy="correct it, or leave the column out",
            )
    return settled


def _parse_skin_type(text: str) -> int:
    try:
        number = int(float(text or 0))
    except (ValueError, OverflowError):
        return 0
    return number if 1 <= number <= 6 else 0


def hold_out_groups(groups: Sequence[str], settled: dict[str, Split], val_share: float = VAL_SHARE) -> dict[str, Split]:
    """Hold out 15 % of the groups to test and ``val_share`` to validate, by their names' hash.

    With six groups or fewer those with the fewest photos are held out, as a hash would be a gamble: one to test from
    two groups on, and another to validate from three on; with fewer, synthetic scenes stand in for the class there.

    Args:
        groups: A name per photo.
        settled: Where other classes have put a group; it stays there.
        val_share: Of the groups.

    Returns:
        ``settled`` and the new groups.
    """
    names = sorted(set(groups) - set(settled), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    if len(names) <= 6:
        counted = Counter(groups)
        names.sort(key=lambda name: (counted[name], name))
    test = max(1, round(TEST_SHARE * len(names))) if len(names) >= 2 else 0
    val = max(1, round(val_share * len(names))) if len(names) >= 3 else 0
    first: dict[str, Split] = dict.fromkeys(names[:test], "test")
    second: dict[str, Split] = dict.fromkeys(names[test : test + val], "val")
    return settled | dict.fromkeys(names[test + val :], "train") | first | second


def _list_files(root: Path, label: SceneClass) -> list[Path]:
    return list(list_photos(root / label).photos)


def read_folder(
    root: Path, *, settings: PhotoSettings = USUAL, min_side: int = MIN_SIDE, progress: Progress = silent
) -> PhotoFolder:
    """Read ``root``.

    ``root`` has the folders ``lesion``, ``healthy_skin`` and ``no_skin``. If it also has a ``manifest.csv`` with
    the columns ``file`` and ``group`` (patient, person or series), a group is never split; otherwise a file is
    its own group. A column ``fitzpatrick`` gives skin types, and a column ``split`` (train, val or test) says on which
    side a group stays, such as that of an earlier run whose weights are gone on from. Photos whose shorter side is
    under ``min_side`` pixels are left out, as they *are* of low resolution and would be labelled as if they were not;
    so are files that cannot be read.

    Args:
        root: The folder.
        settings: What the network wants photos to be like.
        min_side: Pixels.
        progress: Opens a bar.

    Raises:
        DatasetError: The folder is missing, its manifest cannot be used, or a class has no photo to train on.
    """
    if not root.is_dir():
        raise DatasetError("no such folder of photos", where=root, remedy="pass a folder with lesion/, no_skin/ …")
    rows = _read_manifest(root)
    listed = {label: list_photos(root / label) for label in _CLASSES}
    skipped = Counter({"unreadable": 0, f"under {min_side} px": 0})
    for files in listed.values():
        skipped.update(files.left_out)
    found = [(path, label) for label, files in listed.items() for path in files.photos]
    pictures: list[_Decoded] = []
    names: list[str] = []
    labels: list[SceneClass] = []
    with progress("reading photos", len(found)) as advance, ThreadPoolExecutor() as threads:
        decoded = threads.map(lambda item: _decode(item[0], settings.side, min_side, item[1]), found)
        for (path, label), picture in zip(found, decoded, strict=True):
            advance()
            if isinstance(picture, str):
                skipped[picture] += 1
                continue
            pictures.append(picture)
            names.append(path.relative_to(root).as_posix())
            labels.append(label)
    known = [rows.get(name, _Row(name, 0)) for name in names]
    sides = _settle(rows, root / "manifest.csv")
    for label in _CLASSES:
        sides = hold_out_groups(
            [row.group for row, own in zip(known, labels, strict=True) if own == label], sides, settings.val_share
        )
    splits = tuple(sides[row.group] for row in known)
    _check_classes(root, list(zip(labels, splits, strict=True)), min_side)
    bank = make_bank(
        np.stack([picture.image for picture in pictures]),
        np.array([LABELS.index(label) for label in labels], np.int64),
        PHOTO,
        fitzpatrick=np.array([row.fitzpatrick for row in known], np.int64),
        masks=[picture.mask for picture in pictures],
    )
    groups: dict[str, int] = {
        label: len({row.group for row, own in zip(known, labels, strict=True) if own == label}) for label in _CLASSES
    }
    return PhotoFolder(root, bank, tuple(names), splits, dict(skipped), groups)


def _check_classes(root: Path, photos: list[tuple[SceneClass, Split]], min_side: int) -> None:
    """Refuse a folder of which a class has no photo to train on."""
    for label in _CLASSES:
        own = [split for other, split in photos if other == label]
        if not own:
            raise DatasetError(
                "a class has no usable photo",
                where=root / label,
                expected=f"at least one of {min_side} px or more",
                got=f"{len(_list_files(root, label))} files, none usable",
                remedy="add photos, or leave --photos out",
            )
        if "train" not in own:
            raise DatasetError(
                "a class has no photo to train on",
                where=root / label,
                expected="a group that is not held out",
                got=f"{len(own)} photos, all of groups that other classes share and that are held out",
                remedy="add photos of another group (patient, person or series), or leave --photos out",
            )


def cut_out_subject(picture: Image) -> Floats | None:
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


def _decode(path: Path, side: int, min_side: int, label: SceneClass) -> _Decoded | str:
    """Decode a photo, or say why it is left out."""
    try:
        photo = open_photo(path)
    except PhotoError:
        return "unreadable"
    if min(photo.size) < min_side:
        return f"under {min_side} px"
    # As preprocess does; with its draft decoding, a photo's own size would not be known.
    picture = np.asarray(photo.resize((side, side), Resampling.BILINEAR), np.uint8)
    if label == "lesion":
        return _Decoded(picture, find_lesion(picture))
    found = cut_out_subject(picture)
    mask = None if found is None else np.asarray(np.rint(found * 255), np.uint8)
    if label == "no_skin" and mask is not None and not is_whole(mask):
        mask = None
    return _Decoded(picture, mask)
