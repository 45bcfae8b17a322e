"""Of a PNG that is cut off it is said how much is missing; the sizes are counted by hand, after the specification."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imageqx_export.errors import PhotoError
from imageqx_export.preprocess import load_pixels
from imageqx_export.support.pngs import measure_missing


def _make_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))


def _make_png(raw: bytes, *, bits: int, colour: int, interlaced: int, chunk: int = 10**6) -> bytes:
    """Return an 8 × 8 PNG whose rows lie in it as they are, behind the seven bytes that zlib puts before them."""
    data = zlib.compress(raw, 0)
    header = _make_chunk(b"IHDR", struct.pack(">2L5B", 8, 8, bits, colour, 0, 0, interlaced))
    parts = [_make_chunk(b"IDAT", data[at : at + chunk]) for at in range(0, len(data), chunk)]
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(parts) + _make_chunk(b"IEND", b"")


# Bytes of all rows of 8 × 8 pixels. Adam7 of bytes: 1 × 1, 1 × 1, 2 × 1, 2 × 2, 4 × 2, 4 × 4 and 8 × 4 pixels.
KINDS = [(8, 0, 0, 8 * 9), (1, 0, 0, 8 * 2), (16, 6, 0, 8 * 65), (8, 0, 1, 2 + 2 + 3 + 6 + 10 + 20 + 36)]


@pytest.mark.parametrize(("bits", "colour", "interlaced", "size"), KINDS)
def test_what_is_missing_is_counted(bits: int, colour: int, interlaced: int, size: int) -> None:
    whole = _make_png(bytes(size), bits=bits, colour=colour, interlaced=interlaced)
    assert measure_missing(io.BytesIO(whole)) == 0
    behind = 12 + 4 + 4  # IEND, IDAT's check sum and zlib's
    for lost in range(1, size + 1):
        assert measure_missing(io.BytesIO(whole[: len(whole) - behind - lost])) == pytest.approx(lost / size)


def test_data_in_several_chunks_are_one_stream() -> None:
    whole = _make_png(bytes(72), bits=8, colour=0, interlaced=0, chunk=30)
    assert measure_missing(io.BytesIO(whole)) == 0
    assert measure_missing(io.BytesIO(whole[: whole.rindex(b"IDAT")])) == pytest.approx(1 - (60 - 7) / 72)


def test_what_is_not_cut_off_has_no_share() -> None:
    whole = _make_png(bytes(72), bits=8, colour=0, interlaced=0)
    damaged = whole.replace(zlib.compress(bytes(72), 0)[:2], b"\xff\xff")
    for data in (b"", b"GIF89a", whole[:20], damaged):
        assert measure_missing(io.BytesIO(data)) is None


def test_a_photo_that_is_cut_off_says_how_much(tmp_path: Path) -> None:
    """A quarter of a photo of noise, which does not compress."""
    noise = np.random.default_rng(0).integers(0, 255, (400, 300, 3), np.uint8)
    path = tmp_path / "cut.png"
    Image.fromarray(noise).save(path, compress_level=0)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 4])
    with pytest.raises(PhotoError, match="the photo is cut off") as caught:
        load_pixels(path)
    assert "about 75 % of its pixels' data are missing" in str(caught.value)
    path.write_bytes(whole[:-12])  # complete, but unterminated
    assert np.array_equal(load_pixels(path), load_pixels(whole))
