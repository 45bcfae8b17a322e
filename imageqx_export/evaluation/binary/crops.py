"""Whether a model does better on a crop around the lesion than on the whole photo; Jeong et al. found no gain.

The boxes are a table, ``.csv`` or ``.parquet``: ``image, left, top, right, bottom``, in pixels of the upright photo.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path

import numpy as np

from imageqx_export.artifact import Pixels, Preprocessing
from imageqx_export.data.tables import read_table
from imageqx_export.errors import DatasetError
from imageqx_export.evaluation.diagnostic.aucs import Comparison

COLUMNS = ("image", "left", "top", "right", "bottom")
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Cropped:
    """Whole photos beside crops of them.

    Args:
        photos: How many have a box.
        comparison: The whole photos' AUC, the crops', and DeLong's paired test.
    """

    photos: int
    comparison: Comparison


def read_boxes(path: Path) -> dict[str, Box]:
    """Return the boxes of a table by image: left, top, right, bottom.

    Raises:
        DatasetError: There is no such table, a row is bad (the first is named), or a photo has two.
    """
    rows, problems = read_table(path, COLUMNS)
    if problems:
        raise DatasetError("the table of boxes cannot be used", where=path, got=str(problems[0]))
    boxes: dict[str, Box] = {}
    for line, row in rows:
        try:
            left, top, right, bottom = (float(row[name]) for name in COLUMNS[1:])
        except ValueError:
            left = top = right = bottom = 0.0
        if not (0 <= left < right < inf and 0 <= top < bottom < inf) or row["image"] in boxes:
            raise DatasetError(
                "not a box, or a second one of the same photo",
                where=f"{path}: line {line}",
                expected="left < right and top < bottom, from 0 on, in pixels, one row a photo",
                got=", ".join(row.values()),
            )
        boxes[row["image"]] = (left, top, right, bottom)
    if not boxes:
        raise DatasetError("the table of boxes has no row", where=path)
    return boxes


def crop_photos(boxes: Mapping[str, Box], names: list[str], images: Path, preprocessing: Preprocessing) -> Pixels:
    """Return what the model takes of each photo's box, uint8 [N,H,W,3].

    Args:
        boxes: By name.
        names: Which photos; all have a box.
        images: The folder that the names are relative to.
        preprocessing: Of the model.

    Raises:
        DatasetError: A box leaves its photo.
        PhotoError: A photo cannot be read.
    """
    from imageqx_export.preprocess import open_photo, stretch

    size = (preprocessing.width, preprocessing.height)
    crops = []
    for name in names:
        photo, (left, top, right, bottom) = open_photo(images / name), boxes[name]
        if right > photo.width or bottom > photo.height:
            raise DatasetError(
                "a box leaves its photo",
                where=images / name,
                expected=f"inside {photo.width} × {photo.height} pixels",
                got=f"left {left:g}, top {top:g}, right {right:g}, bottom {bottom:g}",
            )
        margins = (left, top, photo.width - right, photo.height - bottom)
        crops.append(np.asarray(stretch(photo, size, margins), np.uint8))
    return np.stack(crops)
