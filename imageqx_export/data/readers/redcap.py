"""Read what REDCap exports, as CSV with raw data or with labels: one record, or one instance of a form, per rating.

The variables are ``image``, ``rater``, ``evaluation`` (of ``LABELS``, or an ICD-10 code) and, where there are,
``icd10``, ``patient``, ``fitzpatrick`` and a check box ``reasons`` whose choices have the names of reasons, which
REDCap exports as columns of their own: ``reasons___blurry``. Other columns are left out.

Source: REDCap's "Data Export Tool": a check box is a column per choice, ``variable___code``, of 0 and 1, or of
``Unchecked`` and ``Checked`` where labels are exported; values may be quoted, and the separator can be chosen.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from imageqx_export.data.annotations import COVERED, Rating
from imageqx_export.data.icd10 import is_code, normalise_code
from imageqx_export.data.readers.download import UNSPECIFIED, Imported, skin_type
from imageqx_export.data.tables import read_columns, read_table
from imageqx_export.data.vocabulary import LABELS, REASONS
from imageqx_export.errors import DatasetError

_REQUIRED = ("image", "rater", "evaluation")
_OPTIONAL = ("icd10", "patient", "fitzpatrick")
_CHECKED = {"1": True, "checked": True, "yes": True, "0": False, "unchecked": False, "no": False, "": False}


def read(root: Path) -> Imported:
    """Turn an export into ratings, one per record or instance.

    Args:
        root: The exported ``.csv`` file.

    Raises:
        DatasetError: It is not there, lacks a variable, or a cell says something that is not known.
    """
    boxes = {f"reasons___{reason}": reason for reason in (*REASONS, COVERED)}
    columns = read_columns(root)
    strange = [name for name in columns if name.startswith("reasons___") and name not in boxes]
    if strange:
        raise DatasetError(
            "a check box that is no reason",
            where=root,
            expected=", ".join(boxes),
            got=", ".join(strange),
            remedy="give the choices of the check box these codes in REDCap, or rename the columns",
        )
    rows, problems = read_table(root, _REQUIRED, (*_OPTIONAL, *boxes), others=True)
    if problems:
        raise DatasetError("not an export of a rating form", where=root, got=str(problems[0]))
    ratings, left_out = [], Counter[str]()
    for line, row in rows:
        if not row["evaluation"] and not row["icd10"]:
            left_out["record without an evaluation"] += 1
            continue
        given = tuple(reason for box, reason in boxes.items() if _is_checked(root, line, box, row[box]))
        ratings.append(
            Rating(
                image=row["image"],
                rater=row["rater"],
                evaluation=_evaluate(root, line, row),
                reasons=given,
                patient=row["patient"] or None,
                fitzpatrick=skin_type(row["fitzpatrick"]),
                line=line,
            )
        )
    return Imported(tuple(ratings), dict(left_out))


def _is_checked(root: Path, line: int, box: str, cell: str) -> bool:
    if cell.lower() not in _CHECKED:
        raise DatasetError(
            "not a check box's value",
            where=f"{root}: line {line}, {box}",
            expected="0, 1, Unchecked or Checked",
            got=cell,
        )
    return _CHECKED[cell.lower()]


def _evaluate(root: Path, line: int, row: dict[str, str]) -> str:
    label, code = re.sub(r"[\s-]+", "_", row["evaluation"].lower()), normalise_code(row["icd10"] or row["evaluation"])
    if is_code(code) and (label in ("", "lesion") or not row["icd10"]):
        return code
    if label in LABELS and not row["icd10"]:
        return UNSPECIFIED if label == "lesion" else label
    raise DatasetError(
        "not an evaluation",
        where=f"{root}: line {line}",
        expected=f"one of {', '.join(LABELS)}, or an ICD-10 code",
        got=", ".join(filter(None, (row["evaluation"], row["icd10"]))),
        remedy="export raw data, with these names as the codes of the choices",
    )
