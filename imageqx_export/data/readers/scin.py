"""Read SCIN: 10,000+ photos of 5,033 cases from people's own phones (Ward et al., JAMA Network Open 2024).

Up to three dermatologists said of every case, not of each photo, whether its condition can be determined, so every
photo of a case gets the case's ratings. The raters ``dermatologist_1`` … ``_3`` are places, not persons: agreement
between them is that of whoever sat there. Several dermatologists' condition names are published as one list, so they
cannot be given back to their raters: a case that is gradable gets ICD-10's L98.9, "unspecified". No reasons are
given for poor quality. The skin type is the dermatologists' (the lower median), else the person's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from statistics import median_low

from imageqx_export.data.annotations import Rating
from imageqx_export.data.readers.download import UNSPECIFIED, Imported, Published, look_up, read_published, skin_type
from imageqx_export.support.files import has_file

CASES, LABELS = "dataset/scin_cases.csv", "dataset/scin_labels.csv"
PUBLISHED = Published(
    "SCIN",
    "https://github.com/google-research-datasets/scin (bucket dx-scin-public-data)",
    (CASES, LABELS, "dataset/images/"),
)
GRADABLE = {
    "DEFAULT_YES_IMAGE_QUALITY_SUFFICIENT": UNSPECIFIED,
    "YES_IMAGE_QUALITY_SUFFICIENT_NO_DISCERNIBLE_PATHOLOGY": "healthy_skin",
    "NO_IMAGE_QUALITY_INSUFFICIENT": "poor_quality",
    "": None,
}
"""What a dermatologist said of gradability → the evaluation; None where there was no dermatologist."""
_GRADED = tuple(f"dermatologist_gradable_for_skin_condition_{i}" for i in (1, 2, 3))
_TYPES = tuple(f"dermatologist_fitzpatrick_skin_type_label_{i}" for i in (1, 2, 3))
_PATHS = ("image_1_path", "image_2_path", "image_3_path")


def read(root: Path) -> Imported:
    """Turn a download into ratings; a case is a patient, and its photos stay together.

    A photo that several cases share (the publishers know of 15 such photos) is left out, as it would tie two people
    together.

    Args:
        root: The folder with ``dataset/``, as in the bucket: the photos' names begin with ``dataset/images/``.

    Raises:
        DatasetError: The download is not there, or not laid out as published.
    """
    labels = {
        row["case_id"]: (line, row)
        for line, row in read_published(PUBLISHED, root, LABELS, ("case_id", *_GRADED, *_TYPES))
    }
    cases = [row for _, row in read_published(PUBLISHED, root, CASES, ("case_id", "fitzpatrick_skin_type", *_PATHS))]
    owners = Counter(path for case in cases for path in {case[name] for name in _PATHS if case[name]})
    ratings: list[Rating] = []
    left_out = Counter[str]()
    for case in cases:
        line, row = labels.get(case["case_id"], (0, dict.fromkeys((*_GRADED, *_TYPES), "")))
        evaluations = _read_evaluations(root, line, row)
        for path in dict.fromkeys(case[name] for name in _PATHS if case[name]):
            if not evaluations:
                left_out["photo of a case that nobody graded"] += 1
            elif owners[path] > 1:
                left_out["photo that several cases share"] += 1
            elif not has_file(root, path):
                left_out["photo not downloaded"] += 1
            else:
                kind = _parse_skin_type(case, row)
                ratings += [
                    Rating(path, rater, evaluation, patient=case["case_id"], fitzpatrick=kind, line=line)
                    for rater, evaluation in evaluations.items()
                ]
    if not ratings:
        raise PUBLISHED.missing(root, "no photo that the tables name and a dermatologist graded")
    return Imported(tuple(ratings), dict(left_out))


def _read_evaluations(root: Path, line: int, row: Mapping[str, str]) -> dict[str, str]:
    by_rater = {}
    for number, column in enumerate(_GRADED, 1):
        evaluation = look_up(PUBLISHED, f"{root / LABELS}: line {line}: {column}", row[column], GRADABLE)
        if evaluation is not None:
            by_rater[f"dermatologist_{number}"] = evaluation
    return by_rater


def _parse_skin_type(case: Mapping[str, str], row: Mapping[str, str]) -> int:
    seen = [kind for column in _TYPES if (kind := skin_type(row[column]))]
    return median_low(seen) if seen else skin_type(case["fitzpatrick_skin_type"])
