"""Progressive JPEGs at 1/8: the same pixels of a tenth of the bytes, held to libjpeg's own of the whole file."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imageqx_export.preprocess import load_pixels, stretch
from imageqx_export.support.jpeg_means import keep_means
from imageqx_export.support.jpegs import END, START_OF_SCAN, list_segments
from tests.pictures import SIZE, Array, textured

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "4:2:0": ("RGB", {"subsampling": "4:2:0"}),
    "4:2:2": ("RGB", {"subsampling": "4:2:2"}),
    "4:4:4": ("RGB", {"subsampling": "4:4:4"}),
    "with restart markers": ("RGB", {"restart_marker_blocks": 40}),
    "grey": ("L", {}),
    "CMYK": ("CMYK", {}),
}


def make(kind: str, size: tuple[int, int] = (2701, 2693), **more: Any) -> bytes:
    mode, options = KINDS[kind]
    buffer = io.BytesIO()
    picture = textured(*(side // 3 for side in size)).resize(size, Image.Resampling.BICUBIC)
    picture.convert(mode).save(buffer, "JPEG", **{"quality": 90, "progressive": True, **options, **more})
    return buffer.getvalue()


def decode(data: bytes) -> Array:
    """Decode at 1/8 with Pillow alone."""
    with Image.open(io.BytesIO(data)) as image:
        image.draft(None, (max(1, image.width // 8), max(1, image.height // 8)))
        return np.asarray(image).copy()


def drop(data: bytes, components: tuple[int, ...]) -> bytes:
    """Leave out scans of details without a scan in their place."""
    kept = [
        data[one.start : one.stop]
        for one in list_segments(data)
        if not (one.marker == START_OF_SCAN and one.body[1] in components and one.body[-3])
    ]
    return b"".join((data[:2], *kept, END))


@pytest.mark.parametrize("kind", KINDS)
def test_a_decode_at_an_eighth_is_the_same(kind: str) -> None:
    whole = make(kind)
    short = keep_means(whole)
    assert short is not None and len(short) < 0.8 * len(whole)
    assert (decode(short) == decode(whole)).all()


@pytest.mark.parametrize("size", [(8, 8), (9, 17), (1800, 1200), (2048, 1024), (2056, 1024)])
def test_every_block_is_called_empty_whatever_their_number(size: tuple[int, int]) -> None:
    whole = make("grey", size)
    short = keep_means(whole)
    assert short is not None and (decode(short) == decode(whole)).all()


def test_what_is_left_out_without_a_word_is_smoothed_and_colours_need_their_scans() -> None:
    whole = make("4:2:0")
    right = decode(whole)
    assert (decode(drop(whole, (1,))) != right).any()
    assert (decode(drop(whole, (2, 3))) != right).any()


def test_the_models_pixels_are_those_of_the_whole_file() -> None:
    whole = make("4:2:0")
    with Image.open(io.BytesIO(whole)) as image:
        image.draft(None, (336, 336))
        margins = (0, 0, image.width - 2701 / 8, image.height - 2693 / 8)
        expected = np.asarray(stretch(image.convert("RGB"), (SIZE, SIZE), margins))
    assert (load_pixels(whole) == expected).all()


def test_others_are_left_alone() -> None:
    whole = make("grey", (400, 300))
    scans = [one for one in list_segments(whole) if one.marker == START_OF_SCAN]
    assert keep_means(make("grey", (400, 300), progressive=False)) is None
    assert keep_means(whole[: scans[-1].start] + END) is None, "a scan is not there"
    renamed = bytearray(whole)
    renamed[scans[-1].start + 5] = 77
    assert keep_means(bytes(renamed)) is None, "of no component"
    assert keep_means(b"\xff\xd8\xff\xc2\x00\x02\xff\xd9") is None
    assert keep_means(b"") is None


@pytest.mark.parametrize(("place", "value"), [(3, 9), (6, 5), (8, 64), (9, 0x20)])
def test_a_file_that_libjpeg_refuses_is_left_as_it_is(place: int, value: int) -> None:
    whole = bytearray(make("grey", (400, 300)))
    last = [one for one in list_segments(bytes(whole)) if one.marker == START_OF_SCAN][-1]
    assert last.body == bytes((1, 1, 0, 1, 63, 0x10)), "the last bit of what blocks look like inside"
    whole[last.start + place] = value
    with pytest.raises(OSError, match="broken data stream"):
        decode(bytes(whole))
    assert keep_means(bytes(whole)) is None
