"""Zips that others may have written: their list and one file of them, bounded in size, refused in words."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from pathlib import Path

from imageqx_export.support.untrusted import UntrustedError

MOST_ENTRY = 2**20
"""Bytes of one file in a zip, inflated."""
MOST_DIRECTORY = 2**20
"""Bytes of a zip's list of files."""
_END = struct.Struct("<4s4H2LH")  # "end of central directory", APPNOTE.TXT 4.3.16
_LONGEST_COMMENT = 2**16


def list_zipped(path: Path) -> list[zipfile.ZipInfo] | None:
    """List what a zip, or a file with one behind it, says it holds; None where there is no zip.

    Raises:
        UntrustedError: The list is damaged or longer than :data:`MOST_DIRECTORY`.
        OSError: It cannot be read.
    """
    if not _find_directory(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    except Exception as error:  # zipfile unpacks whatever the offsets point to
        raise _explain_zip(error) from error


def read_zipped(path: Path, name: str, most: int = MOST_ENTRY) -> bytes | None:
    """Return one file of a zip, or None where there is no zip or no such file in it.

    Args:
        path: A zip, or a file with one behind it.
        name: Of the file in it.
        most: Bytes that it may have, whatever the zip says of it.

    Raises:
        UntrustedError: It is encrypted, compressed in a way that is not known, larger, cut off or damaged.
        OSError: The zip cannot be read.
    """
    if not _find_directory(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if name not in archive.namelist():
                return None
            with archive.open(name) as file:
                content = file.read(most + 1)
    except Exception as error:
        raise _explain_zip(error) from error
    if len(content) > most:
        raise UntrustedError(f"{name} in the zip has more than {most:,} bytes")
    return content


def _find_directory(path: Path) -> bool:
    """Say whether a file ends in a zip; refuse one whose list of files is too long to be read."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _LONGEST_COMMENT - _END.size))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        return False
    length = _END.unpack_from(tail, at)[5]
    if length > MOST_DIRECTORY:
        raise UntrustedError(f"the zip's list of files has more than {MOST_DIRECTORY:,} bytes")
    return True


def _explain_zip(error: Exception) -> Exception:
    if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
        return error
    if isinstance(error, RuntimeError) and "encrypted" in str(error):
        return UntrustedError("the zip is encrypted")
    if isinstance(error, NotImplementedError):
        return UntrustedError("the zip is compressed in a way that is not known")
    if isinstance(error, zipfile.BadZipFile | zlib.error | EOFError):
        return UntrustedError(f"the zip is damaged: {str(error) or 'it is cut off'}")
    return UntrustedError(f"the zip is damaged: {type(error).__name__}")
