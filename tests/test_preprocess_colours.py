"""Colours are sRGB's, whatever profile a photo has: by the ICC's own figures."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from imageqx_export.preprocess import (
    load_pixels,
)
from tests.pictures import ADOBE, D50, P3, SIZE, SRGB, Array, colour, file_of, furthest, icc, noise, stretched, to_srgb


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
