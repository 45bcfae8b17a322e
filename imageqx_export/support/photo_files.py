"""Open a photo's file: of a known format, limited in pixels before any is decoded, named in whatever goes wrong."""

from __future__ import annotations

import importlib
import io
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO, Final

from PIL import Image, ImageFile

from imageqx_export.errors import PhotoError
from imageqx_export.support.colours import RefusedError
from imageqx_export.support.jpegs import is_terminated, terminate
from imageqx_export.support.pngs import measure_missing
from imageqx_export.support.raws import begins_reduced, find_raw

PIXEL_LIMIT: Final = 200_000_000
"""Most pixels a photo may have: phones go up to 16320 × 12240 = 199,756,800, 0.8 GB decoded in full.
More is taken for a decompression bomb and never decoded."""

# EPS, WMF and their like are left out: they start other programs. First come those that Pillow loads quickest.
_PLUGINS: Final = {
    "JPEG": "JpegImagePlugin",
    "PNG": "PngImagePlugin",
    "GIF": "GifImagePlugin",
    "BMP": "BmpImagePlugin",
    "PPM": "PpmImagePlugin",
    "WEBP": "WebPImagePlugin",
    "AVIF": "AvifImagePlugin",
    "HEIF": None,  # registered where a file asks for it
    "TIFF": "TiffImagePlugin",
    "JPEG2000": "Jpeg2KImagePlugin",
}
"""Pillow's modules; each is imported when a file is not of a format before it, as all take longer than a photo."""

FORMATS: Final = tuple(_PLUGINS)

_EXPECTED: Final = f"a complete image file ({', '.join(FORMATS)}) of at most {PIXEL_LIMIT:,} pixels"


@contextmanager
def open_file(source: str | os.PathLike[str] | bytes, name: str | None) -> Iterator[ImageFile.ImageFile]:
    """Open a photo, check its size before its pixels are decoded, and name it in whatever goes wrong."""
    where = name or ("<bytes>" if isinstance(source, bytes) else os.fsdecode(source))
    try:
        with _QUIET, _open_stream(source) as file:
            image = _identify(file)
            width, height = image.size
            if min(width, height) < 1:
                raise RefusedError("the photo has no pixels", f"{width} × {height}")
            if width * height > PIXEL_LIMIT:
                raise RefusedError("the photo is too large", f"{width} × {height} = {width * height:,} pixels")
            yield image
    except RefusedError as refused:
        why, found, *advice = refused.args
        raise PhotoError(
            why, where=where, expected=_EXPECTED, got=found, remedy=advice[0] if advice else None
        ) from refused
    except Exception as error:  # decoders fail with whatever they stumbled over, MemoryError included
        if missing := _find_missing(source):
            share = f"about {max(1, round(100 * missing))} % of its pixels' data are missing"
            raise PhotoError(
                "the photo is cut off", where=where, expected=_EXPECTED, got=share, remedy="send it again, whole"
            ) from error
        got = f"{type(error).__name__}: {error}"
        remedy = "open it in a viewer; if it shows there, save it again as JPEG or PNG"
        what = "the photo cannot be decoded"
        raise PhotoError(what, where=where, expected=_EXPECTED, got=got, remedy=remedy) from error


def _find_missing(source: str | os.PathLike[str] | bytes) -> float | None:
    """Return which part of a photo that cannot be decoded is not there, where its format can say."""
    try:
        with _open_stream(source) as file:
            return measure_missing(file)
    except (OSError, ValueError, RefusedError):  # its name, too, may be what is wrong
        return None


def _open_stream(source: str | os.PathLike[str] | bytes) -> AbstractContextManager[IO[bytes]]:
    """Open the bytes of a photo for reading."""
    if isinstance(source, bytes):
        if not source:
            raise RefusedError("the photo is empty", "0 bytes")
        return nullcontext(io.BytesIO(source))
    try:
        status = Path(source).stat()
    except FileNotFoundError as error:
        raise RefusedError("there is no such photo", "nothing there") from error
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for its writer
        folder = stat.S_ISDIR(status.st_mode)
        raise RefusedError("the photo is not a file", "a folder" if folder else "a pipe, socket or device")
    if not status.st_size:
        raise RefusedError("the photo is empty", "0 bytes")
    return open(source, "rb")


def _identify(file: IO[bytes]) -> ImageFile.ImageFile:
    """Read a header as ``Image.open`` does, without its own, global limit of 179 megapixels."""
    raw = find_raw(file)
    if raw is not None:
        raise RefusedError(
            "the photo is a camera raw: only its preview could be assessed", raw, "develop it, and pass the JPEG"
        )
    if begins_reduced(file):
        raise RefusedError(
            "the file's first picture is a reduced version of another",
            "a TIFF whose tag NewSubfileType says so",
            "save the full picture as JPEG or PNG",
        )
    file.seek(0)
    prefix = file.read(16)
    if prefix.startswith(b"\xff\xd8\xff") and not is_terminated(file):
        file.seek(0)
        file = io.BytesIO(terminate(file.read()))
    if prefix[4:8] == b"ftyp":
        _register_heif()
    for name, plugin in _PLUGINS.items():
        if plugin is not None and name not in Image.OPEN:
            importlib.import_module(f"PIL.{plugin}")
        factory, accept = Image.OPEN.get(name, (None, None))
        if factory is not None and (accept is None or accept(prefix) is True):
            file.seek(0)
            return factory(file, b"")
    raise RefusedError("the photo is of no known image format", f"a file that starts with {prefix!r}")


def _register_heif() -> None:
    """Let Pillow read HEIC. A container's own turn counts and its EXIF's does not: MIAF, ISO/IEC 23000-22, 7.3.6.7."""
    if "HEIF" in Image.OPEN:
        return
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)


class _Quiet:
    """A silence of Pillow's warnings as long as any thread is decoding.

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
