"""Photos at addresses that fsspec knows, such as ``s3://bucket/photos`` or ``zip://::photos.zip``."""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

from imageqx_export.data.photos import find_reason
from imageqx_export.errors import DatasetError, ImageQXError, PhotoError
from imageqx_export.support.boundaries import translate_errors
from imageqx_export.support.untrusted import name_error

MOST_BYTES: Final = 512 * 2**20
"""Bytes of one photo's file that is fetched; a JPEG of 200 megapixels has about a fifth."""

_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def is_address(name: str) -> bool:
    """Tell an address from the name of a file on this machine.

    >>> is_address("s3://bucket/a.jpg"), is_address("zip://a.jpg::b.zip"), is_address("photos/a.jpg")
    (True, True, False)
    """
    return _ADDRESS.match(name) is not None


def parse_photo(name: str) -> Path | str:
    """Return a photo's file, or its address as text."""
    return name if is_address(name) else Path(name)


def list_addresses(source: str) -> tuple[Sequence[str], dict[str, int]]:
    """Return the addresses of the photos that an address names, sorted, and why others were passed over.

    Args:
        source: A photo's, which counts whatever its name is; a folder's, of which the photos at any depth count; or a
            pattern with ``*``, ``?`` or ``[…]`` that is nobody's name.

    Raises:
        DatasetError: The place cannot be read.
        UnavailableError: fsspec is not installed.
    """
    with translate_errors(_blame(source, DatasetError)):
        files, root = open_place(source)
        if glob.has_magic(root) and not files.exists(root):
            matches = files.glob(root, detail=True)
            found = {name: PurePosixPath(name).name for name, row in matches.items() if row["type"] == "file"}
        elif files.isdir(root):
            found = {name: name.removeprefix(root).lstrip("/") for name in files.find(root)}
        else:
            return (source,), {}
        _, *archive = source.split("::", 1)
        reasons = {name: find_reason(Path(found[name])) for name in sorted(found)}
        kept = [name for name, reason in reasons.items() if reason is None]
        addresses = ["::".join([str(files.unstrip_protocol(name)), *archive]) for name in kept]
    return addresses, dict(Counter(reason for reason in reasons.values() if reason is not None))


def read_address(address: str) -> bytes:
    """Return the bytes of a photo's file.

    Raises:
        PhotoError: There is none, it cannot be had, or it has more than :data:`MOST_BYTES`.
    """
    with translate_errors(_blame(address, PhotoError)):
        import fsspec

        try:
            with fsspec.open(address, "rb") as file:
                content: bytes = file.read(MOST_BYTES + 1)
        except FileNotFoundError as error:
            raise PhotoError("there is no such photo", where=address) from error
    if len(content) > MOST_BYTES:
        raise PhotoError("the photo's file is too large", where=address, expected=f"at most {MOST_BYTES:,} bytes")
    return content


def open_place(address: str) -> tuple[Any, str]:
    """Return the file system of an address, and its path there, without a "/" at the end.

    Raises:
        Exception: Whatever fsspec says of an address that it does not know, or whose library is missing.
    """
    import fsspec

    files, path = fsspec.url_to_fs(address)
    return files, str(path).rstrip("/")


def _blame(address: str, kind: type[ImageQXError]) -> Callable[[Exception], ImageQXError]:
    what = "the photo cannot be fetched" if kind is PhotoError else "the address cannot be used"
    return lambda error: kind(what, where=address, got=name_error(error))
