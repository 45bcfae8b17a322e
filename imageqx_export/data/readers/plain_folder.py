"""Read a plain folder: ``lesion/``, ``healthy_skin/``, ``no_skin/`` and ``poor_quality/``, with photos at any depth.

It may have a ``manifest.csv`` with the columns ``file`` (relative to the folder), ``group`` (patient, person or
series) and ``fitzpatrick`` (1…6); empty cells say nothing. A photo in ``lesion/`` gets ICD-10's L98.9,
"unspecified"; one in ``poor_quality/`` has no reasons.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from imageqx_export.data.annotations import Rating
from imageqx_export.data.photos import list_photos
from imageqx_export.data.readers.download import UNSPECIFIED, Imported, Published, read_published, skin_type
from imageqx_export.data.tables import read_columns
from imageqx_export.data.vocabulary import LABELS
from imageqx_export.errors import DatasetError
from imageqx_export.support.files import has_file

PUBLISHED = Published(
    "photos in folders", "wherever your photos are", (*(f"{label}/" for label in LABELS), "manifest.csv (optional)")
)


def read(root: Path) -> Imported:
    """Turn a folder into ratings, one per photo, by ``folder``.

    Args:
        root: The folder; classes that it has no folder for are left out.

    Raises:
        DatasetError: None of the folders is there, one is there but has no photo, or a row of the manifest
            names no file that is there, or no skin type.
    """
    there = [label for label in LABELS if (root / label).is_dir()]
    if not there:
        raise DatasetError(
            "no folder of photos",
            where=root,
            expected=f"at least one of {', '.join(f'{x}/' for x in LABELS)}",
            got="none of them",
            remedy="sort the photos into those folders",
        )
    notes = _read_manifest(root)
    ratings = []
    left_out = Counter[str]()
    for label in there:
        found = list_photos(root / label)
        left_out.update(found.left_out)
        names = [path.relative_to(root).as_posix() for path in found.photos]
        if not names:
            raise DatasetError("a class has no photo", where=root / label, remedy="add photos, or remove the folder")
        for name in names:
            group, kind = notes.get(name, ("", 0))
            evaluation = UNSPECIFIED if label == "lesion" else label
            ratings.append(Rating(name, "folder", evaluation, patient=group or None, fitzpatrick=kind))
    return Imported(tuple(ratings), dict(left_out))


def _read_manifest(root: Path) -> dict[str, tuple[str, int]]:
    path = root / "manifest.csv"
    if not path.is_file():
        return {}
    there = read_columns(path)
    columns = ["file", *(name for name in ("group", "fitzpatrick") if name in there)]
    notes = {}
    for line, row in read_published(PUBLISHED, root, "manifest.csv", columns):
        if not has_file(root, row["file"]):
            raise DatasetError(
                "the manifest names a file that is not there", where=f"{path}: line {line}", got=row["file"]
            )
        cell = row.get("fitzpatrick", "")
        if cell and not skin_type(cell):
            raise DatasetError("not a skin type", where=f"{path}: line {line}", expected="1 to 6, or nothing", got=cell)
        notes[row["file"]] = (row.get("group", ""), skin_type(cell))
    return notes
