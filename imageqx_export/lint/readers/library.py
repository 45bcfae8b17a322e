"""Read native libraries, alone or in an Android package: how their segments are aligned."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

from imageqx_export.errors import ArtifactError
from imageqx_export.lint.model import Graph
from imageqx_export.support.untrusted import describe

LOAD = 1  # elf.h: PT_LOAD
MOST = 512 * 2**20
"""Bytes of the largest library that is taken out of an archive; what says it is larger may be a bomb."""


def read(path: Path) -> Graph:
    """Return the alignment of each 64-bit library in a ``.so``, ``.aar`` or ``.apk``; 32-bit ones need none.

    Raises:
        ArtifactError: It is neither.
    """
    try:
        if path.suffix == ".so":
            with path.open("rb") as file:
                found = {path.name: _read_alignment(file)}
        else:
            with zipfile.ZipFile(path) as archive:
                found = {}
                for entry in archive.infolist():
                    if entry.filename.endswith(".so") and entry.file_size <= MOST:
                        with archive.open(entry) as file:
                            found[entry.filename] = _read_alignment(file)  # type: ignore[arg-type]
    except Exception as error:  # zipfile unpacks whatever the offsets point to
        raise ArtifactError("not a library or an Android package", where=path, got=describe(error)) from error
    return Graph("library", alignments={name: size for name, size in found.items() if size})


def _read_alignment(file: BinaryIO) -> int:
    """Return the least alignment of an ELF file's loaded segments in bytes; 0 for a 32-bit one."""
    head = file.read(64)
    if head[:4] != b"\x7fELF":
        raise ValueError("a library that is no ELF file")
    if head[4] != 2:  # EI_CLASS: 64 bits
        return 0
    begin, size, count = *struct.unpack_from("<Q", head, 32), *struct.unpack_from("<HH", head, 54)
    if size < 56 or begin < 64 or begin > 1 << 20:
        raise ValueError("an ELF file whose program headers are out of reach")
    rows = file.read(begin - 64 + size * count)[begin - 64 :]
    segments = [rows[i * size : (i + 1) * size] for i in range(count)]
    found = [struct.unpack_from("<Q", row, 48)[0] for row in segments if struct.unpack_from("<I", row)[0] == LOAD]
    if not found:
        raise ValueError("an ELF file that loads nothing")
    return int(min(found))
