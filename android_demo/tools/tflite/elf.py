"""Edit an Android library's dynamic section, so that glibc's loader takes it: versions off, some imports renamed."""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from imageqx_export.errors import ConversionError

RENAMED: Mapping[str, str] = {
    "fprintf": "Xprintf",
    "vfprintf": "Xfprintf",
    "fputc": "Xputc",
    "fwrite": "Xwrite",
    "fflush": "Xflush",
    "fileno": "Xileno",
    "sysconf": "Xysconf",
}
"""Imports that mean something else in bionic → what bionic_shim.c calls them; as long, so that they fit their place."""

_LOAD, _DYNAMIC = 1, 2
_STRTAB, _STRSZ = 5, 10
_VERSYM, _VERDEF, _VERDEFNUM, _VERNEED, _VERNEEDNUM = 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
_VERSIONS = (_VERSYM, _VERDEF, _VERDEFNUM, _VERNEED, _VERNEEDNUM)
_UNKNOWN_TAG = 0x60000001  # of the range for operating systems: loaders pass over what they do not know


def adapt_library(library: bytes, without: Collection[str] = ()) -> bytes:
    """Return a 64-bit little-endian library of Android's that glibc can load beside ``bionic_shim.c``.

    Nothing but the dynamic section's tags of symbol versions (bionic's are called LIBC) and the names of ``RENAMED``
    changes: no instruction, no address.

    Args:
        library: Its bytes.
        without: Which of ``RENAMED`` it does not import.

    Raises:
        ConversionError: It is no such library, or imports a name in another way.
    """
    if library[:6] != b"\x7fELF\x02\x01":
        raise ConversionError("not a 64-bit little-endian library", got=repr(library[:6]))
    edited = bytearray(library)
    values: dict[int, int] = {}
    for at, tag, value in _list_tags(edited):
        values[tag] = value
        if tag in _VERSIONS:
            struct.pack_into("<q", edited, at, _UNKNOWN_TAG)
    start = _find_offset(edited, values[_STRTAB])
    _rename(edited, start, start + values[_STRSZ], without)
    return bytes(edited)


def find_names(library: bytes, *prefixes: str) -> list[str]:
    """Return the names in a library's tables that begin with a prefix and then a capital: ``glFinish`` with ``gl``."""
    pattern = rb"\0((?:" + "|".join(prefixes).encode() + rb")[A-Z]\w+)(?=\0)"
    return sorted({name.decode() for name in re.findall(pattern, library)})


def write_adapted(source: Path, output: Path) -> None:
    """Adapt a file."""
    output.write_bytes(adapt_library(source.read_bytes()))


def _rename(library: bytearray, start: int, end: int, without: Collection[str]) -> None:
    for name, new in RENAMED.items():
        if name in without:
            continue
        at = library.find(b"\0" + name.encode() + b"\0", start, end)
        if at < 0:
            raise ConversionError("the library does not import a name as a string of its own", got=name)
        library[at + 1 : at + 1 + len(name)] = new.encode()


def _list_tags(library: bytearray) -> Iterator[tuple[int, int, int]]:
    """List the dynamic section: where each entry is, its tag, its value."""
    at = next(offset for kind, offset, _, _ in _list_segments(library) if kind == _DYNAMIC)
    while True:
        tag, value = struct.unpack_from("<qQ", library, at)
        if tag == 0:
            return
        yield at, tag, value
        at += 16


def _find_offset(library: bytearray, address: int) -> int:
    for kind, offset, virtual, size in _list_segments(library):
        if kind == _LOAD and virtual <= address < virtual + size:
            return address - virtual + offset
    raise ConversionError("an address outside the library", got=hex(address))


def _list_segments(library: bytearray) -> Iterator[tuple[int, int, int, int]]:
    """List the program headers: kind, offset in the file, virtual address, size in the file."""
    (start,) = struct.unpack_from("<Q", library, 32)
    (count,) = struct.unpack_from("<H", library, 56)
    for number in range(count):
        kind, _, offset, virtual, _, size, _, _ = struct.unpack_from("<IIQQQQQQ", library, start + 56 * number)
        yield kind, offset, virtual, size
