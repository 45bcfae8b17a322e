"""Which files are camera raws, or begin with a reduced picture: what Pillow shows of those is not the photo.

A raw holds the sensor's samples, which no viewer shows as they are, beside JPEG previews; most are TIFF inside, and
Pillow opens the first preview, often 160 × 120.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO, Any, Final

_MAGIC: Final = (
    (0, b"FUJIFILMCCD-RAW", "Fujifilm RAF"),
    (0, b"IIRO", "Olympus ORF"),
    (0, b"IIRS", "Olympus ORF"),
    (0, b"MMOR", "Olympus ORF"),
    (0, b"IIU\0", "Panasonic RW2"),
    (0, b"FOVb", "Sigma X3F"),
    (0, b"\0MRM", "Minolta MRW"),
    (4, b"ftypcrx ", "Canon CR3"),
    (6, b"HEAPCCDR", "Canon CRW"),
    (8, b"CR\x02\0", "Canon CR2"),
)
_MAKERS: Final = (("NIKON", "Nikon NEF"), ("SONY", "Sony ARW"), ("PENTAX", "Pentax PEF"), ("SAMSUNG", "Samsung SRW"))

# TIFF 6.0, TIFF/EP (ISO 12234-2) and Adobe's DNG specification.
_SUBFILE, _PHOTOMETRIC, _MAKE, _SUB_IFDS, _DNG_VERSION = 254, 262, 271, 330, 50706
_SENSOR: Final = frozenset({32803, 34892})  # colour filter array, and linear raw: samples as the sensor gave them
_REDUCED = 1  # a bit of the tag NewSubfileType
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 13: 4}  # bytes of the types that these tags have
_MOST_FOLDERS, _MOST_ENTRIES, _MOST_BYTES = 32, 1024, 256


def find_raw(file: IO[bytes]) -> str | None:
    """Return what kind of camera raw an open file is, or None.

    >>> import io
    >>> find_raw(io.BytesIO(b"FUJIFILMCCD-RAW 0201")), find_raw(io.BytesIO(b"a JPEG"))
    ('Fujifilm RAF', None)
    """
    file.seek(0)
    head = file.read(32)
    for offset, magic, name in _MAGIC:
        if head.startswith(magic, offset):
            return name
    folders = list(_read_folders(file))
    if any(_DNG_VERSION in tags for tags in folders):
        return "DNG"
    if any(_SENSOR.intersection(tags.get(_PHOTOMETRIC, ())) for tags in folders):
        make = bytes(folders[0].get(_MAKE, ())).decode("latin-1").upper()
        return next((name for start, name in _MAKERS if make.startswith(start)), "of an unknown maker")
    return None


def begins_reduced(file: IO[bytes]) -> bool:
    """Tell whether the first picture of a TIFF says of itself that it is a smaller version of another one."""
    first = next(_read_folders(file), {})
    return bool(sum(first.get(_SUBFILE, ())[:1]) & _REDUCED)


def _read_folders(file: IO[bytes]) -> Iterator[dict[int, tuple[int, ...]]]:
    """Read a TIFF's folders of tags, subfolders included; nothing of other files, and of a broken one what is whole.

    Only the five tags are read, and a bounded number of everything: the file is not trusted.
    """
    file.seek(0)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(file.read(4))
    if order is None:
        return
    waiting, seen = list(_unpack(order, "L", file.read(4))), set[int]()
    while waiting and len(seen) < _MOST_FOLDERS:
        place = waiting.pop(0)
        if place == 0 or place in seen:
            continue
        seen.add(place)
        tags = dict[int, tuple[int, ...]]()
        file.seek(place)
        count = sum(_unpack(order, "H", file.read(2)))
        entries = file.read(12 * min(count, _MOST_ENTRIES))
        following = _unpack(order, "L", file.read(4)) if count <= _MOST_ENTRIES else ()
        for start in range(0, len(entries) - 11, 12):
            tag, kind, number, inline = struct.unpack(order + "HHL4s", entries[start : start + 12])
            if tag in (_SUBFILE, _PHOTOMETRIC, _MAKE, _SUB_IFDS, _DNG_VERSION) and kind in _SIZES:
                tags[tag] = _read_values(file, order, kind, number, inline)
        yield tags
        waiting += [*tags.get(_SUB_IFDS, ()), *following]


def _read_values(file: IO[bytes], order: str, kind: int, number: int, inline: bytes) -> tuple[int, ...]:
    size = _SIZES[kind] * min(number, _MOST_BYTES // _SIZES[kind])
    if size > 4:
        file.seek(struct.unpack(order + "L", inline)[0])
        inline = file.read(size)
    return _unpack(order, {1: "B", 2: "H", 4: "L"}[_SIZES[kind]], inline[:size])


def _unpack(order: str, letter: str, data: bytes) -> tuple[Any, ...]:
    whole = len(data) // struct.calcsize(order + letter)
    return struct.unpack(f"{order}{whole}{letter}", data[: whole * struct.calcsize(order + letter)])
