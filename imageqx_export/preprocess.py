"""Photo bytes → the model's pixels: the one definition. The phone's code must reproduce it.

In this order: decode; scale 16-bit samples to 8 bits; convert to sRGB; lay alpha over white; stretch
the whole frame to 224 × 224 with an antialiased triangle filter; turn as EXIF says (last, for free:
a stretch to a square commutes with it).

**Reduced decoding.** A JPEG is decoded at 1/2, 1/4 or 1/8 while both sides keep ``REDUCED_SIDE`` = 336
pixels, 1.5 times the target. "Exact enough" means: of photo-like pictures the pixels move by at most
``REDUCED_MEAN`` = 0.75 levels of 255 on average and ``REDUCED_MAX`` = 12 anywhere. Seven sizes, six of them
the worst that the rule allows, moved by up to 0.52 and 11; black and white stripes about one output pixel wide,
which no photo is, by 8 and 21. ``python -m benchmarks.bench_preprocess --rounds 9`` on 2 x86 cores with
Pillow 13.0.0, 4032 × 3024, quality 92, |Δ| against the full decode::

                               median ms   ratio   mean |Δ|   max |Δ|
    load_pixels                     67.7    0.99      0.426         6
    load_pixels, Display P3         78.1    1.12
    Pillow draft(224), resize       67.4    1.00      0.426         6
    Pillow draft(448), resize       91.9    1.30      0.166         2
    Pillow in full, resize         275.6    4.21      0             0

**Colour before the stretch.** Converting profiles at 224 × 224 would be cheaper, but put edges in
Display P3 up to 40 levels off. Not looked at: PNG's gAMA, cHRM, cICP; EXIF's ColorSpace; gain maps.
"""

from __future__ import annotations

import functools
import io
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageFile

from imageqx_export.errors import PhotoError

SIZE: Final = 224
"""Height and width of the model's input, in pixels."""

PIXEL_LIMIT: Final = 200_000_000
"""Most pixels a photo may have: phones go up to 16320 × 12240 = 199,756,800, 0.8 GB decoded in full.
More is taken for a decompression bomb and never decoded."""

REDUCED_SIDE: Final = 3 * SIZE // 2
"""Fewest pixels per side that reduced decoding may leave."""

REDUCED_MEAN: Final = 0.75
REDUCED_MAX: Final = 12
"""Bounds on |reduced − full decode| of a photo, in levels of 255; tests hold it to them."""

# EPS, WMF and their like are left out: they start other programs. HEIF works once somebody has
# registered a plugin for it (pillow_heif). First come those that Pillow loads quickest.
FORMATS: Final = ("JPEG", "PNG", "GIF", "BMP", "PPM", "WEBP", "AVIF", "HEIF", "TIFF", "JPEG2000")

_EXPECTED: Final = f"a complete image file ({', '.join(FORMATS)}) of at most {PIXEL_LIMIT:,} pixels"
_GREY: Final = frozenset({"1", "L", "LA", "La"})
_DEEP: Final = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
_WHITES: Final = {"F": (1.0, 255.0, 65535.0), "12 bits": (4095.0,)}
_PROFILE_MODES: Final = {"L": ("L", "RGB"), "RGB": ("RGB",), "CMYK": ("CMYK",)}
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def load_pixels(source: str | os.PathLike[str] | bytes, *, name: str | None = None) -> NDArray[np.uint8]:
    """Turn a photo into the pixels that every model takes.

    Args:
        source: The photo's path, or the bytes of its file. Of several frames, the first counts.
        name: What errors call the photo; its path, or ``"<bytes>"``, unless given.

    Returns:
        uint8 [224, 224, 3] (row, column, channel): upright sRGB, 0 to 255, red first.

    Raises:
        PhotoError: If there is no such file, it is no image or a damaged one, its samples have no
            known range, or it has more than ``PIXEL_LIMIT`` pixels.
    """
    with _opened(source, name) as image:
        # A square is asked for, so it does not matter yet whether EXIF swaps the sides.
        reduced = image.draft(None, (REDUCED_SIDE, REDUCED_SIDE))
        # 1003 pixels become 502, of which the photo covers 501.5: without the box, edges shift.
        box = reduced[1] if reduced else None
        small = _to_srgb(image).resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=box)
        return np.array(_upright(small, image), dtype=np.uint8)


def open_photo(
    source: str | os.PathLike[str] | bytes, *, name: str | None = None, max_side: int | None = None
) -> Image.Image:
    """Open a photo for display: the same frame and colours as the model's, in its own proportions.

    Args:
        source: As for :func:`load_pixels`.
        name: As for :func:`load_pixels`.
        max_side: Most pixels of the longer side, from 1; None keeps the photo's size. Never enlarges.

    Returns:
        An upright sRGB picture of mode RGB, without metadata.

    Raises:
        PhotoError: As :func:`load_pixels`.
        ValueError: If ``max_side`` is not positive.
    """
    if max_side is not None and max_side < 1:
        raise ValueError(f"max_side must be at least 1, got {max_side}")
    with _opened(source, name) as image:
        if max_side is not None:
            image.draft(None, (2 * max_side, 2 * max_side))
        rgb = _to_srgb(image)
        if max_side is not None and max(rgb.size) > max_side:
            width, height = (max(1, round(side * max_side / max(rgb.size))) for side in rgb.size)
            rgb = rgb.resize((width, height), Image.Resampling.BILINEAR)
        upright = _upright(rgb, image)
        # From bare pixels: the old EXIF would have a viewer turn the picture a second time.
        return Image.frombytes("RGB", upright.size, upright.tobytes())


@contextmanager
def _opened(source: str | os.PathLike[str] | bytes, name: str | None) -> Iterator[ImageFile.ImageFile]:
    """Open a photo, check its size before its pixels are decoded, and name it in whatever goes wrong."""
    where = name or ("<bytes>" if isinstance(source, bytes) else os.fsdecode(source))
    try:
        with _QUIET, _stream(source) as file:
            image = _identify(file)
            width, height = image.size
            if min(width, height) < 1:
                raise _RefusedError("the photo has no pixels", f"{width} × {height}")
            if width * height > PIXEL_LIMIT:
                raise _RefusedError("the photo is too large", f"{width} × {height} = {width * height:,} pixels")
            yield image
    except _RefusedError as refused:
        raise PhotoError(refused.args[0], where=where, expected=_EXPECTED, got=refused.args[1]) from refused
    except Exception as error:  # decoders fail with whatever they stumbled over, MemoryError included
        got = f"{type(error).__name__}: {error}"
        remedy = "open it in a viewer; if it shows there, save it again as JPEG or PNG"
        what = "the photo cannot be decoded"
        raise PhotoError(what, where=where, expected=_EXPECTED, got=got, remedy=remedy) from error


class _RefusedError(Exception):
    """Carry what is wrong, and what was found, to the place that knows the photo's name."""


def _stream(source: str | os.PathLike[str] | bytes) -> AbstractContextManager[IO[bytes]]:
    """Open the bytes of a photo for reading."""
    if isinstance(source, bytes):
        if not source:
            raise _RefusedError("the photo is empty", "0 bytes")
        return nullcontext(io.BytesIO(source))
    try:
        status = Path(source).stat()
    except FileNotFoundError as error:
        raise _RefusedError("there is no such photo", "nothing there") from error
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for its writer
        folder = stat.S_ISDIR(status.st_mode)
        raise _RefusedError("the photo is not a file", "a folder" if folder else "a pipe, socket or device")
    if not status.st_size:
        raise _RefusedError("the photo is empty", "0 bytes")
    return open(source, "rb")


def _identify(file: IO[bytes]) -> ImageFile.ImageFile:
    """Read a header as ``Image.open`` does, without its own, global limit of 179 megapixels."""
    prefix = file.read(16)
    for name in FORMATS:
        for load in (Image.preinit, Image.init):
            if name not in Image.OPEN:
                load()
        factory, accept = Image.OPEN.get(name, (None, None))
        if factory is not None and (accept is None or accept(prefix) is True):
            file.seek(0)
            return factory(file, b"")
    raise _RefusedError("the photo is of no known image format", f"a file that starts with {prefix!r}")


def _upright(picture: Image.Image, source: Image.Image) -> Image.Image:
    """Turn ``picture`` as the decoded ``source``'s EXIF or XMP says; leave it if they say nonsense."""
    try:
        turn = _TURNS.get(int(source.getexif().get(ExifTags.Base.Orientation, 1)))
    except Exception:  # damaged EXIF fails in as many ways as a damaged photo, and is no reason to refuse it
        return picture
    return picture if turn is None else picture.transpose(turn)


def _to_srgb(image: Image.Image) -> Image.Image:
    """Convert a picture of any mode to RGB: samples, then colour profile, then alpha over white."""
    image.load()
    colours, alpha = _split(image)
    rgb = _profiled(colours, image.info.get("icc_profile") or b"")
    return rgb if alpha is None else Image.composite(rgb, Image.new("RGB", rgb.size, "white"), alpha)


def _split(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Take a picture apart into colours (mode L, RGB or CMYK) and alpha (mode L, or None if opaque)."""
    if image.mode in _DEEP:
        return _eight_bits(image)
    if image.has_transparency_data and image.mode != "CMYK":
        grey = image.mode in _GREY
        *colours, alpha = image.convert("LA" if grey else "RGBA").split()
        return Image.merge("L" if grey else "RGB", colours), alpha
    mode = "L" if image.mode in _GREY else "CMYK" if image.mode == "CMYK" else "RGB"
    return (image if image.mode == mode else image.convert(mode)), None


def _eight_bits(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
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
        raise _RefusedError("the photo's samples have no known range", got)
    white = next(white for white in whites if peak <= white)
    scaled = np.rint(values.clip(0).astype(np.float32) * np.float32(255 / white))
    key = image.info.get("transparency")
    mask = Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)) if isinstance(key, int) else None
    return Image.fromarray(scaled.astype(np.uint8)), mask


def _profiled(colours: Image.Image, profile: bytes) -> Image.Image:
    """Convert L, RGB or CMYK to sRGB.

    A profile that is broken, or made for other channels, is ignored, as browsers and phones do: the
    photo then counts as sRGB, and CMYK as Pillow's plain inverse of RGB.
    """
    # An RGB profile on a grey photo is common, and means the colour r = g = b.
    for mode in _PROFILE_MODES[colours.mode] if profile else ():
        fits, transform = _transform(profile, mode)
        if fits:
            plain = colours if colours.mode == mode else colours.convert(mode)
            return plain if transform is None else transform.apply(plain)
    return colours if colours.mode == "RGB" else colours.convert("RGB")


@functools.lru_cache(maxsize=8)  # building takes 5 ms, and a folder's photos share their profile
def _transform(profile: bytes, mode: str) -> tuple[bool, ImageCms.ImageCmsTransform | None]:
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


class _Quiet:
    """Silence Pillow's warnings as long as any thread is decoding.

    Overlapping ``catch_warnings`` undo each other, so the first in saves and the last out restores.
    """

    _lock = threading.Lock()
    _inside = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._saved.__exit__(None, None, None)


_QUIET: Final = _Quiet()
