"""HEIC, what iPhones take: the picture that was put in comes out, turned once, in sRGB."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import Image

from imageqx_export.data.photos import list_photos
from imageqx_export.errors import PhotoError
from imageqx_export.preprocess import load_pixels, open_photo, read_header
from tests.conftest import Cli
from tests.pictures import P3, icc

EXIF_ORIENTATION = 0x0112


def make_picture(width: int = 360, height: int = 240) -> Image.Image:
    """Draw a picture of which no turn or mirror image is itself."""
    rows, columns = np.mgrid[0:height, 0:width]
    planes = (255 * columns / width, 255 * rows / height, 128 + 100 * np.sin(columns / 23) * np.cos(rows / 31))
    return Image.fromarray(np.stack(planes, axis=2).astype(np.uint8))


def save(picture: Image.Image, kind: str, **options: object) -> bytes:
    pillow_heif.register_heif_opener(thumbnails=False)
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def lossless(picture: Image.Image, **options: object) -> bytes:
    return save(picture, "HEIF", quality=-1, chroma=444, matrix_coefficients=0, **options)


def levels(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> int:
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def test_a_lossless_heic_has_the_pixels_of_the_png() -> None:
    picture = make_picture()
    assert np.array_equal(load_pixels(lossless(picture)), load_pixels(save(picture, "PNG")))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_container_and_exif_say_the_same_turn_and_it_is_made_once(orientation: int) -> None:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    picture = make_picture()
    turned = lossless(picture, exif=exif.tobytes())
    assert b"irot" in turned or b"imir" in turned or orientation == 1
    assert Image.open(io.BytesIO(turned)).info["original_orientation"] in (orientation, None)
    # PNG's EXIF is the other way to say it, and Pillow's own.
    assert np.array_equal(load_pixels(turned), load_pixels(save(picture, "PNG", exif=exif)))
    assert open_photo(turned).size == ((240, 360) if orientation > 4 else (360, 240))


def test_display_p3_becomes_srgb() -> None:
    picture, display_p3 = make_picture(), icc(P3, None)
    wide = load_pixels(lossless(picture, icc_profile=display_p3))
    assert levels(wide, load_pixels(save(picture, "PNG", icc_profile=display_p3))) == 0
    assert levels(wide, load_pixels(lossless(picture))) > 20


def test_of_several_pictures_the_primary_counts() -> None:
    several = pillow_heif.HeifFile()  # type: ignore[no-untyped-call]
    for picture in (make_picture().rotate(180), make_picture()):
        several.add_frombytes("RGB", picture.size, picture.tobytes())
    buffer = io.BytesIO()
    several.save(buffer, quality=-1, chroma=444, matrix_coefficients=0, primary_index=1)
    assert read_header(buffer.getvalue()).pictures == 2
    assert np.array_equal(load_pixels(buffer.getvalue()), load_pixels(save(make_picture(), "PNG")))


@pytest.mark.parametrize("end", [40, 400, -200, -1])
def test_a_heic_that_is_cut_off_is_refused_in_one_sentence(end: int) -> None:
    with pytest.raises(PhotoError, match="the photo cannot be decoded"):
        load_pixels(save(make_picture(), "HEIF", quality=90)[:end])


def test_folders_and_commands_take_heic_and_avif(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "IMG_1.HEIC").write_bytes(save(make_picture(), "HEIF"))
    (tmp_path / "b.avif").write_bytes(save(make_picture(), "AVIF"))
    assert [path.name for path in list_photos(tmp_path).photos] == ["IMG_1.HEIC", "b.avif"]
    result = cli("predict", str(tmp_path / "IMG_1.HEIC"), str(tmp_path / "b.avif"))
    assert result.returncode == 0
    assert "IMG_1.HEIC" in result.stdout
