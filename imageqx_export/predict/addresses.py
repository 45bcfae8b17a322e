"""Photos at addresses that fsspec knows, such as ``s3://bucket/photos`` or ``zip://::photos.zip``."""

from __future__ import annotations

import glob
import re
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

from imageqx_export.data.photos import find_reason
from imageqx_export.errors import DatasetError, FetchError, ImageQXError, PhotoError
from imageqx_export.support.boundaries import translate_errors
from imageqx_export.support.untrusted import name_error

MOST_BYTES: Final = 512 * 2**20
"""Bytes of one photo's file that is fetched; a JPEG of 200 megapixels has about a fifth."""

_NO_PHOTO: Final = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
_DAMAGED: Final = (zipfile.BadZipFile, tarfile.TarError, zlib.error)

_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HTTP: Final = re.compile(r"https?://", re.IGNORECASE)
_SECRETS: Final = (
    (re.compile(r"(://[^\s/:@]*):[^\s/]*@"), r"\1:…@"),
    (re.compile(r"(https?://)[^\s/:@]+@", re.IGNORECASE), r"\1…@"),
    (re.compile(r"([?&][^\s?&=#/]+=)[^\s&#'\")]+"), r"\1…"),
)
"""What may be a secret in an address, and what stands for it."""


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
            pattern with ``*``, ``?`` or ``[…]`` that is nobody's name. With HTTP only a "/" at the end says that it is
            a folder's, and nothing is a pattern, as every question there may fetch a whole photo.

    Raises:
        DatasetError: The place cannot be read, or what is found there has no address that leads back to it.
        UnavailableError: fsspec is not installed.
    """
    with translate_errors(_blame(source, DatasetError)):
        head, *archive = source.split("::", 1)
        if _HTTP.match(head) and not head.endswith("/"):
            return (source,), {}
        files, root = open_place(source)
        if glob.has_magic(root) and not files.exists(root):
            matches = files.glob(root, detail=True)
            names = [name for name, row in matches.items() if row["type"] == "file"]
            head, root = _cut_pattern(head, root)
            found = {name: PurePosixPath(name).name for name in names}
        elif files.isdir(root):
            found = {name: name.removeprefix(root).lstrip("/") for name in files.find(root)}
        else:
            return (source,), {}
        reasons = {name: find_reason(Path(found[name])) for name in sorted(found)}
        kept = [name for name, reason in reasons.items() if reason is None]
        addresses = ["::".join([_join(head, name.removeprefix(root)), *archive]) for name in kept]
        if addresses:
            _check_round_trip(source, addresses[0], files, kept[0])
    return addresses, dict(Counter(reason for reason in reasons.values() if reason is not None))


def _cut_pattern(head: str, root: str) -> tuple[str, str]:
    """Return the folder above a pattern, as an address and as its file system names it."""
    scheme, mark, rest = head.rstrip("/").partition("://")
    start = rest.rfind("/", 0, min(rest.find(sign) for sign in "*?[" if sign in rest)) + 1
    return f"{scheme}{mark}{rest[:start]}", root.removesuffix(rest[start:])


def _join(head: str, name: str) -> str:
    """Return the address of a name below a folder's; a file system's own name of it has no host any more."""
    return (head if head.endswith("/") else f"{head}/") + name.lstrip("/")


def _check_round_trip(source: str, address: str, files: Any, name: str) -> None:
    """Refuse a folder whose photos could not be fetched by their addresses, or would be others."""
    again, path = open_place(address)
    if again != files or path.lstrip("/") != name.lstrip("/"):
        raise DatasetError(
            "the photos there have no addresses of their own",
            where=hide_secrets(source),
            got=hide_secrets(address),
            remedy="give the photos' own addresses, or copy the folder to this machine",
        )


def read_address(address: str) -> bytes:
    """Return the bytes of a photo's file.

    Raises:
        FetchError: It cannot be had now: of the network, of what may be read, or of a library that is missing.
        PhotoError: There is none, it is damaged in its archive, or it has more than :data:`MOST_BYTES`.
    """
    with translate_errors(_blame(address, FetchError)):
        import fsspec

        try:
            with fsspec.open(address, "rb") as file:
                content: bytes = file.read(MOST_BYTES + 1)
        except _NO_PHOTO as error:
            raise PhotoError("there is no such photo", where=hide_secrets(address)) from error
        except _DAMAGED as error:
            reason = hide_secrets(name_error(error))
            raise PhotoError("the photo is damaged in its archive", where=hide_secrets(address), got=reason) from error
    if len(content) > MOST_BYTES:
        raise PhotoError(
            "the photo's file is too large", where=hide_secrets(address), expected=f"at most {MOST_BYTES:,} bytes"
        )
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
    what = "the photo cannot be fetched" if kind is FetchError else "the address cannot be used"
    return lambda error: kind(what, where=hide_secrets(address), got=hide_secrets(name_error(error)))


def hide_secrets(text: str) -> str:
    """Return a text whose addresses have no passwords, and no values of a query, which may be a signature.

    >>> hide_secrets("ftp://me:secret@host/a.jpg"), hide_secrets("https://host/a.jpg?X-Sig=ab12&size=3")
    ('ftp://me:…@host/a.jpg', 'https://host/a.jpg?X-Sig=…&size=…')
    >>> hide_secrets("https://token@host/a.jpg"), hide_secrets("abfs://photos@account/a.jpg")
    ('https://…@host/a.jpg', 'abfs://photos@account/a.jpg')
    """
    for pattern, cleared in _SECRETS:
        text = pattern.sub(cleared, text)
    return text


def show_place(photo: Path | str) -> str:
    """Return a photo's file, or its address without secrets, as a message names it."""
    return hide_secrets(photo) if isinstance(photo, str) and is_address(photo) else str(photo)
