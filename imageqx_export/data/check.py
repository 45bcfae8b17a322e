"""Check an annotation table and its photos: every problem by line, and what the table says in counts."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from imageqx_export.data.annotations import COVERED, Rating, group_ratings, read_ratings, settle
from imageqx_export.data.labels import SPLITS
from imageqx_export.data.photos import list_photos, read_photos
from imageqx_export.data.tables import Problem
from imageqx_export.data.vocabulary import LABELS, REASONS
from imageqx_export.errors import PhotoError
from imageqx_export.support.files import has_file
from imageqx_export.support.progress import Progress, silent


@dataclass(frozen=True)
class Summary:
    """The counts of what a table says.

    Args:
        ratings: Rows that are well formed.
        images: Different photos.
        raters: Different raters.
        patients: Different patients; 0 where none is given.
        labels: Ratings per label.
        reasons: Ratings per reason, ``lesion_covered`` (not used) last.
        splits: Photos per split that the table asks for.
        fitzpatrick: Photos per skin type, ``"1"``…``"6"``, and ``"unknown"``.
        unreadable: Photos that are missing or cannot be read, or None where nobody looked.
    """

    ratings: int
    images: int
    raters: int
    patients: int
    labels: dict[str, int]
    reasons: dict[str, int]
    splits: dict[str, int]
    fitzpatrick: dict[str, int]
    unreadable: int | None

    @property
    def never_given(self) -> tuple[str, ...]:
        """The labels that no rater gave: nothing can be learnt or measured of them."""
        return tuple(label for label, count in self.labels.items() if count == 0)


@dataclass(frozen=True)
class Check:
    """What is wrong with a table, by line, and what it says.

    Attributes:
        problems: Every one, by line.
        summary: What the table says.
        left_out: Per reason, how many files of the photos' folder were passed over; None where none was named.
    """

    problems: tuple[Problem, ...]
    summary: Summary
    left_out: dict[str, int] | None = None


def check(path: Path, images: Path | None = None, progress: Progress = silent) -> Check:
    """Find every bad row of an annotation table, and count what it says.

    Args:
        path: A ``.csv`` or ``.parquet`` file.
        images: The folder of photos: every one is decoded. None looks at the table alone.
        progress: Opens a bar.

    Raises:
        DatasetError: There is no such file, or it is no table.
    """
    ratings, problems = read_ratings(path)
    bad = {} if images is None else _list_bad_photos(sorted({rating.image for rating in ratings}), images, progress)
    about_photos = [Problem(r.line, "image", bad[r.image], r.image) for r in ratings if r.image in bad]
    unreadable = None if images is None else len(bad)
    everything = sorted((*problems, *about_photos), key=lambda p: p.line)
    left_out = None if images is None else _count_left_out({rating.image for rating in ratings}, images)
    return Check(tuple(everything), summarise(ratings, unreadable), left_out)


def summarise(ratings: Sequence[Rating], unreadable: int | None = None) -> Summary:
    """Count ratings; every label, reason, split and skin type is named, with 0 where there is none."""
    splits: dict[str, int] = dict.fromkeys(SPLITS, 0)
    types = dict.fromkeys([*"123456", "unknown"], 0)
    photos = group_ratings(ratings, lambda r: r.image)
    for rows in photos.values():
        side, kind = settle(r.split for r in rows), settle(r.fitzpatrick or None for r in rows)
        types["unknown" if kind is None else str(kind)] += 1
        if side is not None:
            splits[side] += 1
    return Summary(
        ratings=len(ratings),
        images=len(photos),
        raters=len({r.rater for r in ratings}),
        patients=len({r.patient for r in ratings if r.patient}),
        labels={label: sum(r.label == label for r in ratings) for label in LABELS},
        reasons={reason: sum(reason in r.reasons for r in ratings) for reason in (*REASONS, COVERED)},
        splits=splits,
        fitzpatrick=types,
        unreadable=unreadable,
    )


def _count_left_out(names: Collection[str], images: Path) -> dict[str, int]:
    """Count the files of a folder that no row names, by reason."""
    found = list_photos(images)
    named = {os.path.normpath(images / name) for name in names}
    unnamed = sum(os.path.normpath(path) not in named for path in found.photos)
    return {**({"not in the table": unnamed} if unnamed else {}), **found.left_out}


def _list_bad_photos(names: Sequence[str], images: Path, progress: Progress) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, photo in zip(names, read_photos([images / name for name in names], progress), strict=True):
        if not has_file(images, name):
            found[name] = f"no such file in {images}"
        elif isinstance(photo, PhotoError):
            found[name] = "not a readable photo: " + " ".join(filter(None, [photo.what, photo.got]))
    return found
