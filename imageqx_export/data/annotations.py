"""Read annotation tables, one row per rater and photo, and find every bad row.

The columns are ``image, rater, evaluation, reasons`` and, where known, ``patient, split, fitzpatrick``. The protocol
is that of the ImageQX paper: a dermatologist gives an ICD-10 code (the photo shows a lesion), ``no_skin``,
``healthy_skin`` or ``poor_quality``, and with the last one ticks reasons.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from imageqx_export.data.icd10 import is_code, normalise_code
from imageqx_export.data.labels import SPLITS, Split
from imageqx_export.data.photos import list_photos, read_photos
from imageqx_export.data.tables import Problem, read_table, write_table
from imageqx_export.data.vocabulary import LABELS, REASONS
from imageqx_export.errors import PhotoError
from imageqx_export.support.progress import Progress, silent

REQUIRED = ("image", "rater", "evaluation", "reasons")
OPTIONAL = ("patient", "split", "fitzpatrick")
LESION, *_OTHERS = LABELS
POOR = "poor_quality"
COVERED = "lesion_covered"
"""A reason that the paper's raters could tick and its authors dropped as too rare: accepted, counted, not used."""

V = TypeVar("V")


@dataclass(frozen=True)
class Rating:
    """What one rater said of one photo.

    Args:
        image: The file, relative to the folder of photos, with ``/``.
        rater: Who.
        evaluation: An ICD-10 code, ``"no_skin"``, ``"healthy_skin"`` or ``"poor_quality"``.
        reasons: Of ``REASONS`` and ``"lesion_covered"``; only with ``"poor_quality"``.
        patient: Whose skin, or None where it is not known.
        split: The side of the split that the table asks for, or None.
        fitzpatrick: Skin type 1…6, or 0 where it is not known.
        line: Where the row begins in its table, or 0.
    """

    image: str
    rater: str
    evaluation: str
    reasons: tuple[str, ...] = ()
    patient: str | None = None
    split: Split | None = None
    fitzpatrick: int = 0
    line: int = 0

    @property
    def label(self) -> str:
        """The evaluation as one of ``LABELS``: every ICD-10 code is a lesion."""
        return self.evaluation if self.evaluation in LABELS else LESION


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


def read_ratings(path: Path) -> tuple[tuple[Rating, ...], tuple[Problem, ...]]:
    """Read an annotation table.

    Args:
        path: A ``.csv`` or ``.parquet`` file.

    Returns:
        The well-formed rows, and everything that is wrong with the table itself, by line: cells that say nothing
        known, a second rating by the same rater, and rows that contradict most others about the same photo or patient.

    Raises:
        DatasetError: There is no such file, or it is no table.
    """
    rows, problems = read_table(path, REQUIRED, OPTIONAL)
    ratings = []
    for line, cells in rows:
        wrong = _cell_problems(line, cells)
        problems += wrong
        if not wrong:
            ratings.append(_rating(line, cells))
    if not rows and not problems:
        problems.append(Problem(1, "(table)", "there is no row", ""))
    problems += _contradictions(ratings)
    return tuple(ratings), tuple(sorted(problems, key=lambda p: p.line))


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
    bad = {} if images is None else _bad_photos(sorted({rating.image for rating in ratings}), images, progress)
    about_photos = [Problem(r.line, "image", bad[r.image], r.image) for r in ratings if r.image in bad]
    unreadable = None if images is None else len(bad)
    everything = sorted((*problems, *about_photos), key=lambda p: p.line)
    left_out = None if images is None else _count_left_out({rating.image for rating in ratings}, images)
    return Check(tuple(everything), summarise(ratings, unreadable), left_out)


def summarise(ratings: Sequence[Rating], unreadable: int | None = None) -> Summary:
    """Count ratings; every label, reason, split and skin type is named, with 0 where there is none."""
    splits: dict[str, int] = dict.fromkeys(SPLITS, 0)
    types = dict.fromkeys([*"123456", "unknown"], 0)
    photos = _group(ratings, lambda r: r.image)
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


def write_ratings(ratings: Iterable[Rating], path: Path) -> None:
    """Write an annotation table, ``.csv`` or ``.parquet``, that :func:`read_ratings` reads back."""
    rows = [
        (r.image, r.rater, r.evaluation, ";".join(r.reasons), r.patient or "", r.split or "", str(r.fitzpatrick or ""))
        for r in ratings
    ]
    write_table(path, (*REQUIRED, *OPTIONAL), rows)


def settle(values: Iterable[V | None]) -> V | None:
    """Return what most of the rows say, the first said of several; None where none says anything."""
    said = [value for value in values if value is not None]
    if not said or said.count(said[0]) == len(said):  # nearly always, and counting is slow
        return said[0] if said else None
    return Counter(said).most_common(1)[0][0]


def find_groups(ratings: Iterable[Rating]) -> dict[str, str]:
    """Return every photo's group: its patient or, where none is known, the photo itself."""
    by_image = _group(ratings, lambda r: r.image)
    return {image: settle(r.patient for r in rows) or image for image, rows in by_image.items()}


def _group(ratings: Iterable[Rating], key: Callable[[Rating], V]) -> Mapping[V, Sequence[Rating]]:
    groups: dict[V, list[Rating]] = defaultdict(list)
    for rating in ratings:
        groups[key(rating)].append(rating)
    return groups


def _reasons(cell: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in cell.split(";") if part.strip()))


def _parts(image: str) -> list[str]:
    return [part for part in image.split("/") if part not in ("", ".")]


def _rating(line: int, cells: Mapping[str, str]) -> Rating:
    return Rating(
        image="/".join(_parts(cells["image"])),
        rater=cells["rater"],
        evaluation=normalise_code(cells["evaluation"]),
        reasons=_reasons(cells["reasons"]),
        patient=cells["patient"] or None,
        split=cast(Split, cells["split"]) if cells["split"] else None,
        fitzpatrick=int(float(cells["fitzpatrick"] or 0)),
        line=line,
    )


def _cell_problems(line: int, cells: Mapping[str, str]) -> list[Problem]:
    image, evaluation = cells["image"], normalise_code(cells["evaluation"])
    reasons = _reasons(cells["reasons"])
    unknown = ";".join(reason for reason in reasons if reason not in (*REASONS, COVERED))
    parts = _parts(image)
    inside = bool(parts) and not image.startswith("/") and "\\" not in image and ".." not in parts
    known = evaluation in _OTHERS or (bool(evaluation) and is_code(evaluation))
    wrong = {
        "image": (not inside, "not a path inside the folder of photos, with /"),
        "rater": (not cells["rater"], "nobody is named"),
        "evaluation": (not known, _explain_evaluation(evaluation)),
        "reasons": (bool(unknown), f"not one of {', '.join((*REASONS, COVERED))}"),
        "split": (cells["split"] not in ("", *SPLITS), f"not one of {', '.join(SPLITS)}"),
        "fitzpatrick": (not _is_skin_type(cells["fitzpatrick"]), "not a skin type from 1 to 6"),
    }
    problems = [Problem(line, column, what, cells[column]) for column, (bad, what) in wrong.items() if bad]
    if reasons and known and evaluation != POOR:
        problems.append(Problem(line, "reasons", f"reasons without {POOR}", cells["reasons"]))
    return problems


def _explain_evaluation(text: str) -> str:
    parts = [normalise_code(part) for part in re.split(r"[\s,;/+&†*]+", text) if part]
    if len(parts) > 1 and all(is_code(part) for part in parts):
        return "several ICD-10 codes: give the one of the disease, which a pair marks with †"
    if re.fullmatch(r"[A-Za-z]\d\w?\.?\w*\s*-\s*[A-Za-z]\d\S*", text):
        return "a block of ICD-10, which names no diagnosis: give a code in it"
    return f"neither an ICD-10 code nor one of {', '.join(_OTHERS)}"


def _is_skin_type(cell: str) -> bool:
    # pandas writes whole numbers as 3.0 where a column has gaps
    return cell == "" or (cell.removesuffix(".0") in {"1", "2", "3", "4", "5", "6"})


def _contradictions(ratings: Sequence[Rating]) -> list[Problem]:
    seen: dict[tuple[str, str], int] = {}
    problems = []
    for r in ratings:
        first = seen.setdefault((r.image, r.rater), r.line)
        if first != r.line:
            problems.append(Problem(r.line, "rater", f"a second rating of the photo, after line {first}", r.rater))
    patients = find_groups(ratings)
    about_photos = _group(ratings, lambda r: r.image)
    problems += _disagreeing(
        about_photos, "patient", "another patient than the photo's other rows", lambda r: r.patient
    )
    problems += _disagreeing(about_photos, "split", "another split than the photo's other rows", lambda r: r.split)
    problems += _disagreeing(
        about_photos, "fitzpatrick", "another skin type than the photo's other rows", lambda r: r.fitzpatrick or None
    )
    told = {(p.line, p.column) for p in problems}
    about_patients = _group(ratings, lambda r: patients[r.image])
    apart = _disagreeing(about_patients, "split", "another split than the patient's other photos", lambda r: r.split)
    return problems + [p for p in apart if (p.line, p.column) not in told]


def _disagreeing(
    groups: Mapping[str, Sequence[Rating]], column: str, what: str, value: Callable[[Rating], V | None]
) -> list[Problem]:
    problems = []
    for rows in groups.values():
        usual = settle(map(value, rows))
        odd = [(row, value(row)) for row in rows if value(row) not in (None, usual)]
        problems += [Problem(row.line, column, f"{what} ({usual})", str(said)) for row, said in odd]
    return problems


def _count_left_out(names: Collection[str], images: Path) -> dict[str, int]:
    """Count the files of a folder that no row names, by reason."""
    found = list_photos(images)
    named = {os.path.normpath(images / name) for name in names}
    unnamed = sum(os.path.normpath(path) not in named for path in found.photos)
    return {**({"not in the table": unnamed} if unnamed else {}), **found.left_out}


def _bad_photos(names: Sequence[str], images: Path, progress: Progress) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, photo in zip(names, read_photos([images / name for name in names], progress), strict=True):
        if not (images / name).is_file():
            found[name] = f"no such file in {images}"
        elif isinstance(photo, PhotoError):
            found[name] = "not a readable photo: " + " ".join(filter(None, [photo.what, photo.got]))
    return found
