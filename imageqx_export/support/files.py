"""Files: written aside and moved into place, so that no reader ever sees half of one; listed, hashed and counted."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imageqx_export.errors import ImageQXError
from imageqx_export.support.locks import NO_ROOM, clear_dead, make_held

_ROOM = 2**20  # bytes; a file system keeps some blocks back


@contextmanager
def write_aside(path: Path) -> Iterator[Path]:
    """Give a path to write to that becomes ``path`` when the block ends well, and vanishes when it does not.

    Args:
        path: Where the file shall be; its folder is made if it is missing. A link to a file stays one, and the file
            that it names is replaced. Leftovers of writers that were killed are cleared first.

    Raises:
        ImageQXError: A folder or a device is there.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with write_aside(Path(folder) / "a.txt") as aside:
    ...         _ = aside.write_text("whole")
    ...     (Path(folder) / "a.txt").read_text()
    'whole'
    """
    path = _find_place(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}."
    clear_dead(path.parent, prefix, ".part")
    with make_held(lambda: _make_file(path.parent, prefix)) as aside:
        try:
            yield aside
            with aside.open("rb") as file:
                os.fsync(file.fileno())
            aside.chmod(0o644)  # mkstemp's 0600 would keep a team from reading it
            aside.replace(path)
        except OSError as error:
            if error.errno in NO_ROOM and error.filename in (None, str(aside)):  # the place is what people know
                raise OSError(error.errno, error.strerror, str(path)) from error
            raise
        finally:
            aside.unlink(missing_ok=True)


@contextmanager
def name_full_disk(path: Path) -> Iterator[None]:
    """Give the error of a disk that is full the name of a file, as a write to an open one names none.

    Raises:
        OSError: With its errno, and ``path`` for its file name.
    """
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM and error.filename is None:
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise


def check_places(*paths: Path | None) -> None:
    """Refuse, before minutes of work, a place that a file could not be written to.

    Args:
        paths: Where files will be made or replaced; nothing is written there, and no folder made. None is no place.

    Raises:
        ImageQXError: A folder or a device is there.
        OSError: As for :func:`check_room`.
    """
    for path in paths:
        if path is not None:
            _find_place(path)
            check_room(path)


def check_room(path: Path, count: int = _ROOM) -> None:
    """Write some bytes beside a file or folder that will be written later, and delete them.

    Args:
        path: The file or folder; of folders that are missing, the first one above them that is there is tried.
        count: How many bytes.

    Raises:
        OSError: The disk is full, or the folder may not be written to; its file name is ``path``.
    """
    folder = Path(os.path.realpath(path)).parent
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(count))
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), str(path)) from error


def _find_place(path: Path) -> Path:
    """Return the file that a path, or the link there, names; it need not be there.

    Raises:
        ImageQXError: A folder or a device is there, which must not be replaced.
    """
    if path.exists() and not path.is_file():
        raise ImageQXError(
            "the output is not a file",
            where=path,
            expected="a file, or nothing there yet",
            got="a folder" if path.is_dir() else "a pipe, socket or device",
            remedy="name another file",
        )
    return Path(os.path.realpath(path))


def _make_file(folder: Path, prefix: str) -> str:
    handle, name = tempfile.mkstemp(dir=folder, prefix=prefix, suffix=".part")
    os.close(handle)
    return name


def is_disk_full(error: BaseException | None, folder: Path) -> bool:
    """Tell whether an error, or what caused it, is that no space is left on the device.

    Libraries in C++ tell of a full disk in words of their own, or write half a file and fail on it later; so a disk
    that has no room left counts too.

    Args:
        error: What was raised.
        folder: Where something was written.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if getattr(error, "errno", None) == errno.ENOSPC or os.strerror(errno.ENOSPC).lower() in str(error).lower():
            return True
        error = error.__cause__ or error.__context__
    try:
        return shutil.disk_usage(folder).free < _ROOM
    except OSError:
        return False


def has_file(folder: Path, name: str) -> bool:
    """Say whether a folder has a file that a table or a record names; no file has a name that is too long for one.

    >>> has_file(Path("."), "a" * 5000)
    False
    """
    return os.path.isfile(folder / name)  # noqa: PTH113  Path.is_file raises where a name is too long


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
