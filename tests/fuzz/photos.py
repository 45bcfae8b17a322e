"""The decoders of photos, in every container that is accepted."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.fuzz.changes import repair_png
from tests.fuzz.parsers import Parser


def _encode(picture: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def _picture(mode: str = "RGB") -> Image.Image:
    rows: NDArray[np.uint8] = np.add.outer(np.arange(24), np.arange(32)).astype(np.uint8) * 4
    return Image.fromarray(np.stack([rows, rows[::-1], 255 - rows], 2)).convert(mode)


def _list_photos() -> dict[str, Callable[[], tuple[bytes, ...]]]:
    """Return what makes seeds, by container: every one of ``photo_files.FORMATS`` that this Pillow writes.

    Long because each container has a function of its own in it.
    """

    def jpeg() -> tuple[bytes, ...]:
        from PIL import ImageCms

        exif, profile = Image.Exif(), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        exif[274] = 6
        return (
            _encode(_picture(), "JPEG", exif=exif),
            _encode(_picture(), "JPEG", progressive=True, subsampling=1, icc_profile=profile),
            _encode(_picture("CMYK"), "JPEG", subsampling=0),
            _encode(_picture("L"), "JPEG", restart_marker_blocks=1),
            _encode(_picture(), "MPO", save_all=True, append_images=[_picture()]),
        )

    def tiff() -> tuple[bytes, ...]:
        deep = Image.fromarray(np.asarray(_picture("L")).astype(np.uint16) * 200)
        floats = Image.fromarray(np.asarray(_picture("L")).astype(np.float32) / 255)
        kinds = (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
        return (
            *(_encode(_picture(), "TIFF", compression=kind) for kind in kinds),
            _encode(_picture("1"), "TIFF", compression="group4"),
            *(_encode(one, "TIFF") for one in (deep, floats, _picture("CMYK"))),
            _encode(_picture(), "TIFF", save_all=True, append_images=[_picture("L")]),
        )

    def png() -> tuple[bytes, ...]:
        deep = Image.fromarray(np.asarray(_picture("L")).astype(np.uint16) * 200)
        return (
            *(_encode(_picture(mode), "PNG") for mode in ("RGB", "RGBA", "P", "LA", "1")),
            _encode(deep, "PNG"),
            _encode(_picture("P"), "PNG", transparency=3),
            _encode(_picture(), "PNG", save_all=True, append_images=[_picture().rotate(90)]),
        )

    def heic() -> tuple[bytes, ...]:
        import pillow_heif

        pillow_heif.register_heif_opener(thumbnails=False)
        several = {"save_all": True, "append_images": [_picture().rotate(180)]}
        return (
            _encode(_picture(), "HEIF"),
            _encode(_picture("RGBA"), "HEIF", quality=-1),
            _encode(_picture("L"), "HEIF"),
            _encode(_picture(), "HEIF", **several),
        )

    moving: dict[str, Any] = {"save_all": True, "append_images": [_picture().rotate(180)]}
    return {
        "JPEG": jpeg,
        "PNG": png,
        "TIFF": tiff,
        "GIF": lambda: (_encode(_picture(), "GIF"), _encode(_picture(), "GIF", **moving)),
        "BMP": lambda: tuple(_encode(_picture(mode), "BMP") for mode in ("RGB", "L", "1")),
        "PPM": lambda: (*(_encode(_picture(m), "PPM") for m in ("RGB", "L", "1")), b"P3\n2 1\n255\n1 2 3 4 5 6\n"),
        "WebP": lambda: (
            _encode(_picture(), "WEBP"),
            _encode(_picture("RGBA"), "WEBP", lossless=True),
            _encode(_picture(), "WEBP", **moving),
        ),
        "HEIC": heic,
        "AVIF": lambda: (
            _encode(_picture(), "AVIF"),
            _encode(_picture("RGBA"), "AVIF"),
            _encode(_picture(), "AVIF", **moving),
        ),
        "JPEG 2000": lambda: (
            _encode(_picture(), "JPEG2000"),
            _encode(_picture("L"), "JPEG2000", no_jp2=True, irreversible=True),
        ),
    }


PHOTOS = _list_photos()


def make_photos(name: str) -> Parser:
    """As predict reads them."""
    from imageqx_export.preprocess import load_pixels, open_photo, read_header

    def read(data: bytes) -> object:
        pixels = load_pixels(data)
        return pixels, read_header(data).pictures, open_photo(data, max_side=64).size

    def check(value: Any) -> str | None:
        right = value[0].shape == (224, 224, 3) and value[0].dtype == np.uint8
        return None if right else f"pixels are {value[0].dtype} {value[0].shape}"

    return Parser(read, PHOTOS[name](), repair_png if name == "PNG" else None, check=check)
