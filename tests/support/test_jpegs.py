"""JPEGs without their end: what has every pixel is taken, to the bit; what lacks one is refused."""

from __future__ import annotations

import io
import random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imageqx_export.errors import PhotoError
from imageqx_export.preprocess import load_pixels
from imageqx_export.support.jpegs import is_terminated, terminate

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "4:2:0": ("RGB", {"subsampling": 2}),
    "4:4:4": ("RGB", {"subsampling": 0}),
    "progressive": ("RGB", {"progressive": True}),
    "with restart markers": ("RGB", {"restart_marker_rows": 1}),
    "grey": ("L", {}),
    "CMYK": ("CMYK", {}),
}


def make_jpeg(kind: str, width: int = 320, height: int = 240) -> bytes:
    random = np.random.default_rng(4)
    slope = np.add.outer(np.linspace(0, 180, height), np.linspace(0, 70, width))
    picture = np.clip(slope[..., None] + random.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)
    mode, options = KINDS[kind]
    buffer = io.BytesIO()
    Image.fromarray(picture).convert(mode).save(buffer, "JPEG", quality=85, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_end_may_be_missing(kind: str) -> None:
    whole = make_jpeg(kind)
    expected = load_pixels(whole)
    for cut in (1, 2):
        assert np.array_equal(load_pixels(whole[:-cut]), expected)
    first = whole.index(b"\xff\xda") + 40
    for end in random.Random(2).sample(range(first, len(whole) - 2), 12):
        with pytest.raises(PhotoError, match="the photo is cut off"):
            load_pixels(whole[:end])


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_how_much_is_missing_is_said(share: float) -> None:
    whole = make_jpeg("4:4:4")
    with pytest.raises(PhotoError) as caught:
        load_pixels(whole[: round(len(whole) * share)])
    printed = int(str(caught.value).split("about ")[1].split(" %")[0])
    assert abs(printed - 100 * (1 - share)) < 6


def test_a_progressive_one_that_ends_between_two_scans_lacks_the_later_ones() -> None:
    whole = make_jpeg("progressive")
    scans = [k for k in range(len(whole)) if whole[k : k + 2] == b"\xff\xda"]
    assert len(scans) > 4
    tables = whole.rindex(b"\xff\xc4", 0, scans[-1])  # the last scan's own Huffman table stands before it
    with pytest.raises(PhotoError, match="without its last scans"):
        load_pixels(whole[:tables])


def test_what_follows_the_end_does_not_matter() -> None:
    whole = make_jpeg("4:2:0")
    assert is_terminated(io.BytesIO(whole + b"a maker's trailer" * 500))
    assert not is_terminated(io.BytesIO(whole[:-2]))
    assert np.array_equal(load_pixels(whole + b"\0" * 64), load_pixels(whole))


def test_a_thumbnails_end_is_not_the_photos() -> None:
    thumbnail = make_jpeg("4:2:0", 64, 48)
    exif = Image.Exif()
    exif[0x010E] = "holds a thumbnail"
    body = b"Exif\0\0" + exif.tobytes() + thumbnail
    whole = make_jpeg("4:2:0")
    together = whole[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + whole[2:]
    assert is_terminated(io.BytesIO(together))
    assert not is_terminated(io.BytesIO(together[:-2]))
    assert terminate(together[:-2]) == together


def test_a_png_without_its_end_has_every_pixel_and_one_without_data_has_not() -> None:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(make_jpeg("4:4:4"))).save(buffer, "PNG")
    whole = buffer.getvalue()
    assert np.array_equal(load_pixels(whole[:-12]), load_pixels(whole))
    with pytest.raises(PhotoError):
        load_pixels(whole[: len(whole) // 2])
