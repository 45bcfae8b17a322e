"""``golden/photos/``: small photos with the pixels that they become, for whoever writes the way there a second time.

The photos are files of the package, the same for every model; the pixels are of the model's own size, raw, since rows
of RGB bytes are what Kotlin, Swift and TypeScript all read without a decoder that may change a colour on the way.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from PIL import Image
from pydantic import Field

from imageqx_export.artifact import FileName, Preprocessing
from imageqx_export.bundle.manifest import PHOTO_INDEX_FILE, PIXELS_SUFFIX
from imageqx_export.preprocess import find_reduction, load_pixels
from imageqx_export.support.frozen import Frozen

_SHIPPED = "golden_photos"

Need = Literal["jpeg", "png", "orientation", "reduction", "icc", "cmyk", "grey", "alpha"]
"""What a decoder must do to come to the same pixels, to the bit.

``jpeg``: libjpeg's accurate integer transform ("islow") and its smooth ("fancy") upsampling of the colours.
``orientation``: turn as EXIF says. ``reduction``: decode at a fraction, as libjpeg scales. ``icc``: convert the
profile to sRGB as LittleCMS does. ``cmyk``, ``grey``, ``alpha``: take such samples.
"""


class GoldenPhoto(Frozen):
    """One photo, and where its pixels are.

    Attributes:
        photo: Its file, beside the index.
        pixels: Likewise: rows from the top, of each the pixels from the left, of each the bytes red, green, blue.
        width: Pixels of a row as the file stores it, before any turn.
        height: Its rows.
        orientation: EXIF's, 1 to 8.
        reduction: At which fraction it is decoded: 1 in full, 2 at a half, and so on.
        needs: What a decoder must do.
    """

    photo: FileName
    pixels: FileName
    width: int
    height: int
    orientation: Annotated[int, Field(ge=1, le=8)]
    reduction: Annotated[int, Field(ge=1, le=8)]
    needs: tuple[Need, ...]


class PhotoIndex(Frozen):
    """The list of the photos, as ``golden/photos/photos.json`` holds it.

    Attributes:
        preprocessing: The way from a photo to its pixels; has their height and width.
        photos: In the order of their names.
    """

    schema_version: Literal[1] = 1
    preprocessing: Preprocessing
    photos: tuple[GoldenPhoto, ...]


def list_shipped() -> dict[str, bytes]:
    """Return the photos of the package, by name, sorted."""
    folder = files("imageqx_export.bundle") / _SHIPPED
    return {one.name: one.read_bytes() for one in sorted(folder.iterdir(), key=lambda one: one.name)}


def write_photos(folder: Path, preprocessing: Preprocessing) -> None:
    """Write the photos, their pixels and the index.

    Args:
        folder: ``golden/photos/``, which is made.
        preprocessing: Of the model's spec.
    """
    folder.mkdir(parents=True)
    entries = []
    for name, data in list_shipped().items():
        (folder / name).write_bytes(data)
        entry = _describe(folder / name, preprocessing)
        (folder / entry.pixels).write_bytes(load_pixels(folder / name, preprocessing).tobytes())
        entries.append(entry)
    index = PhotoIndex(preprocessing=preprocessing, photos=tuple(entries))
    (folder / PHOTO_INDEX_FILE).write_text(index.model_dump_json(indent=1) + "\n")


def _describe(path: Path, preprocessing: Preprocessing) -> GoldenPhoto:
    reduction = find_reduction(path, preprocessing)
    with Image.open(path) as image:
        orientation = int(image.getexif().get(0x0112, 1))
        wanted: dict[Need, bool] = {
            "jpeg": image.format == "JPEG",
            "png": image.format == "PNG",
            "orientation": orientation != 1,
            "reduction": reduction != 1,
            "icc": "icc_profile" in image.info,
            "cmyk": image.mode == "CMYK",
            "grey": image.mode == "L",
            "alpha": image.mode == "RGBA",
        }
        return GoldenPhoto(
            photo=path.name,
            pixels=path.name.replace(".", "_") + PIXELS_SUFFIX,
            width=image.width,
            height=image.height,
            orientation=orientation,
            reduction=reduction,
            needs=tuple(need for need, has in wanted.items() if has),
        )
