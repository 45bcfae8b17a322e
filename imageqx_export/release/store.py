"""Where a release tree is: a folder, or any address that fsspec writes to."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

from imageqx_export.errors import ReleaseError
from imageqx_export.release.bucket import FsspecStore
from imageqx_export.support.files import digest, write_aside
from imageqx_export.support.locks import clear_dead, hold, make_held
from imageqx_export.support.untrusted import read_bytes

MODE = 0o644


class Store(Protocol):
    """A place of files by name, with "/" between the parts."""

    address: str

    def read(self, name: str, most: int) -> bytes:
        """Return a file of at most ``most`` bytes; raise FileNotFoundError where there is none."""

    def find_digest(self, name: str) -> str | None:
        """Return the SHA-256 of a file as it is there now, or None where there is none."""

    def list_names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, sorted; none where there is no folder."""

    def create(self, name: str, content: bytes) -> bool:
        """Write a new file, whole or not at all; return False where one is there already."""

    def replace(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all, over what is there."""

    def put(self, name: str, path: Path) -> None:
        """Copy a file of this machine there, whole or not at all, over what is there."""

    def hold(self) -> AbstractContextManager[None]:
        """Keep other publishers on this machine out for the block, where the place can."""


def open_store(address: str) -> Store:
    """Return the store at a path or an fsspec address such as ``s3://bucket/models``.

    Raises:
        ReleaseError: The address is for reading alone, or its library is missing.
    """
    if re.match(r"https?://", address):
        raise ReleaseError(
            "nothing can be published to a web address", where=address, expected="a folder, s3://… or gs://…"
        )
    if address.startswith("file://"):
        return FolderStore(Path(url2pathname(urlsplit(address).path)), address)
    if "://" in address:
        return FsspecStore(address)
    return FolderStore(Path(address), address)


class FolderStore:
    """A folder of this machine.

    Args:
        folder: It; made when something is written.
        address: As a person gave it.
    """

    def __init__(self, folder: Path, address: str | None = None) -> None:
        self.folder = folder
        self.address = address or str(folder)

    def read(self, name: str, most: int) -> bytes:
        """Return a file."""
        return read_bytes(self.folder / name, most)

    def find_digest(self, name: str) -> str | None:
        """Return the SHA-256 of a file, or None."""
        path = self.folder / name
        return digest(path) if path.is_file() else None

    def list_names(self, folder: str) -> list[str]:
        """Return the names in a folder; what is being written has a name that begins with a point."""
        try:
            return sorted(
                entry.name
                for entry in os.scandir(self.folder / folder)
                if entry.is_file() and not entry.name.startswith(".")
            )
        except FileNotFoundError:
            return []

    def create(self, name: str, content: bytes) -> bool:
        """Write a file aside and give it its name by a link, which fails where the name is taken."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_dead(path.parent, f".{path.name}.", ".part")
        with make_held(lambda: _make_aside(path)) as aside:
            try:
                with aside.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                aside.chmod(MODE)
                os.link(aside, path)
            except FileExistsError:
                return False
            finally:
                aside.unlink(missing_ok=True)
        return True

    def replace(self, name: str, content: bytes) -> None:
        """Write a file aside and move it into place."""
        with write_aside(self.folder / name) as aside:
            aside.write_bytes(content)

    def put(self, name: str, path: Path) -> None:
        """Copy a file aside and move it into place."""
        with write_aside(self.folder / name) as aside:
            shutil.copyfile(path, aside)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with hold(self.folder):
            yield


def _make_aside(path: Path) -> str:
    aside = path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
    aside.touch(exist_ok=False)
    return str(aside)
