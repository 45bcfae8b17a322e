"""Files: written aside and moved into place, so that no reader ever sees half of one; listed, hashed and counted."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def write_aside(path: Path) -> Iterator[Path]:
    """Give a path to write to that becomes ``path`` when the block ends well, and vanishes when it does not.

    Args:
        path: Where the file shall be; its folder is made if it is missing.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with write_aside(Path(folder) / "a.txt") as aside:
    ...         _ = aside.write_text("whole")
    ...     (Path(folder) / "a.txt").read_text()
    'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        aside.chmod(0o644)  # mkstemp's 0600 would keep a team from reading it
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def list_files(path: Path) -> list[Path]:
    """List the files of ``path``, sorted by relative name: itself, or all below a folder."""
    if path.is_file():
        return [path]
    return sorted((p for p in path.rglob("*") if p.is_file()), key=lambda p: p.relative_to(path).as_posix())


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's file names and contents, in hexadecimal.

    A folder's digest is that of the lines ``<sha256>  <relative name>``, sorted by name, as
    ``sha256sum`` prints them.

    Args:
        path: An existing file or folder.
    """
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    lines = [f"{digest(p)}  {p.relative_to(path).as_posix()}\n" for p in list_files(path)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def count_bytes(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder."""
    return sum(p.stat().st_size for p in list_files(path))
