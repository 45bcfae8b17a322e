"""The model's pixels, checked against numpy written from the definitions instead of against Pillow."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from imageqx_export.preprocess import (
    REDUCED_MAX,
    REDUCED_MEAN,
    load_pixels,
    open_photo,
)
from tests.pictures import P3, REDUCED_SIDE, SIZE, Array, colour, file_of, furthest, icc, noise, stretched, textured

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
