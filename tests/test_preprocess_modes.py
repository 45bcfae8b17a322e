"""Every mode of picture becomes the model's pixels: palettes, alpha, sixteen bits, frames."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from imageqx_export.errors import PhotoError
from imageqx_export.preprocess import (
    load_pixels,
    open_photo,
)
from imageqx_export.support.colours import convert_to_srgb
from tests.pictures import SIZE, colour, file_of, furthest, noise, stretched


def rgba(*levels: int) -> Image.Image:
    return Image.new("RGBA", (30, 20), levels)


def palette(transparent: bool) -> bytes:
    picture = Image.new("P", (30, 20), 3)
    picture.putpalette([0, 0, 0] * 3 + [10, 200, 30])
    return file_of(picture, transparency=bytes([255, 255, 255, 128])) if transparent else file_of(picture)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(file_of(Image.new("1", (30, 20), 1)), [255] * 3, id="1"),
        pytest.param(file_of(Image.new("L", (30, 20), 77)), [77] * 3, id="L"),
        pytest.param(file_of(Image.new("LA", (30, 20), (40, 51))), [212] * 3, id="LA"),  # 40/5 + 255·4/5
        pytest.param(file_of(rgba(100, 0, 200, 255)), [100, 0, 200], id="RGBA opaque"),
        pytest.param(file_of(rgba(100, 0, 200, 0)), [255] * 3, id="RGBA clear"),
        pytest.param(file_of(rgba(100, 0, 200, 51)), [224, 204, 244], id="RGBA a fifth"),
        pytest.param(file_of(Image.new("RGB", (30, 20), (1, 2, 3)), transparency=(1, 2, 3)), [255] * 3, id="RGB key"),
        pytest.param(file_of(Image.new("L", (30, 20), 5), transparency=5), [255] * 3, id="L key"),
        pytest.param(palette(False), [10, 200, 30], id="P"),
        pytest.param(palette(True), [132, 227, 142], id="P half"),
        pytest.param(file_of(Image.new("CMYK", (30, 20), (255, 0, 0, 0)), "TIFF"), [0, 255, 255], id="CMYK"),
        pytest.param(file_of(Image.new("CMYK", (30, 20), (0, 0, 0, 155)), "TIFF"), [100] * 3, id="CMYK key"),
        # BT.601: R = Y + 1.402 Cr, G = Y − 0.344 Cb − 0.714 Cr, B = Y + 1.772 Cb
        pytest.param(file_of(Image.new("YCbCr", (30, 20), (100, 148, 108)), "TIFF"), [72, 107, 135], id="YCbCr"),
        # CIE: L* = 100 · 138/255 = 54.1 is Y = 0.2212, which sRGB writes as 129
        pytest.param(file_of(Image.new("LAB", (30, 20), (138, 128, 128)), "TIFF"), [129] * 3, id="LAB"),
        pytest.param(file_of(Image.new("I;16", (30, 20), 257 * 60)), [60] * 3, id="I;16"),
        pytest.param(file_of(Image.new("I", (30, 20), 257 * 60), "TIFF"), [60] * 3, id="I"),
        pytest.param(b"P5 1 1 65535\n" + struct.pack(">H", 257 * 60), [60] * 3, id="PGM 16"),
        pytest.param(file_of(Image.new("F", (30, 20), 0.5), "TIFF"), [128] * 3, id="F to 1"),
        pytest.param(file_of(Image.new("F", (30, 20), 60.2), "TIFF"), [60] * 3, id="F to 255"),
        pytest.param(file_of(Image.new("F", (30, 20), 257 * 60.0), "TIFF"), [60] * 3, id="F to 65535"),
        pytest.param(file_of(Image.new("F", (30, 20), -3.0), "TIFF"), [0] * 3, id="F negative"),
    ],
)
def test_modes(data: bytes, expected: list[int]) -> None:
    assert furthest(np.array(colour(load_pixels(data))), expected) <= 1
    assert furthest(np.asarray(open_photo(data))[0, 0], expected) <= 1


@pytest.mark.parametrize("mode", ["HSV", "RGBX", "RGBa", "La", "PA", "I;16B", "I;16L", "I;16N"])
def test_modes_that_no_file_of_ours_has(mode: str) -> None:
    levels = {
        "HSV": (85, 255, 255),
        "RGBX": (0, 255, 0, 7),
        "RGBa": (0, 51, 0, 51),
        "La": (0, 51),
        "PA": (0, 51),
    }
    expected = {
        "HSV": [0, 255, 0],
        "RGBX": [0, 255, 0],
        "RGBa": [204, 255, 204],
        "La": [204] * 3,
        "PA": [204] * 3,
    }
    picture = Image.new(mode, (3, 2), levels.get(mode, 257 * 200))
    rgb = convert_to_srgb(picture)
    assert rgb.mode == "RGB"
    assert furthest(np.asarray(rgb)[0, 0], expected.get(mode, [200] * 3)) <= 1


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65535, SIZE * SIZE).reshape(SIZE, SIZE).astype(np.uint16)
    for kind in ("PNG", "TIFF"):
        pixels = load_pixels(file_of(Image.fromarray(ramp), kind))
        assert furthest(pixels, ramp[..., None] / 257.0) <= 0.501


def test_sixteen_bit_key_is_transparent() -> None:
    data = bytearray(file_of(Image.new("I;16", (4, 4), 1000), transparency=1000))
    assert b"tRNS" in data
    assert colour(load_pixels(bytes(data))) == [255] * 3


def test_twelve_bit_tiff_is_scaled_to_its_own_white() -> None:
    values = [(256, 3, 2), (257, 3, 1), (258, 3, 12), (259, 3, 1), (262, 3, 1), (273, 4, 122)]
    values += [(277, 3, 1), (278, 3, 1), (279, 4, 3)]
    entries = b"".join(
        struct.pack("<HHIHH" if k == 3 else "<HHII", t, k, 1, *((v, 0) if k == 3 else (v,))) for t, k, v in values
    )
    data = struct.pack("<2sHIH", b"II", 42, 8, len(values)) + entries + bytes(4)
    assert len(data) == 122
    assert colour(load_pixels(data + b"\xff\xff\xff")) == [255] * 3
    assert furthest(load_pixels(data + b"\x80\x08\x00")[0, 0], [128] * 3) <= 1


@pytest.mark.parametrize("level", [float("nan"), float("inf"), float("-inf"), 1e6])
def test_samples_without_a_range_are_refused(level: float) -> None:
    with pytest.raises(PhotoError, match="no known range"):
        load_pixels(file_of(Image.new("F", (3, 3), level), "TIFF"))


def test_integers_beyond_sixteen_bits_are_refused() -> None:
    with pytest.raises(PhotoError, match="no known range"):
        load_pixels(file_of(Image.new("I", (3, 3), 70_000), "TIFF"))


def test_alpha_is_laid_over_white_before_the_stretch() -> None:
    picture = noise(300, 260, 4)
    alpha = picture[..., 3:] / 255.0
    over = picture[..., :3] * alpha + 255.0 * (1 - alpha)
    pixels = load_pixels(file_of(Image.fromarray(picture)))
    assert furthest(pixels, stretched(over)) <= 1.5
    assert furthest(pixels, stretched(picture[..., :3])) > 40  # alpha dropped would show


def test_first_frame_counts() -> None:
    first, second = Image.new("RGB", (20, 20), (200, 10, 10)), Image.new("RGB", (20, 20), (0, 0, 255))
    for kind in ("PNG", "TIFF", "WEBP", "GIF", "MPO"):
        data = file_of(first, kind, save_all=True, append_images=[second])
        assert furthest(load_pixels(data)[0, 0], [200, 10, 10]) <= 3, kind
