"""The model's pixels, checked against numpy written from the definitions instead of against Pillow."""

from __future__ import annotations

import contextlib
import io
import os
import random
import struct
import threading
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageDraw, TiffImagePlugin

from imageqx_export import preprocess
from imageqx_export.errors import PhotoError
from imageqx_export.preprocess import (
    PIXEL_LIMIT,
    REDUCED_MAX,
    REDUCED_MEAN,
    count_pictures,
    load_pixels,
    open_photo,
)
from imageqx_export.support.colours import convert_to_srgb
from imageqx_export.support.raws import begins_reduced, find_raw

Array = NDArray[Any]
SIZE = 224
REDUCED_SIDE = 336

# The ICC's own figures: XYZ of each primary adapted to D50, of Display P3 and Adobe RGB (1998).
P3 = np.array([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
ADOBE = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
D50 = (0.9642, 1.0, 0.8249)


# --- oracles and pictures -------------------------------------------------------------------------


def triangle(source: int, target: int) -> Array:
    """Weigh ``source`` samples for each of ``target``: a tent as wide as two of the larger samples."""
    scale = source / target
    reach = max(scale, 1.0)
    centres = (np.arange(target) + 0.5) * scale
    weights = np.maximum(0.0, 1.0 - np.abs(np.arange(source)[None] + 0.5 - centres[:, None]) / reach)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def stretched(picture: Array) -> Array:
    """Stretch [height, width, 3] to float64 [224, 224, 3] without rounding in between."""
    rows, columns = triangle(picture.shape[0], SIZE), triangle(picture.shape[1], SIZE)
    channels = np.moveaxis(picture.astype(float), -1, 0)
    return np.asarray(np.moveaxis(rows @ channels @ columns.T, 0, -1))


def to_srgb(colours: Array, primaries: Array, gamma: float | None) -> Array:
    """Convert 0..255 to sRGB's 0..255 with matrices; ``gamma`` None means sRGB's own curve."""
    x = colours / 255.0
    linear = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4) if gamma is None else x**gamma
    y = (linear @ (np.linalg.inv(SRGB) @ primaries).T).clip(0.0, 1.0)
    return np.asarray(255.0 * np.where(y <= 0.0031308, 12.92 * y, 1.055 * y ** (1 / 2.4) - 0.055))


def icc(primaries: Array | None, gamma: float | None) -> bytes:
    """Write an ICC version 2 profile byte by byte: of three primaries, or of grey."""

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"para\0\0\0\0" + struct.pack(">HH", 3, 0)
    curve += fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    if gamma is not None:
        curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = {b"wtpt": b"XYZ \0\0\0\0" + fixed(*D50)}
    if primaries is None:
        tags[b"kTRC"] = curve
    else:
        for name, column in zip((b"r", b"g", b"b"), primaries.T, strict=True):
            tags[name + b"XYZ"] = b"XYZ \0\0\0\0" + fixed(*column)
            tags[name + b"TRC"] = curve
    table, body = struct.pack(">I", len(tags)), b""
    for tag, value in tags.items():
        table += tag + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(value))
        body += value
    space = b"GRAY" if primaries is None else b"RGB "
    header = struct.pack(">4xI4s4s4s", 0x02400000, b"mntr", space, b"XYZ ") + bytes(12) + b"acsp"
    header = (header + bytes(28) + fixed(*D50)).ljust(124, b"\0")
    return struct.pack(">I", 128 + len(table) + len(body)) + header + table + body


def file_of(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def textured(height: int, width: int) -> Image.Image:
    """Make a photo-like picture: soft light, blocky texture, hard edges, noise."""
    draw = np.random.default_rng(5)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    scene = np.stack([120 + 90 * np.sin(9 * x + 4 * y), 120 + 90 * np.cos(7 * y), 110 + 80 * np.sin(11 * x)], -1)
    for block in (2, 5, 16, 50):
        grain = draw.normal(0, 7, (height // block + 1, width // block + 1))
        scene += np.kron(grain, np.ones((block, block)))[:height, :width, None]
    for _ in range(25):
        top, left = draw.integers(0, height), draw.integers(0, width)
        scene[top : top + height // 5, left : left + width // 5] *= 0.5
        scene[top : top + height // 5, left : left + width // 5] += draw.integers(0, 128, 3)
    return Image.fromarray((scene + draw.normal(0, 4, scene.shape)).clip(0, 255).astype(np.uint8))


def colour(pixels: Array) -> list[int]:
    """Return the one colour of a constant picture."""
    assert pixels.dtype == np.uint8
    assert pixels.shape == (224, 224, 3)
    assert (pixels == pixels[0, 0]).all(), "the picture is not constant"
    return [int(value) for value in pixels[0, 0]]


def furthest(a: Array, b: Array | list[int]) -> float:
    return float(np.abs(np.asarray(a, float) - np.asarray(b, float)).max())


# --- the stretch ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(300, 500), (224, 224), (1000, 230), (60, 40), (225, 223), (1, 7)])
def test_stretch_is_an_antialiased_triangle(height: int, width: int) -> None:
    picture = noise(height, width)
    assert furthest(load_pixels(file_of(Image.fromarray(picture))), stretched(picture)) <= 1.0


def test_oracle_tells_other_filters_apart() -> None:
    picture = Image.fromarray(noise(500, 700))
    for other in (Image.Resampling.NEAREST, Image.Resampling.BOX, Image.Resampling.BICUBIC):
        wrong = np.asarray(picture.resize((SIZE, SIZE), other))
        assert furthest(wrong, stretched(np.asarray(picture))) > 5


def test_whole_frame_is_kept() -> None:
    picture = np.zeros((400, 900, 3), np.uint8)
    picture[:, :20], picture[:, -20:] = (255, 0, 0), (0, 0, 255)
    pixels = load_pixels(file_of(Image.fromarray(picture)))
    assert pixels[100, 0].tolist() == [255, 0, 0]
    assert pixels[100, -1].tolist() == [0, 0, 255]


def test_size_of_the_target_is_left_alone() -> None:
    picture = noise(SIZE, SIZE)
    assert (load_pixels(file_of(Image.fromarray(picture))) == picture).all()


def test_result_is_a_fresh_writable_array() -> None:
    pixels = load_pixels(file_of(Image.new("RGB", (9, 9))))
    assert pixels.flags.writeable
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (10_000, 1)])
def test_extreme_shapes(size: tuple[int, int]) -> None:
    assert colour(load_pixels(file_of(Image.new("RGB", size, (9, 80, 200))))) == [9, 80, 200]
    assert open_photo(file_of(Image.new("RGB", size)), max_side=50).size == tuple(min(s, 50) for s in size)


# --- reduced decoding -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "size"),
    [
        ("RGB", (900, 900)),
        ("RGB", (1000, 1003)),
        ("RGB", (1793, 1810)),
        ("L", (900, 1300)),
        ("L", (1000, 1003)),
    ],
)
def test_reduced_decode_is_exact_enough(mode: str, size: tuple[int, int]) -> None:
    data = file_of(textured(*size).convert(mode), "JPEG", quality=92)
    full = stretched(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    delta = np.abs(load_pixels(data) - full)
    assert delta.mean() <= REDUCED_MEAN + 0.25  # the oracle does not round, which adds 1/4 level
    assert delta.max() <= REDUCED_MAX


def test_reduction_keeps_edges_where_they_are() -> None:
    """1003 pixels halve to 501.5; a stretch of all 502 would move the far edges."""
    picture = np.zeros((1003, 1003, 3), np.uint8)
    picture[::, 995:] = 255
    data = file_of(Image.fromarray(picture), "JPEG", quality=100, subsampling=0)
    with Image.open(io.BytesIO(data)) as image:
        full = stretched(np.asarray(image))
    with Image.open(io.BytesIO(data)) as image:
        image.draft(None, (336, 336))
        careless = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR))
    assert furthest(load_pixels(data), full) <= REDUCED_MAX
    assert furthest(careless, full) > REDUCED_MAX


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_thin_coloured_lines_keep_their_colour_however_it_is_sampled(subsampling: str) -> None:
    """Of 4:2:2, libjpeg halves a side of the colour that it has already halved."""
    picture, rng = Image.new("RGB", (2688, 2688), (224, 188, 170)), np.random.default_rng(1)
    for ends in rng.integers(0, 2688, (6, 4)).tolist():
        ImageDraw.Draw(picture).line(ends, fill=(30, 40, 200), width=3)
    data = file_of(picture, "JPEG", quality=92, subsampling=subsampling)
    with Image.open(io.BytesIO(data)) as image:
        full = stretched(np.asarray(image))
    with Image.open(io.BytesIO(data)) as image:
        image.draft(None, (REDUCED_SIDE, REDUCED_SIDE))
        careless = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR))
    assert np.abs(load_pixels(data) - full).mean() <= REDUCED_MEAN and furthest(load_pixels(data), full) <= REDUCED_MAX
    assert subsampling != "4:2:2" or furthest(careless, full) > 1.5 * REDUCED_MAX


def test_large_photos_are_decoded_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    resize = Image.Image.resize

    def spy(self: Image.Image, *args: Any, **options: Any) -> Image.Image:
        seen.append(self.size)
        return resize(self, *args, **options)

    monkeypatch.setattr(Image.Image, "resize", spy)
    for size in ((1344, 700), (1344, 1344), (671, 4000)):
        load_pixels(file_of(Image.new("RGB", size), "JPEG"))
    assert seen[::2] == [(672, 350), (336, 336), (671, 4000)]  # the second pass has what the first gave


def test_reduction_keeps_cmyk_and_orientation() -> None:
    wide = Image.new("CMYK", (2000, 1000), (0, 255, 255, 0))
    wide.paste((255, 0, 255, 0), (0, 0, 1000, 1000))
    exif = Image.Exif()
    exif[0x0112] = 6  # what was left comes to lie on top
    pixels = load_pixels(file_of(wide, "JPEG", quality=95, exif=exif))
    assert furthest(pixels[20, 100], [0, 255, 0]) <= 4
    assert furthest(pixels[200, 100], [255, 0, 0]) <= 4


# --- orientation ----------------------------------------------------------------------------------

TURNS: dict[int, Callable[[Array], Array]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", sorted(TURNS))
def test_orientation(orientation: int, kind: str) -> None:
    picture = noise(90, 150)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = file_of(Image.fromarray(picture), kind, exif=exif, **options)
    upright = TURNS[orientation](picture)
    assert furthest(load_pixels(data), stretched(upright)) <= 1.5
    shown = open_photo(data)
    assert (np.asarray(shown) == upright).all()
    assert 0x0112 not in shown.getexif()


def test_orientations_differ() -> None:
    turned = [turn(noise(90, 150)).tobytes() for turn in TURNS.values()]
    assert len(set(turned)) == 8


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"Exif\0\0",
        b"Exif\0\0MM\0*\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x04\0\0\0abc\0",  # a word as orientation
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x63\0\0\0",  # orientation 99
        b"rubbish" * 99,
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_is_ignored(kind: str, exif: bytes) -> None:
    picture = Image.fromarray(noise(30, 50))
    plain = load_pixels(file_of(picture, kind))
    assert (load_pixels(file_of(picture, kind, exif=exif)) == plain).all()


# --- modes ----------------------------------------------------------------------------------------


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


# --- colour profiles ------------------------------------------------------------------------------


@pytest.mark.parametrize(("primaries", "gamma"), [(P3, None), (ADOBE, 563 / 256)], ids=["P3", "Adobe RGB"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_wide_gamut_becomes_srgb(primaries: Array, gamma: float | None, kind: str) -> None:
    # Inside sRGB's gamut, where every method of clipping agrees.
    picture = (noise(SIZE, SIZE) // 2 + 60).astype(np.uint8)
    options = {"lossless": True} if kind == "WEBP" else {}
    data = file_of(Image.fromarray(picture), kind, icc_profile=icc(primaries, gamma), **options)
    expected = to_srgb(picture, primaries, gamma)
    inside = (expected > 1).all(-1) & (expected < 254).all(-1)
    assert inside.mean() > 0.85
    assert furthest(load_pixels(data)[inside], expected[inside]) <= 1.5
    assert furthest(picture[inside], expected[inside]) > 15  # the profile ignored would show


def test_known_p3_colours() -> None:
    """Orange of P3 (242, 101, 34) is (255, 94, 0) in sRGB; full green and red leave its gamut."""
    profile = icc(P3, None)
    for level, expected in {
        (255, 0, 0): [255, 0, 0],
        (0, 255, 0): [0, 255, 0],
        (200, 200, 200): [200] * 3,
    }.items():
        data = file_of(Image.new("RGB", (9, 9), level), icc_profile=profile)
        assert furthest(np.array(colour(load_pixels(data))), expected) <= 1


def test_profile_is_applied_before_alpha_and_before_the_stretch() -> None:
    picture = noise(500, 450, 4)
    picture[..., :3] = np.where(picture[..., :1] > 128, (230, 80, 60), (40, 120, 200))
    alpha = picture[..., 3:] / 255.0
    over = to_srgb(picture[..., :3], P3, None) * alpha + 255 * (1 - alpha)
    data = file_of(Image.fromarray(picture), icc_profile=icc(P3, None))
    assert furthest(load_pixels(data), stretched(over)) <= 2


def test_profile_of_a_reduced_jpeg() -> None:
    picture = Image.new("RGB", (1900, 1900), (200, 120, 90))
    data = file_of(picture, "JPEG", quality=98, icc_profile=icc(P3, None))
    expected = to_srgb(np.array([200, 120, 90]), P3, None)
    assert furthest(load_pixels(data)[0, 0], expected) <= 3


def test_grey_profile() -> None:
    ramp = np.tile(np.arange(SIZE, dtype=np.uint8), (SIZE, 1))
    linear = (ramp / 255.0) ** 1.8
    expected = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert furthest(ramp, expected) > 15  # the profile ignored would show
    for mode in ("L", "LA"):
        data = file_of(Image.fromarray(ramp).convert(mode), icc_profile=icc(None, 1.8))
        assert furthest(load_pixels(data), expected[..., None]) <= 2


def test_rgb_profile_on_a_grey_photo_means_equal_channels() -> None:
    data = file_of(Image.new("L", (9, 9), 100), icc_profile=icc(ADOBE, 1.0))
    expected = to_srgb(np.array([100, 100, 100]), ADOBE, 1.0)
    assert furthest(np.array(colour(load_pixels(data))), expected) <= 1.5
    assert expected[0] > 150


def test_srgb_profile_changes_nothing() -> None:
    picture = noise(SIZE, SIZE)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert (load_pixels(file_of(Image.fromarray(picture), icc_profile=profile)) == picture).all()


def test_profile_close_to_srgb_is_not_taken_for_it() -> None:
    picture = noise(SIZE, SIZE)
    expected = to_srgb(picture, SRGB, 2.2)
    assert 4 < furthest(picture, expected) < 15
    pixels = load_pixels(file_of(Image.fromarray(picture), icc_profile=icc(SRGB, 2.2)))
    assert furthest(pixels, expected) <= 2


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "RGBA", "I;16"])
@pytest.mark.parametrize(
    "profile",
    [b"x", b"no profile" * 40, icc(P3, None)[:200], icc(P3, None)[:150] + b"\xff" * 200],
    ids=["tiny", "text", "truncated", "damaged"],
)
def test_broken_profile_is_ignored(mode: str, profile: bytes) -> None:
    picture = Image.new(mode, (20, 20), 140)
    plain = load_pixels(file_of(picture, "TIFF"))
    assert (load_pixels(file_of(picture, "TIFF", icc_profile=profile)) == plain).all()


@pytest.mark.parametrize(
    ("mode", "profile"), [("RGB", icc(None, 1.0)), ("CMYK", icc(P3, 1.0)), ("CMYK", icc(None, 1.0))]
)
def test_profile_for_other_channels_is_ignored(mode: str, profile: bytes) -> None:
    picture = Image.new(mode, (20, 20), (10, 90, 160) if mode == "RGB" else (10, 90, 160, 20))
    plain = load_pixels(file_of(picture, "TIFF"))
    assert (load_pixels(file_of(picture, "TIFF", icc_profile=profile)) == plain).all()


def cmyk_profile() -> bytes:
    """Write a CMYK profile whose table gives L* = 100 − 100 C for any M, Y and K, and no hue."""
    grid = [c for c in range(2) for _ in range(8)]
    identity = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    lut = b"mft2\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + struct.pack(">HH", 2, 2)
    lut += struct.pack(">8H", *[0, 65535] * 4)
    for c in grid:  # ICC version 2 writes L* 100 as 0xFF00, and a* = b* = 0 as 0x8000
        lut += struct.pack(">3H", round(0xFF00 * (1 - c)), 0x8000, 0x8000)
    lut += struct.pack(">6H", *[0, 65535] * 3)
    tags = {b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(65536 * v) for v in D50)), b"A2B0": lut}
    table, body = struct.pack(">I", len(tags)), b""
    for tag, value in tags.items():
        table += tag + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    header = struct.pack(">4xI4s4s4s", 0x02400000, b"prtr", b"CMYK", b"Lab ") + bytes(12) + b"acsp"
    header = (header + bytes(28) + struct.pack(">3i", *(round(65536 * v) for v in D50))).ljust(124, b"\0")
    return struct.pack(">I", 128 + len(table) + len(body)) + header + table + body


@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
def test_cmyk_profile(kind: str) -> None:
    picture = Image.new("CMYK", (1000, 1000), (153, 40, 90, 0))  # 60 % cyan
    data = file_of(picture, kind, icc_profile=cmyk_profile())
    # L* 40 is Y = ((40 + 16) / 116)³ = 0.1125, which sRGB writes as 94
    assert furthest(load_pixels(data)[9, 9], [94] * 3) <= 2


# --- files that are no photo ----------------------------------------------------------------------


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
        (file_of(textured(80, 80))[:900], "cannot be decoded"),
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
    monkeypatch.setattr(preprocess, "PIXEL_LIMIT", 200)
    assert colour(load_pixels(data)) == [1, 2, 3]
    monkeypatch.setattr(preprocess, "PIXEL_LIMIT", 199)
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
        preprocess._QUIET.__enter__()
        silent = list(warnings.filters)
        preprocess._QUIET.__enter__()
        preprocess._QUIET.__exit__()
        assert list(warnings.filters) == silent != before
        preprocess._QUIET.__exit__()
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


# --- open_photo -----------------------------------------------------------------------------------


def test_open_photo_keeps_proportions_and_size() -> None:
    data = file_of(textured(600, 900), "JPEG")
    assert open_photo(data).size == (900, 600)
    assert open_photo(data, max_side=300).size == (300, 200)
    assert open_photo(data, max_side=5000).size == (900, 600)
    with pytest.raises(ValueError, match="max_side"):
        open_photo(data, max_side=0)


def test_open_photo_shows_what_the_model_sees(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    path.write_bytes(file_of(Image.fromarray(noise(400, 300, 4)), icc_profile=icc(P3, None), exif=exif))
    shown = open_photo(path)
    assert shown.mode == "RGB"
    assert shown.info == {}
    assert furthest(stretched(np.asarray(shown)), load_pixels(path)) <= 1.5


# --- properties -----------------------------------------------------------------------------------

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
    assert count_pictures(file.getvalue()) == 3


def test_one_picture_is_one() -> None:
    assert count_pictures(raw({254: 0}, None)) == 1
