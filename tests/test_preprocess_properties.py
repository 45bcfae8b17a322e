"""Any picture, and any bytes, become pixels or are refused."""

from __future__ import annotations

import random
import warnings

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imageqx_export.errors import PhotoError
from imageqx_export.preprocess import (
    load_pixels,
)
from tests.pictures import P3, colour, file_of, icc, textured

KINDS = {"PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"], "JPEG": ["L", "RGB", "CMYK"]}
KINDS |= {
    "TIFF": ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I", "F", "I;16"],
    "GIF": ["P", "L"],
}
CASES = [(kind, mode) for kind, modes in KINDS.items() for mode in modes]


@settings(max_examples=50, deadline=None, database=None)
@given(st.sampled_from(CASES), st.integers(1, 64), st.integers(1, 64), st.integers(0, 255))
def test_constant_pictures_stay_constant(case: tuple[str, str], width: int, height: int, level: int) -> None:
    kind, mode = case
    picture = Image.new("L", (width, height), level).convert("RGB" if mode == "LAB" else mode).convert(mode)
    if mode == "1":
        picture = Image.new("1", (width, height), level > 127)
    pixels = load_pixels(file_of(picture, kind))
    colour(pixels)


@settings(max_examples=40, deadline=None, database=None)
@given(st.sampled_from(CASES), st.integers(1, 64), st.integers(1, 64), st.integers(0, 2**32 - 1))
def test_any_picture_becomes_pixels(case: tuple[str, str], width: int, height: int, seed: int) -> None:
    kind, mode = case
    data = random.Random(seed).randbytes(width * height * 4)
    picture = Image.frombytes("RGBX", (width, height), data).convert("RGB")
    picture = picture.convert("L").convert(mode) if mode in ("LA", "I", "I;16", "F") else picture.convert(mode)
    pixels = load_pixels(file_of(picture, kind))
    assert (pixels.dtype, pixels.shape) == (np.dtype(np.uint8), (224, 224, 3))


FILES = [file_of(textured(40, 60), kind) for kind in ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP", "JPEG2000", "AVIF")]
FILES += [file_of(textured(40, 60), kind, icc_profile=icc(P3, None), exif=b"Exif\0\0MM\0*") for kind in ("PNG", "JPEG")]


@settings(max_examples=250, deadline=None, database=None)
@given(st.sampled_from(FILES), st.integers(0, 2**32 - 1), st.integers(0, 12), st.booleans())
def test_damaged_files_work_or_are_refused(data: bytes, seed: int, flips: int, cut: bool) -> None:
    draw, damaged = random.Random(seed), bytearray(data)
    for _ in range(flips):
        # Headers are short and matter most.
        damaged[draw.randrange(min(len(damaged), draw.choice((64, 600, len(damaged)))))] = draw.randrange(256)
    if cut:
        del damaged[draw.randrange(len(damaged)) :]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            assert load_pixels(bytes(damaged), name="damaged").shape == (224, 224, 3)
        except PhotoError as error:
            assert error.where == "damaged"


@settings(max_examples=100, deadline=None, database=None)
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\xff\xd8\xff", b"II*\0", b"BM", b"GIF89a", b"P6 ", b"RIFF"]),
)
def test_any_bytes_work_or_are_refused(tail: bytes, magic: bytes) -> None:
    try:
        assert load_pixels(magic + tail).shape == (224, 224, 3)
    except PhotoError as error:
        assert "<bytes>" in str(error)
