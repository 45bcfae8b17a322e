"""Files that are no photo are refused with the reason: damaged ones, bombs, camera raws, any bytes."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import threading
import warnings
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from imageqx_export.errors import PhotoError
from imageqx_export.preprocess import (
    load_pixels,
    open_photo,
    read_header,
)
from imageqx_export.support import photo_files
from imageqx_export.support.photo_files import PIXEL_LIMIT
from imageqx_export.support.raws import begins_reduced, find_raw
from tests.pictures import P3, colour, file_of, icc, textured


def refusal(source: str | Path | bytes, name: str | None = None) -> str:
    """Return the message with which both entries refuse ``source``."""
    with pytest.raises(PhotoError) as shown:
        open_photo(source, name=name)
    with pytest.raises(PhotoError) as caught:
        load_pixels(source, name=name)
    assert str(shown.value) == str(caught.value)
    assert f"{PIXEL_LIMIT:,} pixels" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello, I am text\n", "no known image format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no known image format"),
        (b"\xff\xd8\xff\xe0", "cannot be decoded"),
        (b"\x89PNG\r\n\x1a\n", "cannot be decoded"),
        (file_of(textured(80, 80))[:900], "cut off"),
        (file_of(textured(80, 80), "JPEG")[:900], "cut off"),
        (file_of(textured(900, 900), "JPEG")[:60_000], "cut off"),
        (b"P5 0 5 255\n", "cannot be decoded|no pixels"),
    ],
)
def test_no_photo(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "holiday.jpg"
    path.write_bytes(data)
    for message in (refusal(path), refusal(str(path))):
        assert str(path) in message
    assert "\n  where:    upload 7\n" in refusal(data, name="upload 7")
    assert "<bytes>" in refusal(data)
    with pytest.raises(PhotoError, match=reason):
        load_pixels(path)


def test_places_without_a_photo(tmp_path: Path) -> None:
    assert "a folder" in refusal(tmp_path)
    assert "there is no such photo" in refusal(tmp_path / "nothing.jpg")
    assert "nothing.jpg" in refusal(tmp_path / "nothing.jpg")
    os.mkfifo(tmp_path / "pipe")
    assert "pipe" in refusal(tmp_path / "pipe")
    refusal("nul\0byte.jpg")
    (tmp_path / "photo.jpg").write_bytes(b"hello, I am text")
    refusal(tmp_path / "photo.jpg" / "below.jpg")


def huge_png(width: int, height: int) -> bytes:
    data = bytearray(file_of(Image.new("L", (1, 1))))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


@pytest.mark.parametrize("size", [(20_000, 10_001), (100_000, 100_000)])
def test_bomb_is_refused_before_it_is_decoded(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message = refusal(huge_png(*size), name="bomb.png")
    assert "too large" in message
    assert f"{size[0] * size[1]:,} pixels" in message
    assert "bomb.png" in message


def test_limit_is_inclusive_and_pillows_own_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    data = file_of(Image.new("RGB", (20, 10), (1, 2, 3)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    monkeypatch.setattr(photo_files, "PIXEL_LIMIT", 200)
    assert colour(load_pixels(data)) == [1, 2, 3]
    monkeypatch.setattr(photo_files, "PIXEL_LIMIT", 199)
    with pytest.raises(PhotoError, match="too large"):
        load_pixels(data)


def test_no_warning_leaves_and_filters_are_restored() -> None:
    picture = Image.new("P", (9, 9))
    noisy = [file_of(picture, transparency=b"\x80\xff"), huge_png(15_000, 9_000)]
    tiff = bytearray(file_of(Image.new("L", (9, 9)), "TIFF"))
    noisy += [bytes(tiff[:-20]), bytes(tiff[:60])]
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        for data in noisy:
            with contextlib.suppress(PhotoError):
                load_pixels(data)
        assert list(warnings.filters) == before
    assert seen == []


def test_silence_lasts_until_the_last_one_leaves() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        photo_files._QUIET.__enter__()
        silent = list(warnings.filters)
        photo_files._QUIET.__enter__()
        photo_files._QUIET.__exit__()
        assert list(warnings.filters) == silent != before
        photo_files._QUIET.__exit__()
        assert list(warnings.filters) == before


def test_threads_share_the_silence() -> None:
    data = file_of(textured(300, 300), "JPEG", icc_profile=icc(P3, None))
    expected = load_pixels(data)
    before = list(warnings.filters)
    wrong: list[int] = []

    def work() -> None:
        wrong.extend(i for i in range(5) if (load_pixels(data) != expected).any())

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert list(warnings.filters) == before


def raw(first: dict[int, Any], sub: dict[int, Any] | None, order: str = "<") -> bytes:
    """Write a camera raw as cameras do: a small preview first, the sensor's samples in a subfolder of tags."""
    writer = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II" if order == "<" else b"MM")
    pixels = bytes(160 * 120 * 3)
    common = {256: 160, 257: 120, 258: (8, 8, 8), 259: 1, 277: 3, 278: 120, 279: len(pixels), 273: 0}  # after the tags
    for tag, value in {262: 2, **common, **first}.items():
        writer[tag] = value
    if sub is not None:
        writer[330] = 2048  # where the subfolder begins
        writer.tagtype[330] = 4
    out = io.BytesIO()
    out.write((b"II" if order == "<" else b"MM") + struct.pack(order + "HL", 42, 8))
    out.write(writer.tobytes(8))
    if sub is not None:
        inner = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II" if order == "<" else b"MM")
        for tag, value in sub.items():
            inner[tag] = value
        out.write(bytes(2048 - out.tell()) + inner.tobytes(2048))
    out.write(bytes(4096 - out.tell()) + pixels)
    return out.getvalue()


SENSOR = {254: 0, 256: 4000, 257: 3000, 258: 14, 259: 1, 262: 32803, 277: 1}
RAWS = {
    "DNG": raw({254: 1, 271: "A phone", 50706: b"\x01\x04\x00\x00"}, SENSOR),
    "Nikon NEF": raw({254: 1, 271: "NIKON CORPORATION"}, SENSOR, ">"),
    "Sony ARW": raw({254: 1, 271: "SONY"}, SENSOR),
    "of an unknown maker": raw({254: 1}, {**SENSOR, 262: 34892}),
    "Fujifilm RAF": b"FUJIFILMCCD-RAW 0201FF383501" + bytes(100),
    "Canon CR2": b"II*\0\x10\0\0\0CR\x02\0" + bytes(100),
    "Canon CR3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(100),
    "Olympus ORF": b"IIRO\x08\0\0\0" + bytes(100),
    "Panasonic RW2": b"IIU\0\x18\0\0\0" + bytes(100),
}


@pytest.mark.parametrize("kind", RAWS)
def test_a_camera_raw_is_refused_by_name(kind: str) -> None:
    """Pillow would show the preview, which is another picture, and a sharper one."""
    with pytest.raises(PhotoError, match="camera raw") as caught:
        load_pixels(RAWS[kind])
    assert caught.value.got == kind and "JPEG" in str(caught.value.remedy)


def test_the_preview_of_a_raw_would_open() -> None:
    """The negative control: but for the refusal, a verdict would come of 160 × 120 pixels."""
    for kind in ("DNG", "Nikon NEF"):
        assert Image.open(io.BytesIO(RAWS[kind])).size == (160, 120)
    assert load_pixels(raw({254: 0}, None)).shape == (224, 224, 3)


def test_a_reduced_first_picture_is_refused() -> None:
    with pytest.raises(PhotoError, match="reduced version of another"):
        load_pixels(raw({254: 1}, {254: 0, 256: 4000, 257: 3000, 262: 2}))


def test_folders_of_tags_that_go_in_circles_end() -> None:
    data = bytearray(raw({254: 0}, None))
    count = struct.unpack_from("<H", data, 8)[0]
    struct.pack_into("<L", data, 10 + 12 * count, 8)
    assert find_raw(io.BytesIO(data)) is None and not begins_reduced(io.BytesIO(data))


@settings(max_examples=200, deadline=None)
@given(tail=st.binary(max_size=300))
def test_any_tags_are_read_or_passed_over(tail: bytes) -> None:
    for order in (b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"):
        file = io.BytesIO(order + tail)
        assert find_raw(file) is None or b"\0" in tail
        assert begins_reduced(file) in (True, False)


@pytest.mark.parametrize("kind", ["TIFF", "MPO", "GIF", "WEBP", "AVIF", "PNG"])
def test_of_several_pictures_the_first_is_judged(kind: str) -> None:
    pictures = [Image.new("RGB", (300, 300), colour) for colour in ("red", "lime", "blue")]
    file = io.BytesIO()
    pictures[0].save(file, kind, save_all=True, append_images=pictures[1:])
    red, green, blue = load_pixels(file.getvalue())[112, 112].tolist()
    assert red > 230 and green < 25 and blue < 25
    assert read_header(file.getvalue()).pictures == 3


def test_one_picture_is_one() -> None:
    assert read_header(raw({254: 0}, None)).pictures == 1
