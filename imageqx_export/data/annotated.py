"""Turn annotation tables, or tables of fused labels, into labelled photos to train and measure on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from imageqx_export.artifact import Pixels
from imageqx_export.data.annotations import Rating, read_ratings
from imageqx_export.data.fusion import fuse
from imageqx_export.data.labels import SPLITS, Label, LabelledPhotos, Split
from imageqx_export.data.photos import read_photos
from imageqx_export.data.settings import USUAL, PhotoSettings
from imageqx_export.data.splits import VAL_SHARE
from imageqx_export.data.tables import Problem, Row, read_columns, read_table, write_table
from imageqx_export.data.vocabulary import LABELS, REASONS
from imageqx_export.data.votes import count_votes
from imageqx_export.errors import DatasetError, PhotoError
from imageqx_export.preprocess import measure_sides
from imageqx_export.support.files import has_file
from imageqx_export.support.progress import Progress, silent

FUSED = ("image", "group", "split", "label", "reasons", "raters", "fitzpatrick")
SOFT = tuple(f"share_{name}" for name in (*LABELS, *REASONS))
_SHOWN = 3


def clean_ratings(path: Path) -> tuple[Rating, ...]:
    """Read an annotation table that must be without a bad row.

    Raises:
        DatasetError: There is a bad row (the first are named), no such file, or it is no table.
    """
    ratings, problems = read_ratings(path)
    _refuse(problems, path, f"imageqx data check {path}")
    return ratings


def read_labels(path: Path, *, val_share: float = VAL_SHARE) -> tuple[Label, ...]:
    """Read labels from an annotation table, which is fused, or from a table that :func:`write_labels` wrote.

    Without its soft columns, a table of fused labels says nothing of the raters' shares: the label counts as
    everybody's then, and so does every reason.

    Args:
        path: The table.
        val_share: Of an annotation table's groups whose split it does not give, the share that validates.

    Raises:
        DatasetError: There is a bad row (the first are named), no such file, or it is no table.
    """
    if "evaluation" in (columns := read_columns(path)) or "label" not in columns:
        return fuse(clean_ratings(path), val_share=val_share)
    soft = SOFT if any(name in columns for name in SOFT) else ()
    rows, problems = read_table(path, (*FUSED, *soft))
    labels: list[Label] = []
    for row in rows:
        try:
            labels.append(_label_of(row, soft=bool(soft)))
        except ValueError as error:
            problems.append(Problem(row[0], "(row)", str(error), ""))
    problems += _repeats([(line, row["image"]) for line, row in rows])
    problems += _find_torn([(line, row["group"], row["split"]) for line, row in rows])
    if not rows and not problems:
        problems.append(Problem(1, "(table)", "there is no row", ""))
    _refuse(problems, path, "imageqx data labels, to write the table anew")
    return tuple(labels)


def write_labels(labels: Sequence[Label], path: Path, *, soft: bool = False) -> None:
    """Write fused labels as a table, ``.csv`` or ``.parquet``.

    Args:
        labels: One per photo.
        path: The file, replaced in one step.
        soft: Whether to add the share of raters per label and reason, in [0, 1].
    """
    rows: list[list[object]] = []
    for label in labels:
        reasons = ";".join(name for name, given in zip(REASONS, label.reasons, strict=True) if given)
        start = [label.image, label.group, label.split, LABELS[label.quality], reasons]
        rows.append([*start, label.raters, str(label.fitzpatrick or "")])
        if soft:
            rows[-1] += [*label.shares, *label.reason_shares]
    write_table(path, (*FUSED, *(SOFT if soft else ())), rows)


def read_labels_with_photos(annotations: Path, images: Path, *, val_share: float = VAL_SHARE) -> tuple[Label, ...]:
    """Read labels whose photos must all be there.

    Args:
        annotations: An annotation table, or a table of fused labels.
        images: The folder of photos that the table's names are relative to.
        val_share: As for :func:`read_labels`.

    Raises:
        DatasetError: A row is bad or a photo is missing; the first are named.
    """
    labels = read_labels(annotations, val_share=val_share)
    if not images.is_dir():
        raise DatasetError(
            "no such folder of photos", where=images, remedy="pass the folder that the table's names are relative to"
        )
    missing = [label.image for label in labels if not has_file(images, label.image)]
    if missing:
        raise DatasetError(
            f"{len(missing)} of {len(labels)} photos are missing",
            where=images,
            got=_join_some(missing),
            remedy=f"imageqx data check {annotations} --images {images}",
        )
    return labels


def read_labelled(
    annotations: Path, images: Path, split: Split, *, settings: PhotoSettings = USUAL, progress: Progress = silent
) -> LabelledPhotos:
    """Read one split's photos as the network sees them, with the truth about each.

    Photos that cannot be read, or are smaller than the network's regions, are left out; ``source`` says how many.

    Args:
        annotations: An annotation table, or a table of fused labels.
        images: The folder of photos.
        split: ``"train"``, ``"val"`` or ``"test"``.
        settings: What the network wants photos to be like.
        progress: Opens a bar.

    Raises:
        DatasetError: A row is bad, a photo is missing, the split has no photo, none of its photos can be read or all
            are too small, or it is ``"train"`` and a label that the network learns has no photo.
    """
    labels = [
        label
        for label in read_labels_with_photos(annotations, images, val_share=settings.val_share)
        if label.split == split
    ]
    if not labels:
        raise DatasetError(f"no photo is in the split {split}", where=annotations, remedy="give some rows that split")
    photos = read_photos([images / label.image for label in labels], progress, settings.size)
    read = [(label, photo) for label, photo in zip(labels, photos, strict=True) if not isinstance(photo, PhotoError)]
    if not read:
        raise DatasetError(
            f"none of the {len(labels)} photos of {split} can be read",
            where=images,
            remedy=f"imageqx data check {annotations} --images {images}",
        )
    left_out = f", {len(labels) - len(read)} unreadable left out" if len(read) < len(labels) else ""
    if settings.min_side:
        count = len(read)
        read = _drop_small(read, images, split, settings.min_side)
        left_out += f", {count - len(read)} under {settings.min_side} px left out" if len(read) < count else ""
    kept = [label for label, _ in read]
    if split == "train" and settings.every_label:
        _require_every_label(kept, annotations)
    return LabelledPhotos(
        pixels=np.stack([photo for _, photo in read]),
        quality=np.array([label.quality for label in kept], np.int64),
        reasons=np.array([label.reasons for label in kept], np.float32),
        fitzpatrick=np.array([label.fitzpatrick for label in kept], np.int64),
        names=tuple(label.image for label in kept),
        source=f"{len(kept)} photos of {annotations.name} ({split}{left_out})",
        votes=count_votes(kept),
    )


def _drop_small(
    read: Sequence[tuple[Label, Pixels]], images: Path, split: Split, least: int
) -> list[tuple[Label, Pixels]]:
    """Return the photos whose shorter side has so many pixels; refuse a side that has none."""
    sides = [min(measure_sides(images / label.image)) for label, _ in read]
    if max(sides) < least:
        raise DatasetError(
            f"every photo of {split} is smaller than a region that the network looks at",
            where=images,
            expected=f"photos with {least} px or more on the shorter side",
            got=f"{len(read)} photos of {min(sides)} to {max(sides)} px",
            remedy="give the photos as they were taken, not their thumbnails",
        )
    return [row for row, side in zip(read, sides, strict=True) if side >= least]


def _require_every_label(labels: Sequence[Label], annotations: Path) -> None:
    counts = Counter(label.quality for label in labels)
    empty = [name for index, name in enumerate(LABELS) if not counts[index]]
    if empty:
        raise DatasetError(
            f"no photo to train on is labelled {' or '.join(empty)}",
            where=annotations,
            expected="at least one readable photo per label in the split train",
            got=", ".join(f"{counts[index]} {name}" for index, name in enumerate(LABELS)),
            remedy="add photos of what is missing",
        )


def _label_of(row: Row, *, soft: bool) -> Label:
    cells = row[1]
    if not cells["image"] or not cells["group"]:
        raise ValueError("no image or no group")
    if cells["label"] not in LABELS:
        raise ValueError(f"label: not one of {', '.join(LABELS)}: '{cells['label']}'")
    if cells["split"] not in SPLITS:
        raise ValueError(f"split: not one of {', '.join(SPLITS)}: '{cells['split']}'")
    given = [part for part in cells["reasons"].split(";") if part]
    if not set(given) <= set(REASONS):
        raise ValueError(f"reasons: not of {', '.join(REASONS)}: '{cells['reasons']}'")
    raters, fitzpatrick = int(cells["raters"]), int(cells["fitzpatrick"] or 0)
    if raters < 1 or not 0 <= fitzpatrick <= 6:
        raise ValueError("raters must be at least 1, and fitzpatrick from 1 to 6")
    quality = LABELS.index(cells["label"])
    reasons = tuple(name in given for name in REASONS)
    shares = tuple(float(index == quality) for index in range(len(LABELS)))
    reason_shares = tuple(map(float, reasons))
    if soft:
        shares, reason_shares = _read_shares(cells)
    return Label(
        image=cells["image"],
        group=cells["group"],
        split=cells["split"],
        quality=quality,
        shares=shares,
        reasons=reasons,
        reason_shares=reason_shares,
        raters=raters,
        fitzpatrick=fitzpatrick,
    )


def _read_shares(cells: Mapping[str, str]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    values = tuple(float(cells[name]) for name in SOFT)
    shares, reason_shares = values[: len(LABELS)], values[len(LABELS) :]
    if not all(0 <= value <= 1 for value in values) or abs(sum(shares) - 1) > 1e-6:
        raise ValueError("shares must lie in [0, 1], and those of the labels add up to 1")
    return shares, reason_shares


def _repeats(names: Sequence[tuple[int, str]]) -> list[Problem]:
    counts = Counter(name for _, name in names)
    return [Problem(line, "image", "the photo has several rows", name) for line, name in names if counts[name] > 1]


def _find_torn(rows: Sequence[tuple[int, str, str]]) -> list[Problem]:
    sides: dict[str, str] = {}
    return [
        Problem(line, "split", f"the group {group} is in {sides[group]} too", split)
        for line, group, split in rows
        if sides.setdefault(group, split) != split
    ]


def _refuse(problems: Sequence[Problem], path: Path, remedy: str) -> None:
    if problems:
        lines = len({problem.line for problem in problems})
        count = f"{lines} bad row{'s' if lines > 1 else ''}"
        raise DatasetError(
            f"the table has {count}", where=path, got=_join_some([str(p) for p in problems]), remedy=remedy
        )


def _join_some(texts: Sequence[str]) -> str:
    more = f"; and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return "; ".join(texts[:_SHOWN]) + more
