"""Locks on files and folders that end with their owner, in whatever container it runs, and leave nothing behind.

The name of a temporary place cannot say whether its writer lives: a process id means something else in each container,
and comes again. A lock can: the kernel gives it back when its holder ends, however it ends.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a write fails with where the disk is full, or a file or user may have no more of it."""
_RANDOM = "[a-z0-9_]{8}"  # as tempfile names things
_OF_THREAD = threading.local()


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Wait until nobody else holds the file or folder ``path``, and hold it for the block.

    A thread that holds it already goes on: a lock of the kernel's would wait for itself. Where the file system has no
    locks, as for folders on NFS, the block runs without.
    """
    if sys.platform == "win32":
        yield
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        if _identify(handle) not in _get_held():
            _lock(handle, wait=True)
        with _note_held(handle):
            yield
    finally:
        os.close(handle)


@contextmanager
def make_held(make: Callable[[], str]) -> Iterator[Path]:
    """Make a temporary file or folder and hold it for the block, so that :func:`clear_dead` spares it.

    Args:
        make: Makes one of a new name; called again where another process cleared it before it was held.
    """
    if sys.platform == "win32":
        yield Path(make())
        return
    while True:
        path = Path(make())
        try:
            handle = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        _lock(handle, wait=True)
        if _is_at(handle, path):
            break
        os.close(handle)
    try:
        with _note_held(handle):
            yield path
    finally:
        os.close(handle)


def clear_dead(folder: Path, prefix: str, suffix: str) -> None:
    """Delete the files and folders ``<prefix><8 random characters><suffix>`` whose makers are dead.

    Those of living processes stay, in other containers too, and so do those of other users, links, and all of them
    where the file system has no locks.
    """
    if sys.platform == "win32":
        return
    ours = re.compile(re.escape(prefix) + _RANDOM + re.escape(suffix))
    with os.scandir(folder) as entries:
        found = [Path(entry.path) for entry in entries if ours.fullmatch(entry.name) and not entry.is_symlink()]
    for path in found:
        with suppress(OSError):  # another process was quicker, or it is not ours to delete
            _clear_if_dead(path)


def _clear_if_dead(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if os.fstat(handle).st_uid != os.geteuid() or not _lock(handle, wait=False) or not _is_at(handle, path):
            return
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
    finally:
        os.close(handle)


@contextmanager
def _note_held(handle: int) -> Iterator[None]:
    """Let this thread know for the block that it holds an open file or folder."""
    held, one = _get_held(), _identify(handle)
    held.append(one)
    try:
        yield
    finally:
        held.remove(one)


def _get_held() -> list[tuple[int, int]]:
    """Return what this thread holds, by device and inode."""
    if not hasattr(_OF_THREAD, "held"):
        _OF_THREAD.held = []
    held: list[tuple[int, int]] = _OF_THREAD.held
    return held


def _identify(handle: int) -> tuple[int, int]:
    found = os.fstat(handle)
    return found.st_dev, found.st_ino


def _lock(handle: int, *, wait: bool) -> bool:
    """Lock an open file or folder; return whether it is held now."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held by another process, or a file system without locks
        return False
    return True


def _is_at(handle: int, path: Path) -> bool:
    """Tell whether the open file or folder still has this name."""
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except FileNotFoundError:
        return False
