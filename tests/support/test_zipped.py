"""Zips that others may have written: bounded, whole, or one sentence."""

import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from imageqx_export.support.untrusted import (
    UntrustedError,
)
from imageqx_export.support.zipped import MOST_DIRECTORY, MOST_ENTRY, list_zipped, read_zipped

ENTRY = "spec.json"


def _write(path: Path, content: bytes = b"{}", compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr(ENTRY, content)
    return path.read_bytes()


def _lie_about_size(data: bytes) -> bytes:
    """Say of an entry of 2 MiB that it has two bytes, in both places that say so."""
    packed = struct.pack("<I", 2 * MOST_ENTRY)
    assert data.count(packed) == 2
    return data.replace(packed, struct.pack("<I", 2))


def _set_flag(data: bytes) -> bytes:
    at, central = bytearray(data), data.index(b"PK\x01\x02")
    at[6] |= 1
    at[central + 8] |= 1
    return bytes(at)


def _set_method(data: bytes, method: int = 99) -> bytes:
    at, central = bytearray(data), data.index(b"PK\x01\x02")
    at[8:10] = at[central + 10 : central + 12] = struct.pack("<H", method)
    return bytes(at)


def _spoil(data: bytes) -> bytes:
    at = bytearray(data)
    at[30 + len(ENTRY)] ^= 0xFF  # the first byte of the deflated content
    return bytes(at)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set_flag, "the zip is encrypted"),
        (_set_method, "compressed in a way that is not known"),
        (_spoil, "the zip is damaged"),
        (lambda data: data[20:], "the zip is damaged"),
        (lambda data: data[: data.index(b"PK\x01\x02")] + data[data.index(b"PK\x05\x06") :], "the zip is damaged"),
        (lambda data: data[:-6] + struct.pack("<I", 2**32 - 1) + data[-2:], "the zip is damaged"),
    ],
)
def test_zips_that_cannot_be_read(tmp_path: Path, change: Callable[[bytes], bytes], message: str) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(change(_write(path)))
    with pytest.raises(UntrustedError, match=message):
        read_zipped(path, ENTRY)


def test_an_entry_is_inflated_up_to_a_limit_whatever_it_says_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    honest = _write(path, bytes(2 * MOST_ENTRY))
    assert len(honest) < 4096  # a thousandth: what makes it a bomb
    with pytest.raises(UntrustedError, match=f"more than {MOST_ENTRY:,} bytes"):
        read_zipped(path, ENTRY)
    path.write_bytes(_lie_about_size(honest))
    with pytest.raises(UntrustedError, match=r"the zip is damaged|more than"):
        read_zipped(path, ENTRY)


def test_a_list_of_files_is_not_read_beyond_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    data = _write(path)
    at = data.index(b"PK\x05\x06") + 12
    path.write_bytes(data[:at] + struct.pack("<I", MOST_DIRECTORY + 1) + data[at + 4 :])
    for read in (lambda: read_zipped(path, ENTRY), lambda: list_zipped(path)):
        with pytest.raises(UntrustedError, match="list of files"):
            read()


def test_what_is_in_a_whole_zip_is_read_and_what_is_not_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    assert read_zipped(path, ENTRY) is None and list_zipped(path) is None
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(ENTRY, b'{"a": 1}')
    assert read_zipped(path, ENTRY) == b'{"a": 1}'
    assert read_zipped(path, "other.json") is None
    assert [entry.CRC for entry in list_zipped(path) or []] == [zlib.crc32(b'{"a": 1}')]
