"""Where a release tree is: a folder, or any address that fsspec writes to."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

from imageqx_export.errors import ImageQXError, ReleaseError
from imageqx_export.support.boundaries import translate_errors
from imageqx_export.support.files import digest, write_aside
from imageqx_export.support.libraries import require
from imageqx_export.support.locks import clear_dead, hold, make_held
from imageqx_export.support.untrusted import name_error, read_bytes

_CHUNK = 2**20
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


class FsspecStore:
    """An address that fsspec knows; one put is whole or not at all there, as with S3 and Google Cloud Storage.

    Args:
        address: Such as ``s3://bucket/models``.

    Raises:
        ReleaseError: Its library is missing.
    """

    def __init__(self, address: str) -> None:
        require("fsspec")
        import fsspec

        self.address = address.rstrip("/")
        with translate_errors(self._explain):
            self._files, root = fsspec.url_to_fs(self.address)
        self._root = str(root).rstrip("/")

    def read(self, name: str, most: int) -> bytes:
        """Return a file."""
        with self._translate(name), self._files.open(self._name(name), "rb") as file:
            content: bytes = file.read(most + 1)
        if len(content) > most:
            raise ReleaseError("a file is too long", where=f"{self.address}/{name}", expected=f"at most {most:,} bytes")
        return content

    def find_digest(self, name: str) -> str | None:
        """Return the SHA-256 of a file, or None."""
        try:
            with self._translate(name), self._files.open(self._name(name), "rb") as file:
                total = hashlib.sha256()
                while block := file.read(_CHUNK):
                    total.update(block)
                return total.hexdigest()
        except FileNotFoundError:
            return None

    def list_names(self, folder: str) -> list[str]:
        """Return the names in a folder."""
        try:
            with self._translate(folder):
                self._files.invalidate_cache()
                rows: list[dict[str, Any]] = self._files.ls(self._name(folder), detail=True)
        except FileNotFoundError:
            return []
        return sorted(str(row["name"]).rpartition("/")[2] for row in rows if row["type"] == "file")

    def create(self, name: str, content: bytes) -> bool:
        """Put a file on the condition that there is none."""
        try:
            with self._translate(name):
                self._files.pipe_file(self._name(name), content, mode="create")
        except FileExistsError:
            return False
        return True

    def replace(self, name: str, content: bytes) -> None:
        """Put a file."""
        with self._translate(name):
            self._files.pipe_file(self._name(name), content)

    def put(self, name: str, path: Path) -> None:
        """Put a file."""
        with self._translate(name):
            self._files.put_file(str(path), self._name(name))

    def hold(self) -> AbstractContextManager[None]:
        """Do nothing: such a place has no locks."""
        return nullcontext()

    def _name(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _explain(self, error: Exception) -> ImageQXError:
        return ReleaseError("the address cannot be used", where=self.address, got=name_error(error))

    @contextmanager
    def _translate(self, name: str) -> Iterator[None]:
        try:
            yield
        except (ImageQXError, FileNotFoundError, FileExistsError):
            raise
        except Exception as error:
            raise ReleaseError(
                "the address cannot be used", where=f"{self.address}/{name}", got=name_error(error)
            ) from error


def _make_aside(path: Path) -> str:
    aside = path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
    aside.touch(exist_ok=False)
    return str(aside)
