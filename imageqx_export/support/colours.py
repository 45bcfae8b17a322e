"""Pillow pictures of any mode → RGB in sRGB: samples, then colour profile, then alpha over white."""

from __future__ import annotations

import functools
import io
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

_GREY: Final = frozenset({"1", "L", "LA", "La"})
_DEEP: Final = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
_WHITES: Final = {"F": (1.0, 255.0, 65535.0), "12 bits": (4095.0,)}
_PROFILE_MODES: Final = {"L": ("L", "RGB"), "RGB": ("RGB",), "CMYK": ("CMYK",)}


class RefusedError(Exception):
    """What is wrong, and what was found, on its way to the place that knows the photo's name."""


def convert_to_srgb(image: Image.Image) -> Image.Image:
    """Convert a picture of any mode to RGB: samples, then colour profile, then alpha over white."""
    image.load()
    colours, alpha = _split(image)
    rgb = _apply_profile(colours, image.info.get("icc_profile") or b"")
    return rgb if alpha is None else Image.composite(rgb, Image.new("RGB", rgb.size, "white"), alpha)


def _split(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Take a picture apart into colours (mode L, RGB or CMYK) and alpha (mode L, or None if opaque)."""
    if image.mode in _DEEP:
        return _scale_to_eight_bits(image)
    if image.has_transparency_data and image.mode != "CMYK":
        grey = image.mode in _GREY
        *colours, alpha = image.convert("LA" if grey else "RGBA").split()
        return Image.merge("L" if grey else "RGB", colours), alpha
    mode = "L" if image.mode in _GREY else "CMYK" if image.mode == "CMYK" else "RGB"
    return (image if image.mode == mode else image.convert(mode)), None


def _scale_to_eight_bits(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Scale grey samples of more than 8 bits to 8; Pillow's own conversion would clip them.

    White is 65535 for integers (4095 in a 12-bit TIFF). Floats do not say: white is the smallest of
    1, 255 and 65535 that no sample exceeds. Negative samples are black. Samples beyond that, or not
    finite, are refused: guessing would change the verdict.
    """
    values: NDArray[Any] = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    kind = "12 bits" if tags.get(ExifTags.Base.BitsPerSample) == (12,) else image.mode
    whites = _WHITES.get(kind, (65535.0,))
    low, peak = float(values.min()), float(values.max())
    if not (np.isfinite(low) and peak <= whites[-1]):
        got = f"mode {image.mode}, {low:g} to {peak:g}, where white is at most {whites[-1]:g}"
        raise RefusedError("the photo's samples have no known range", got)
    white = next(white for white in whites if peak <= white)
    scaled = np.rint(values.clip(0).astype(np.float32) * np.float32(255 / white))
    key = image.info.get("transparency")
    mask = Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)) if isinstance(key, int) else None
    return Image.fromarray(scaled.astype(np.uint8)), mask


def _apply_profile(colours: Image.Image, profile: bytes) -> Image.Image:
    """Convert L, RGB or CMYK to sRGB.

    A profile that is broken, or made for other channels, is ignored, as browsers and phones do: the
    photo then counts as sRGB, and CMYK as Pillow's plain inverse of RGB.
    """
    # An RGB profile on a grey photo is common, and means the colour r = g = b.
    for mode in _PROFILE_MODES[colours.mode] if profile else ():
        fits, transform = _build_transform(profile, mode)
        if fits:
            plain = colours if colours.mode == mode else colours.convert(mode)
            return plain if transform is None else transform.apply(plain)
    return colours if colours.mode == "RGB" else colours.convert("RGB")


@functools.lru_cache(maxsize=8)  # building takes 5 ms, and a folder's photos share their profile
def _build_transform(profile: bytes, mode: str) -> tuple[bool, ImageCms.ImageCmsTransform | None]:
    """Tell whether ``profile`` fits ``mode``, and how to get from there to sRGB (None: it is sRGB)."""
    space = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}[mode]
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != space:
            return False, None
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except Exception:  # LittleCMS' and Pillow's own, of several unrelated types
        return False, None
    return True, None if mode == "RGB" and _is_identity(transform) else transform


def _is_identity(transform: ImageCms.ImageCmsTransform) -> bool:
    """Tell whether a transform from RGB to RGB moves no colour of a grid by more than one level."""
    grid = np.mgrid[0:256:15, 0:256:15, 0:256:15].astype(np.uint8).reshape(3, 18, -1).transpose(1, 2, 0)
    moved = np.asarray(transform.apply(Image.fromarray(grid.copy()))).astype(int) - grid
    return int(np.abs(moved).max()) <= 1
