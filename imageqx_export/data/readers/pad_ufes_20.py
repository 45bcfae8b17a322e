"""Read PAD-UFES-20: 2,298 smartphone photos of 1,641 lesions with diagnoses (Pacheco et al., Data in Brief 2020).

Each photo gets one rating, by ``consensus`` (a biopsy, or a group of dermatologists): a lesion with its ICD-10 code.
There are no poor, healthy or skinless photos in it.
"""

from __future__ import annotations

from pathlib import Path

from imageqx_export.data.annotations import Rating
from imageqx_export.data.readers.download import (
    Imported,
    Published,
    find_photos_by_name,
    look_up,
    read_published,
    skin_type,
)

PUBLISHED = Published(
    "PAD-UFES-20",
    "https://data.mendeley.com/datasets/zr7vgbcyr2/1 (doi 10.17632/zr7vgbcyr2.1)",
    ("metadata.csv", "imgs_part_1/", "imgs_part_2/", "imgs_part_3/ (unpacked, at any depth)"),
)
CODES = {
    "ACK": "L57.0",  # actinic keratosis
    "BCC": "C44.9",  # basal cell carcinoma
    "SCC": "C44.9",  # squamous cell carcinoma; Bowen's disease (D04) is in it and cannot be told apart
    "MEL": "C43.9",  # melanoma
    "NEV": "D22.9",  # naevus
    "SEK": "L82",  # seborrhoeic keratosis
}
"""Diagnosis → ICD-10; sites are not coded."""


def read(root: Path) -> Imported:
    """Turn a download into ratings.

    Args:
        root: The folder with ``metadata.csv``; the photos may lie at any depth below it.

    Raises:
        DatasetError: The download is not there, or not laid out as published.
    """
    rows = read_published(PUBLISHED, root, "metadata.csv", ("patient_id", "fitspatrick", "diagnostic", "img_id"))
    photos = find_photos_by_name(PUBLISHED, root)
    ratings, absent = [], 0
    for line, row in rows:
        code = look_up(PUBLISHED, f"{root / 'metadata.csv'}: line {line}: diagnostic", row["diagnostic"], CODES)
        if row["img_id"] not in photos:
            absent += 1
            continue
        ratings.append(
            Rating(
                image=photos[row["img_id"]],
                rater="consensus",
                evaluation=code,
                patient=row["patient_id"],
                fitzpatrick=skin_type(row["fitspatrick"]),
                line=line,
            )
        )
    if not ratings:
        raise PUBLISHED.missing(root, "photos, but none that metadata.csv names")
    return Imported(tuple(ratings), {"photo not downloaded": absent} if absent else {})
