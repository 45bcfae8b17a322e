"""Read and mend class files' constant pools: dex does not say whether a method's owner is an interface, classes do.

dex-tools takes the owner of an ``invoke-super`` for a class; where it is an interface (a default method that is called
by name, as kotlinx.serialization's generated classes do), the JVM throws IncompatibleClassChangeError.

Source: The Java Virtual Machine Specification, Java SE 17, chapter 4.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

_UTF8, _LONG, _DOUBLE, _CLASS, _METHOD, _INTERFACE_METHOD = 1, 5, 6, 7, 10, 11
_SIZES = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}
"""Tag of a constant → bytes behind it; a Utf8's say their own number."""
_ACC_INTERFACE = 0x0200


class Constant(NamedTuple):
    """A constant of a class file: its tag, and where it lies."""

    tag: int
    offset: int


class Pool(NamedTuple):
    """A class file's constants by index, and where they end."""

    constants: dict[int, Constant]
    end: int


def read_pool(data: bytes) -> Pool:
    """Read a class file's constant pool."""
    (count,) = struct.unpack_from(">H", data, 8)
    constants: dict[int, Constant] = {}
    at, index = 10, 1
    while index < count:
        tag = data[at]
        constants[index] = Constant(tag, at)
        at += 3 + struct.unpack_from(">H", data, at + 1)[0] if tag == _UTF8 else 1 + _SIZES[tag]
        index += 2 if tag in (_LONG, _DOUBLE) else 1
    return Pool(constants, at)


def list_interfaces(jars: Iterable[Path]) -> set[bytes]:
    """Return the names of all interfaces in some jars, such as ``java/util/List``."""
    return {name for jar in jars for data in _read_classes(jar) for name in _name_interface(data)}


def mend_owners(data: bytes, interfaces: set[bytes]) -> bytes:
    """Return a class file whose references to methods of these interfaces say that they are of an interface."""
    pool, mended = read_pool(data), bytearray(data)
    for tag, offset in pool.constants.values():
        if tag == _METHOD and _read_class_name(data, pool, struct.unpack_from(">H", data, offset + 1)[0]) in interfaces:
            mended[offset] = _INTERFACE_METHOD
    return bytes(mended)


def mend_jar(jar: Path, output: Path, libraries: Iterable[Path]) -> None:
    """Write a jar whose classes' references are mended, by the interfaces of itself and of some libraries."""
    interfaces = list_interfaces([jar, *libraries])
    with zipfile.ZipFile(jar) as source, zipfile.ZipFile(output, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, mend_owners(data, interfaces) if name.endswith(".class") else data)


def _read_classes(jar: Path) -> Iterator[bytes]:
    with zipfile.ZipFile(jar) as archive:
        for name in archive.namelist():
            if name.endswith(".class"):
                yield archive.read(name)


def _name_interface(data: bytes) -> Iterator[bytes]:
    pool = read_pool(data)
    flags, this = struct.unpack_from(">HH", data, pool.end)
    if flags & _ACC_INTERFACE:
        yield _read_class_name(data, pool, this)


def _read_class_name(data: bytes, pool: Pool, index: int) -> bytes:
    (name,) = struct.unpack_from(">H", data, pool.constants[index].offset + 1)
    at = pool.constants[name].offset
    return data[at + 3 : at + 3 + struct.unpack_from(">H", data, at + 1)[0]]
