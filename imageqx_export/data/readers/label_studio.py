"""Read what Label Studio exports: JSON, JSON-MIN or CSV, of a project in which people rated photos.

Controls may be called anything: a choice is one of ``LABELS`` (written with spaces or capitals, too) or a reason, and a
text is an ICD-10 code. The photo is the task's ``image``: of an upload the name without the eight digits that Label
Studio puts before it, of a local file what stands behind ``?d=``, of an address its path. ``patient``, ``fitzpatrick``
and ``split`` are taken from the task's data, or from the columns of a CSV.

Source: https://labelstud.io/guide/export (the formats), https://labelstud.io/tags/choices (their values).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qs, unquote, urlsplit

from imageqx_export.data.annotations import COVERED, POOR, Rating
from imageqx_export.data.icd10 import is_code, normalise_code
from imageqx_export.data.labels import SPLITS, Split
from imageqx_export.data.readers.download import UNSPECIFIED, Imported, skin_type
from imageqx_export.data.tables import read_columns, read_table
from imageqx_export.data.vocabulary import LABELS, REASONS
from imageqx_export.errors import DatasetError
from imageqx_export.support.boundaries import translate_errors
from imageqx_export.support.untrusted import describe, read_json

_UPLOADED = re.compile(r"/data/upload/\d+/[0-9a-f]{8}-")
_FACTS = ("patient", "fitzpatrick", "split")
_OWN = frozenset({"id", "annotator", "annotation_id", "lead_time", "created_at", "updated_at", "image", *_FACTS})
"""Columns of JSON-MIN and CSV that are no answers."""


class _Answer(NamedTuple):
    """One annotation: where it stands, the task's data, who made it, and every choice and text."""

    where: str
    data: Mapping[str, Any]
    rater: str
    texts: tuple[str, ...]
    cancelled: bool


def read(root: Path) -> Imported:
    """Turn an export into ratings, one per annotation.

    Args:
        root: The exported ``.json`` or ``.csv`` file.

    Raises:
        DatasetError: It is not there, no such export, or says something that is no label, reason or ICD-10 code.
    """
    if not root.is_file():
        raise DatasetError("no such export of Label Studio", where=root, expected="its .json or .csv file")
    answers = _read_csv(root) if root.suffix.lower() == ".csv" else _read_json(root)
    # What a task may hold is told by no schema: whatever is not where it should be is told once, here.
    with translate_errors(lambda error: DatasetError("not an export of Label Studio", where=root, got=describe(error))):
        return _rate_all(answers)


def _rate_all(answers: Iterable[_Answer]) -> Imported:
    ratings, left_out = [], Counter[str]()
    for answer in answers:
        if answer.cancelled:
            left_out["annotation that its rater skipped"] += 1
        elif not answer.texts:
            left_out["annotation without an answer"] += 1
        else:
            ratings.append(_rate(answer))
    return Imported(tuple(ratings), dict(left_out))


def _read_json(path: Path) -> Iterator[_Answer]:
    try:
        tasks = read_json(path)
    except (OSError, ValueError) as error:
        raise DatasetError("not an export of Label Studio", where=path, got=describe(error)) from error
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise DatasetError("not an export of Label Studio", where=path, expected="a list of tasks")
    for number, task in enumerate(tasks, 1):
        where = f"{path}: task {task.get('id', number)}"
        if "data" not in task:  # JSON-MIN
            texts = tuple(text for name, value in task.items() if name not in _OWN for text in _list_texts(value))
            yield _Answer(where, task, str(task.get("annotator", "")), texts, False)
            continue
        for annotation in task.get("annotations", ()):
            results = annotation.get("result", ())
            texts = tuple(text for result in results for text in _list_texts(result.get("value")))
            cancelled = bool(annotation.get("was_cancelled"))
            yield _Answer(where, task["data"], _name_rater(annotation.get("completed_by")), texts, cancelled)


def _read_csv(path: Path) -> Iterator[_Answer]:
    columns = read_columns(path)
    needed = ("image", "annotator")
    rows, problems = read_table(path, needed, [name for name in columns if name not in needed])
    if problems:
        raise DatasetError("not an export of Label Studio", where=path, got=str(problems[0]))
    for line, row in rows:
        texts = tuple(text for name, cell in row.items() if name not in _OWN for text in _list_texts(_parse_cell(cell)))
        yield _Answer(f"{path}: line {line}", row, row["annotator"], texts, False)


def _parse_cell(cell: str) -> Any:
    """Return a cell's value: several choices are JSON, one is its own text."""
    if cell.startswith(("{", "[")):
        try:
            return json.loads(cell)
        except ValueError:
            return cell
    return cell


def _list_texts(value: Any) -> Iterator[str]:
    """Yield every choice and text of a result's value, in whichever of the three formats."""
    if isinstance(value, str):
        if value.strip():
            yield value.strip()
    elif isinstance(value, list):
        for part in value:
            yield from _list_texts(part)
    elif isinstance(value, dict):
        yield from _list_texts([value.get("choices"), value.get("text")])


def _name_rater(completed_by: Any) -> str:
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("id")
    return "" if completed_by is None else str(completed_by)


def _rate(answer: _Answer) -> Rating:
    evaluations, reasons, codes = [], [], []
    for text in answer.texts:
        name = re.sub(r"[\s-]+", "_", text.strip().lower())
        code = normalise_code(text)
        if name in LABELS:
            evaluations.append(name)
        elif name in (*REASONS, COVERED):
            reasons.append(name)
        elif is_code(code):
            codes.append(code)
        else:
            raise DatasetError(
                "an answer that raters cannot give",
                where=answer.where,
                expected=f"{', '.join(LABELS)}; {', '.join((*REASONS, COVERED))}; or an ICD-10 code",
                got=text,
                remedy="rename the choices in Label Studio, or in the exported file",
            )
    label = evaluations[0] if evaluations else ("lesion" if codes else POOR)
    if len(set(evaluations)) > 1 or len(set(codes)) > 1 or (codes and label != "lesion"):
        raise DatasetError("answers that contradict each other", where=answer.where, got=", ".join(answer.texts))
    return Rating(
        image=_name_image(answer),
        rater=answer.rater or "nobody named",
        evaluation=(codes[0] if codes else UNSPECIFIED) if label == "lesion" else label,
        reasons=tuple(dict.fromkeys(reasons)),
        patient=str(answer.data.get("patient") or "") or None,
        split=cast(Split, answer.data["split"]) if answer.data.get("split") in SPLITS else None,
        fitzpatrick=skin_type(str(answer.data.get("fitzpatrick") or "")),
    )


def _name_image(answer: _Answer) -> str:
    told = str(answer.data.get("image") or "")
    split = urlsplit(told)
    local = parse_qs(split.query).get("d")
    uploaded = _UPLOADED.match(split.path)
    name = local[0] if local else split.path[uploaded.end() :] if uploaded else unquote(split.path)
    name = "/".join(part for part in name.split("/") if part not in ("", ".", ".."))
    if not name:
        raise DatasetError("a task without a photo", where=answer.where, expected="its address as 'image'", got=told)
    return name
