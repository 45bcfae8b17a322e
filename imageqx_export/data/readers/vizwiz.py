"""Read VizWiz-QualityIssues: 39,181 photos by blind people, each with five raters' flaws (Chiu et al., CVPR 2020).

The publication has no row per rater, but counts out of five: how many saw each flaw, and how many could not recognise
the content. So the raters ``rater_1`` … ``rater_5`` are places, not persons, and a photo's rows are made to have its
counts: the first ``unrecognizable`` of them call it ``poor_quality``, and of these the first as many as saw a flaw give
its reason; flaws that more raters saw than called the photo poor are cut at that. The others call it ``no_skin``:
nobody was asked about skin, and of what the photos show little is.

Framing → ``bad_framing``; too dark and too bright → ``bad_light``; blur → ``blurry``; obscured → ``lesion_covered``,
which is counted and not used. Rotation, other and no flaw have no reason of ours; nor is there one for distance or
resolution, so that evaluations of those two mean nothing here.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from imageqx_export.data.annotations import Rating
from imageqx_export.data.labels import Split
from imageqx_export.data.readers.download import Imported, Published, find_photos_by_name
from imageqx_export.errors import DatasetError
from imageqx_export.support.untrusted import describe, read_json

RATERS = 5
PUBLISHED = Published(
    "VizWiz-QualityIssues",
    "https://vizwiz.org/tasks-and-datasets/image-quality-issues/",
    ("annotations/train.json, annotations/val.json", "the photos (unpacked, at any depth)"),
)
REASONS = {"FRM": "bad_framing", "DRK": "bad_light", "BRT": "bad_light", "BLR": "blurry", "OBS": "lesion_covered"}
"""Published flaw → reason."""
FLAWS = (*REASONS, "ROT", "OTH", "NON")
_FILES: dict[str, Split] = {"train.json": "train", "val.json": "val", "test.json": "test"}


def read(root: Path) -> Imported:
    """Turn a download into ratings; the published split is kept.

    Args:
        root: The folder with ``annotations/`` (or the JSON files themselves) and the photos.

    Raises:
        DatasetError: The download is not there, or not laid out as published.
    """
    places = [(path, split) for name, split in _FILES.items() if (path := _find(root, name)) is not None]
    if not places:
        raise PUBLISHED.missing(root, "no annotations")
    photos = find_photos_by_name(PUBLISHED, root)
    ratings: list[Rating] = []
    left_out = Counter[str]()
    for path, split in places:
        for number, entry in enumerate(_read_entries(path), 1):
            where = f"{path}: photo {number}"
            name = entry.get("image")
            if not isinstance(name, str):
                raise _refuse(where, "an image's name", name)
            if "flaws" not in entry:
                left_out["photo without annotations"] += 1
            elif name not in photos:
                left_out["photo not downloaded"] += 1
            else:
                ratings += _rate(photos[name], split, number, *_read_counts(where, entry))
    if not ratings:
        raise PUBLISHED.missing(root, "no photo that the annotations name")
    return Imported(tuple(ratings), dict(left_out))


def _find(root: Path, name: str) -> Path | None:
    return next((path for path in (root / "annotations" / name, root / name) if path.is_file()), None)


def _read_entries(path: Path) -> list[dict[str, Any]]:
    try:
        body: object = read_json(path)
    except (OSError, ValueError) as error:
        raise DatasetError("annotations that cannot be read", where=path, got=describe(error)) from error
    if not isinstance(body, list) or not all(isinstance(entry, dict) for entry in body):
        raise _refuse(str(path), "a list with an object per photo", body)
    return body


def _read_counts(where: str, entry: dict[str, Any]) -> tuple[dict[str, int], int]:
    """Return how many raters saw each flaw, and how many could not recognise what is shown."""
    flaws = entry["flaws"]
    if not isinstance(flaws, dict) or not set(flaws) <= set(FLAWS):
        raise _refuse(where, f"flaws of {', '.join(FLAWS)}", flaws)
    counts = {**flaws, "unrecognizable": entry.get("unrecognizable")}
    for name, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= RATERS:
            raise _refuse(f"{where}: {name}", f"a whole number of raters, 0 to {RATERS}", count)
    return {name: flaws.get(name, 0) for name in FLAWS}, counts["unrecognizable"]


def _refuse(where: str, expected: str, got: object) -> DatasetError:
    return DatasetError(
        f"not {PUBLISHED.name}'s annotations as they are published",
        where=where,
        expected=expected,
        got=repr(got)[:200],
        remedy=f"download them again from {PUBLISHED.page}",
    )


def _rate(image: str, split: Split, line: int, flaws: dict[str, int], unrecognizable: int) -> list[Rating]:
    """Make five raters' rows with the published counts."""
    rows = []
    for number in range(RATERS):
        poor = number < unrecognizable
        given = tuple(dict.fromkeys(reason for flaw, reason in REASONS.items() if poor and number < flaws[flaw]))
        evaluation = "poor_quality" if poor else "no_skin"
        rows.append(Rating(image, f"rater_{number + 1}", evaluation, given, split=split, line=line))
    return rows
