"""A release tree on S3, on Google Cloud Storage, or at another address that fsspec writes to."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from imageqx_export.errors import ImageQXError, ReleaseError
from imageqx_export.support.boundaries import translate_errors
from imageqx_export.support.libraries import require
from imageqx_export.support.untrusted import name_error

_CHUNK = 2**20
_CONFLICT, _PRECONDITION = 409, 412
_ATTEMPTS = 6
_PAUSE = 0.1
"""Seconds before a conflict is tried again, doubled each time."""


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
        self._keeps_apart = False

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
                rows: list[dict[str, Any]] = self._files.ls(self._name(folder), detail=True)
        except FileNotFoundError:
            return []
        return sorted(str(row["name"]).rpartition("/")[2] for row in rows if row["type"] == "file")

    def create(self, name: str, content: bytes) -> bool:
        """Put a file on the condition that there is none.

        Where the answer to a put is lost, the libraries put again, and are refused for what they have put themselves:
        these very bytes count as created.

        Raises:
            ReleaseError: The place lets a file be created twice, so that nothing keeps publishers apart there.
        """
        if not self._create(name, content):
            return self.find_digest(name) == hashlib.sha256(content).hexdigest()
        if not self._keeps_apart and self._create(name, content):
            raise ReleaseError(
                "two publishers cannot be kept apart there: it took a new file in the place of one that was there",
                where=f"{self.address}/{name}",
                expected="a store that puts on a condition (If-None-Match, ifGenerationMatch), as S3 and GCS do",
                remedy="publish to a folder, and copy the folder there",
            )
        self._keeps_apart = True
        return True

    def replace(self, name: str, content: bytes) -> None:
        """Put a file."""
        with self._translate(name, writes=True):
            self._files.pipe_file(self._name(name), content)

    def put(self, name: str, path: Path) -> None:
        """Put a file."""
        with self._translate(name, writes=True):
            self._files.put_file(str(path), self._name(name))

    def hold(self) -> AbstractContextManager[None]:
        """Do nothing: such a place has no locks."""
        return nullcontext()

    def _create(self, name: str, content: bytes) -> bool:
        """Put a file on the condition that there is none; of two at once S3 may tell both to try again."""
        for attempt in range(_ATTEMPTS):
            try:
                with self._translate(name, writes=True):
                    self._files.pipe_file(self._name(name), content, mode="create")
                return True
            except FileExistsError:
                return False
            except ReleaseError as error:
                status = _find_status(error)
                if status == _PRECONDITION:  # s3fs knows it only by a word that not every server says
                    return False
                if status != _CONFLICT or attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(_PAUSE * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    def _name(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _explain(self, error: Exception) -> ImageQXError:
        remedy = "install it into imageqx's own environment" if isinstance(error, ImportError) else None
        return ReleaseError("the address cannot be used", where=self.address, got=name_error(error), remedy=remedy)

    @contextmanager
    def _translate(self, name: str, writes: bool = False) -> Iterator[None]:
        """Ask the place, not what was listed before: s3fs and gcsfs take names and sizes from there."""
        try:
            self._files.invalidate_cache()
            yield
        except FileNotFoundError as error:
            if not writes:
                raise
            raise ReleaseError(
                "there is no such bucket",
                where=self.address,
                got=name_error(error),
                remedy="make it, or name another one",
            ) from error
        except (ImageQXError, FileExistsError):
            raise
        except Exception as error:
            raise ReleaseError(
                "the address cannot be used", where=f"{self.address}/{name}", got=name_error(error)
            ) from error


def _find_status(error: BaseException | None) -> int | None:
    """Return the status of HTTP that an error of botocore's came of, or None; gcsfs tells of conditions by itself."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            return status if isinstance(status, int) else None
        error = error.__cause__
    return None
