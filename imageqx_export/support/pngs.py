"""PNGs that are cut off: how much of them is missing."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import IO

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type: PNG specification, 3rd edition, 11.2.1
# Of each pass of Adam7: the first column and row, and the steps between them (8.1).
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_STEP = 2**16


def measure_missing(file: IO[bytes]) -> float | None:
    """Return which part of a PNG's pixel data is not there, from 0 to 1; None where that cannot be said.

    The data are inflated up to the size that the header asks for, and not kept.

    Args:
        file: Of a PNG, at any place; where it is left is not defined.
    """
    file.seek(0)
    head = file.read(33)
    if len(head) < 33 or not head.startswith(_SIGNATURE) or head[12:16] != b"IHDR":
        return None
    width, height, bits, colour, _, _, interlaced = struct.unpack(">2L5B", head[16:29])
    if colour not in _CHANNELS:
        return None
    whole = _count_bytes(width, height, bits * _CHANNELS[colour], bool(interlaced))
    inflater, came = zlib.decompressobj(), 0
    try:
        for data in _read_data(file):
            while data and came < whole:
                came += len(inflater.decompress(data, _STEP))
                data = inflater.unconsumed_tail
    except zlib.error:  # damaged, and not cut off
        return None
    return max(0.0, 1 - came / whole) if whole else None


def _count_bytes(width: int, height: int, bits: int, interlaced: bool) -> int:
    """Return the bytes of all rows, with the one in front of each that names its filter."""
    count = 0
    for left, top, across, down in _PASSES if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-max(0, width - left) // across), -(-max(0, height - top) // down)
        count += rows * (1 + -(-columns * bits // 8)) if columns else 0
    return count


def _read_data(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the compressed data of a file that is read up to its first chunk's end."""
    while len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">L4s", header)
        while length:
            part = file.read(min(length, _STEP))
            if not part:
                return
            length -= len(part)
            if kind == b"IDAT":
                yield part
        file.read(4)  # the check sum
