"""Read Fitzpatrick17k: 16,577 atlas photos with Fitzpatrick types (Groh et al., CVPR workshops 2021).

Each photo gets one rating, by ``atlas``: a lesion. The 114 condition names are not codes, and for this project every
code is a lesion, so all get ICD-10's L98.9, "disorder of the skin and subcutaneous tissue, unspecified". Photos that
its dermatologists marked ``3 Wrongly labelled`` or ``4 Other`` in the ``qc`` column are left out. There are no
patients in it: photos of one person may fall on both sides of a split.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from imageqx_export.data.annotations import Rating
from imageqx_export.data.readers.download import (
    UNSPECIFIED,
    Imported,
    Published,
    find_photos_by_name,
    read_published,
    skin_type,
)

PUBLISHED = Published(
    "Fitzpatrick17k",
    "https://github.com/mattgroh/fitzpatrick17k (photos: the table's url column, or the form in its README)",
    ("fitzpatrick17k.csv", "<md5hash>.jpg for its photos (at any depth)"),
)
DOUBTED = frozenset({"3 Wrongly labelled", "4 Other"})
_COLUMNS = (
    "md5hash",
    "fitzpatrick_scale",
    "fitzpatrick_centaur",
    "label",
    "nine_partition_label",
    "three_partition_label",
    "qc",
    "url",
    "url_alphanum",
)


def read(root: Path) -> Imported:
    """Turn a download into ratings; the skin type is ``fitzpatrick_scale``, or ``fitzpatrick_centaur`` where it is -1.

    Args:
        root: The folder with ``fitzpatrick17k.csv``; the photos may lie at any depth below it.

    Raises:
        DatasetError: The download is not there, or not laid out as published.
    """
    rows = read_published(PUBLISHED, root, "fitzpatrick17k.csv", _COLUMNS)
    photos = find_photos_by_name(PUBLISHED, root)
    ratings, left_out = [], Counter[str]()
    for line, row in rows:
        if row["qc"] in DOUBTED:
            left_out[f"qc is {row['qc']}"] += 1
        elif (name := f"{row['md5hash']}.jpg") not in photos:
            left_out["photo not downloaded"] += 1
        else:
            kind = skin_type(row["fitzpatrick_scale"]) or skin_type(row["fitzpatrick_centaur"])
            ratings.append(Rating(photos[name], "atlas", UNSPECIFIED, fitzpatrick=kind, line=line))
    if not ratings:
        raise PUBLISHED.missing(root, "photos, but none that fitzpatrick17k.csv names")
    return Imported(tuple(ratings), dict(left_out))
