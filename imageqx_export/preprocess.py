"""Photo bytes → the model's pixels: the one definition. The phone's code must reproduce it.

In this order: decode; scale 16-bit samples to 8 bits; convert to sRGB; lay alpha over white; turn as EXIF says;
stretch the whole frame to the ModelSpec's size with an antialiased triangle filter.

**The order of the passes.** The stretch is two passes, each rounding to 8 bits: first along the rows, then along the
columns, of the upright photo. Pillow 13.0.0 decides by the photo's shape (columns first where h − H > 0 and
h − H > 2·(w − W)), Pillow 12 never does, and which comes first moves 15 to 20 % of a tall photo's bytes by one level;
so either pass is asked for on its own here. What one pass computes is Pillow's, in integers: per output sample the
weights 1 − |distance| / reach of the samples within reach (the scale, at least 1), normalised in float64, rounded to
2⁻²² halves away from zero; the sum plus 2²¹ shifted right by 22 and clipped to 0…255.
``tests/bundle/test_photos.py`` has it in numpy, and ``golden/photos/`` of an export has examples.

**Reduced decoding.** A JPEG is decoded at 1/2, 1/4 or 1/8 while both sides keep ``REDUCED`` = 1.5 times
the target, 336 pixels of 224. "Exact enough" means: of photo-like pictures the pixels move by at most
``REDUCED_MEAN`` = 0.75 levels of 255 on average and ``REDUCED_MAX`` = 12 anywhere. Seven sizes, six of them
the worst that the rule allows, moved by up to 0.52 and 11; black and white stripes about one output pixel wide,
which no photo is, by 8 and 21. Both bounds end at grain of more than 8 levels (one
standard deviation, in blocks of two pixels, as cameras leave it in the dark): of 8 levels the six sizes move by 0.43 to
0.72 on average and up to 10, of 16 levels by 0.67 to 1.18 and up to 11, and of 24 levels by 0.84 to 1.62 and up to 14.
``python -m benchmarks.bench_preprocess --rounds 9`` on 2 busy x86 cores with Pillow 13.0.0, 4032 × 3024, quality 92,
processor time, |Δ| against the full decode::

                                            median ms   ratio   mean |Δ|   max |Δ|
    load_pixels                                  28.9    1.01      0.426         6
    load_pixels, Display P3                      31.9    1.11
    load_pixels, progressive                     41.4    1.43      0.426         6
    Pillow draft(224), resize, progressive      110.3    3.82      0.426         6
    Pillow draft(224), resize                    28.7    1.00      0.426         6
    Pillow draft(448), resize                    35.1    1.22      0.166         2
    Pillow in full, resize                      122.8    4.29      0             0

What is left is Huffman's code, bit by bit: the same picture takes 8.7 ms at 0.4 MB, 16.2 at 1.4 and 28.7 at 3.1. Of a
progressive JPEG, the scans that 1/8 ignores are left out before it is decoded (``support/jpeg_means.py``); its pixels
are the same.

**Colour before the stretch.** Converting profiles at 224 × 224 would be cheaper, but put edges in
Display P3 up to 40 levels off. Not looked at: PNG's gAMA, cHRM, cICP; EXIF's ColorSpace; gain maps.
"""

from __future__ import annotations

import io
import os
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from imageqx_export.artifact import Preprocessing
from imageqx_export.support.colours import convert_to_srgb
from imageqx_export.support.jpeg_means import keep_means
from imageqx_export.support.orientation import find_turn
from imageqx_export.support.photo_files import open_file

REDUCED: Final = 1.5
"""Fewest pixels that reduced decoding may leave of a side, per pixel of the target."""

REDUCED_MEAN: Final = 0.75
REDUCED_MAX: Final = 12
"""Bounds on |reduced − full decode| of a photo, in levels of 255; tests hold it to them."""

_DEFAULT: Final = Preprocessing()


def load_pixels(
    source: str | os.PathLike[str] | bytes, preprocessing: Preprocessing = _DEFAULT, *, name: str | None = None
) -> NDArray[np.uint8]:
    """Turn a photo into the pixels that a model takes.

    Args:
        source: The photo's path, or the bytes of its file. Of several pictures (a TIFF's pages,
            an MPO's views, frames of a GIF, WebP, PNG or AVIF) the first counts; of a HEIC's the primary.
        preprocessing: Of the model's spec; has the size. The default is ImageQX's, 224 × 224.
        name: What errors call the photo; its path, or ``"<bytes>"``, unless given.

    Returns:
        uint8 [height, width, 3] (row, column, channel): upright sRGB, 0 to 255, red first.

    Raises:
        PhotoError: If there is no such file, it is no image or a damaged one, a camera raw or a reduced
            version, its samples have no known range, or it has more than ``PIXEL_LIMIT`` pixels.
    """
    size = (preprocessing.width, preprocessing.height)
    with open_file(source, name) as image:
        reduced = _decode_reduced(image, _list_least_sides(image, preprocessing))
        rgb = convert_to_srgb(image)
        # 1003 pixels become 502, of which the photo covers 501.5: without the margins, edges shift.
        right, bottom = reduced[1][2:] if reduced else rgb.size
        margins: tuple[float, ...] = (0.0, 0.0, rgb.width - right, rgb.height - bottom)
        turn = find_turn(image)  # again: of some kinds of file, EXIF is read with the pixels
        if turn is not None:
            rgb, margins = rgb.transpose(turn.method), tuple(margins[edge] for edge in turn.edges)
        return np.array(stretch(rgb, size, margins), dtype=np.uint8)


def stretch(
    picture: Image.Image, size: tuple[int, int], margins: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
) -> Image.Image:
    """Stretch a picture with an antialiased triangle filter, along its rows first.

    Args:
        picture: Of mode RGB, upright.
        size: Width and height of the result.
        margins: What the photo does not cover of the picture's left, upper, right and lower edge, in pixels.
    """
    left, top, right, bottom = margins
    filter = Image.Resampling.BILINEAR
    box = (left, 0, picture.width - right, picture.height)
    wide = picture.resize((size[0], picture.height), filter, box=box)
    return wide.resize(size, filter, box=(0, top, size[0], picture.height - bottom))


def find_reduction(source: str | os.PathLike[str] | bytes, preprocessing: Preprocessing = _DEFAULT) -> int:
    """Return by how much a photo is decoded smaller on its way to a model's pixels: 1, 2, 4 or 8.

    Args:
        source: As for :func:`load_pixels`.
        preprocessing: Likewise.

    Raises:
        PhotoError: As :func:`load_pixels`.
    """
    with open_file(source, None) as image:
        width = image.width
        _decode_reduced(image, _list_least_sides(image, preprocessing))
        return round(width / image.width)


def measure_sides(source: str | os.PathLike[str] | bytes, *, name: str | None = None) -> tuple[int, int]:
    """Return a photo's width and height in pixels as they are stored, before it is turned upright; none is decoded.

    Args:
        source: As for :func:`load_pixels`.
        name: As for :func:`load_pixels`.

    Raises:
        PhotoError: It cannot be opened.
    """
    with open_file(source, name) as image:
        return image.size


def open_photo(
    source: str | os.PathLike[str] | bytes, *, name: str | None = None, max_side: int | None = None
) -> Image.Image:
    """Open a photo for display: the same frame and colours as the model's, in its own proportions.

    Args:
        source: As for :func:`load_pixels`.
        name: As for :func:`load_pixels`.
        max_side: Most pixels of the longer side, from 1; None keeps the photo's size. Never enlarges.

    Returns:
        An upright sRGB picture of mode RGB, without metadata.

    Raises:
        PhotoError: As :func:`load_pixels`.
        ValueError: If ``max_side`` is not positive.
    """
    if max_side is not None and max_side < 1:
        raise ValueError(f"max_side must be at least 1, got {max_side}")
    with open_file(source, name) as image:
        if max_side is not None:
            _decode_reduced(image, (2 * max_side, 2 * max_side))
        rgb = convert_to_srgb(image)
        if max_side is not None and max(rgb.size) > max_side:
            width, height = (max(1, round(side * max_side / max(rgb.size))) for side in rgb.size)
            rgb = rgb.resize((width, height), Image.Resampling.BILINEAR)
        turn = find_turn(image)
        upright = rgb if turn is None else rgb.transpose(turn.method)
        # From bare pixels: the old EXIF would have a viewer turn the picture a second time.
        return Image.frombytes("RGB", upright.size, upright.tobytes())


def _list_least_sides(image: Image.Image, preprocessing: Preprocessing) -> tuple[int, int]:
    """Return how many pixels a photo's rows and columns, as they are stored, must keep of a reduced decode."""
    width, height = int(preprocessing.width * REDUCED), int(preprocessing.height * REDUCED)
    turn = find_turn(image)
    return (height, width) if turn is not None and turn.swaps_sides else (width, height)


def _decode_reduced(
    image: ImageFile.ImageFile, least: tuple[int, int]
) -> tuple[str, tuple[float, float, float, float]] | None:
    """Let a JPEG decode at the smallest scale whose sides are at least these; return what Pillow's ``draft`` does.

    Where colour has fewer samples along one side alone (4:2:2, 4:4:0), libjpeg scales it down with the brightness, and
    thin coloured lines lose up to 38 levels at 1/8; of 4:2:0 it keeps what the photo has. One scale larger, they keep
    within the bound.
    """
    samples = {(horizontal, vertical) for _, horizontal, vertical, _ in getattr(image, "layer", ())}
    widest, tallest = (max((pair[axis] for pair in samples), default=1) for axis in (0, 1))
    uneven = any(widest * vertical != tallest * horizontal for horizontal, vertical in samples)
    factor = 2 if uneven else 1
    reduced = image.draft(None, (factor * least[0], factor * least[1]))
    if reduced is not None and image.fp and image.info.get("progressive") and image.decoderconfig[0] == 8:
        image.fp.seek(0)
        means = keep_means(image.fp.read())
        image.fp = image.fp if means is None else io.BytesIO(means)
    return reduced


class PhotoHeader(NamedTuple):
    """What a photo's file says of itself before its pixels are decoded.

    Args:
        width: Pixels per row, as stored: not yet upright.
        height: Rows, likewise.
        pictures: Pages, views or frames that the file holds, of which one is assessed.
    """

    width: int
    height: int
    pictures: int


def read_header(source: str | os.PathLike[str] | bytes, *, name: str | None = None) -> PhotoHeader:
    """Read a photo's header.

    Args:
        source: As for :func:`load_pixels`.
        name: As for :func:`load_pixels`.

    Raises:
        PhotoError: As :func:`load_pixels`.
    """
    with open_file(source, name) as image:
        try:
            pictures = int(getattr(image, "n_frames", 1))
        except Exception:  # a later picture is damaged, which is no reason to refuse the one that counts
            pictures = 1
        return PhotoHeader(*image.size, pictures)
