"""Read annotation tables, one row per rater and photo, and find every row that says nothing or contradicts others.

The columns are ``image, rater, evaluation, reasons`` and, where known, ``patient, split, fitzpatrick``. The protocol
is that of the ImageQX paper: a dermatologist gives an ICD-10 code (the photo shows a lesion), ``no_skin``,
``healthy_skin`` or ``poor_quality``, and with the last one ticks reasons.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from imageqx_export.data.icd10 import is_code, normalise_code
from imageqx_export.data.labels import SPLITS, Split
from imageqx_export.data.tables import Problem, read_table, write_table
from imageqx_export.data.vocabulary import LABELS, REASONS

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
        wrong = _list_cell_problems(line, cells)
        problems += wrong
        if not wrong:
            ratings.append(_parse_rating(line, cells))
    if not rows and not problems:
        problems.append(Problem(1, "(table)", "there is no row", ""))
    problems += _list_contradictions(ratings)
    return tuple(ratings), tuple(sorted(problems, key=lambda p: p.line))


def write_ratings(ratings: Iterable[Rating], path: Path) -> None:
    """Write an annotation table, ``.csv`` or ``.parquet``, that :func:`read_ratings` reads back."""
    rows = [
        (r.image, r.rater, r.evaluation, ";".join(r.reasons), r.patient or "", r.split or "", str(r.fitzpatrick or ""))
        for r in ratings
    ]
    write_table(path, (*REQUIRED, *OPTIONAL), rows)


def settle(values: Iterable[V | None]) -> V | None:
    """Return what most of the rows say, the first said of several; None where none says anything."""
    given = [value for value in values if value is not None]
    if not given or given.count(given[0]) == len(given):  # nearly always, and counting is slow
        return given[0] if given else None
    return Counter(given).most_common(1)[0][0]


def find_groups(ratings: Iterable[Rating]) -> dict[str, str]:
    """Return every photo's group: its patient or, where none is known, the photo itself."""
    by_image = group_ratings(ratings, lambda r: r.image)
    return {image: settle(r.patient for r in rows) or image for image, rows in by_image.items()}


def group_ratings(ratings: Iterable[Rating], key: Callable[[Rating], V]) -> Mapping[V, Sequence[Rating]]:
    """Return ratings by a key, such as their photo."""
    groups: dict[V, list[Rating]] = defaultdict(list)
    for rating in ratings:
        groups[key(rating)].append(rating)
    return groups


def _parse_reasons(cell: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in cell.split(";") if part.strip()))


def _split_cell(image: str) -> list[str]:
    return [part for part in image.split("/") if part not in ("", ".")]


def _parse_rating(line: int, cells: Mapping[str, str]) -> Rating:
    return Rating(
        image="/".join(_split_cell(cells["image"])),
        rater=cells["rater"],
        evaluation=normalise_code(cells["evaluation"]),
        reasons=_parse_reasons(cells["reasons"]),
        patient=cells["patient"] or None,
        split=cast(Split, cells["split"]) if cells["split"] else None,
        fitzpatrick=int(float(cells["fitzpatrick"] or 0)),
        line=line,
    )


def _list_cell_problems(line: int, cells: Mapping[str, str]) -> list[Problem]:
    image, evaluation = cells["image"], normalise_code(cells["evaluation"])
    reasons = _parse_reasons(cells["reasons"])
    unknown = ";".join(reason for reason in reasons if reason not in (*REASONS, COVERED))
    parts = _split_cell(image)
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


def _list_contradictions(ratings: Sequence[Rating]) -> list[Problem]:
    seen: dict[tuple[str, str], int] = {}
    problems = []
    for r in ratings:
        first = seen.setdefault((r.image, r.rater), r.line)
        if first != r.line:
            problems.append(Problem(r.line, "rater", f"a second rating of the photo, after line {first}", r.rater))
    patients = find_groups(ratings)
    about_photos = group_ratings(ratings, lambda r: r.image)
    problems += _list_disagreements(
        about_photos, "patient", "another patient than the photo's other rows", lambda r: r.patient
    )
    problems += _list_disagreements(
        about_photos, "split", "another split than the photo's other rows", lambda r: r.split
    )
    problems += _list_disagreements(
        about_photos, "fitzpatrick", "another skin type than the photo's other rows", lambda r: r.fitzpatrick or None
    )
    told = {(p.line, p.column) for p in problems}
    about_patients = group_ratings(ratings, lambda r: patients[r.image])
    apart = _list_disagreements(
        about_patients, "split", "another split than the patient's other photos", lambda r: r.split
    )
    return problems + [p for p in apart if (p.line, p.column) not in told]


def _list_disagreements(
    groups: Mapping[str, Sequence[Rating]], column: str, what: str, value: Callable[[Rating], V | None]
) -> list[Problem]:
    problems = []
    for rows in groups.values():
        usual = settle(map(value, rows))
        odd = [(row, value(row)) for row in rows if value(row) not in (None, usual)]
        problems += [Problem(row.line, column, f"{what} ({usual})", str(given)) for row, given in odd]
    return problems
