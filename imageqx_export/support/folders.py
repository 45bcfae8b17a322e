"""Write a folder aside and swap it into place, so that no reader ever sees half of one."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from imageqx_export.errors import ImageQXError

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h
_RENAME_SWAP = 2  # sys/stdio.h, macOS


class Staging:
    """A folder that is being written beside its final place.

    Attributes:
        path: Where to write.
        target: The final place.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.parent / f".{target.name}.{os.getpid()}.staging"

    def publish(self) -> Path:
        """Put the folder in its final place in one step; what was there is deleted."""
        if not self.target.exists():
            self.path.replace(self.target)
        elif _exchange(self.path, self.target):
            shutil.rmtree(self.path)
        else:  # the file system cannot swap: for a moment there is no folder, and recovered() mends a kill then
            old = _old(self.target)
            self.target.replace(old)
            self.path.replace(self.target)
            shutil.rmtree(old)
        return self.target

    def reject(self) -> Path:
        """Keep the folder as ``<name>.rejected`` and leave the final place as it is."""
        rejected = self.target.with_name(self.target.name + ".rejected")
        shutil.rmtree(rejected, ignore_errors=True)
        self.path.replace(rejected)
        return rejected


@contextmanager
def stage_folder(target: Path) -> Iterator[Staging]:
    """Give a folder to write to; unless the block publishes or rejects it, it vanishes.

    Leftovers of processes that were killed are cleared first.

    Args:
        target: The final place.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _recover(target)
    staging = Staging(target)
    shutil.rmtree(staging.path, ignore_errors=True)
    staging.path.mkdir()
    try:
        yield staging
    finally:
        shutil.rmtree(staging.path, ignore_errors=True)


def refuse_other_files(out: Path, files: Collection[str], what: str) -> None:
    """Refuse a place that holds anything but an earlier output, as the new one replaces the folder whole.

    Args:
        out: The folder that will be written; it need not be there.
        files: The names that an output has.
        what: Such as ``"a report"``.

    Raises:
        ImageQXError: It holds something else, or is a file.
    """
    if not out.exists():
        return
    others = [out.name] if not out.is_dir() else sorted(p.name for p in out.iterdir() if p.name not in files)
    if others:
        raise ImageQXError(
            f"the folder would be replaced, and holds something else than {what}",
            where=out,
            expected=f"a new folder, or an earlier {what.partition(' ')[2]}",
            got=", ".join(others[:3]),
            remedy="--out another folder",
        )


def _old(target: Path) -> Path:
    return target.parent / f".{target.name}.old"


def _recover(target: Path) -> None:
    if _old(target).exists():
        if target.exists():
            shutil.rmtree(_old(target))
        else:
            _old(target).replace(target)
    for leftover in target.parent.glob(f".{target.name}.*.staging"):
        pid = leftover.name.split(".")[-2]
        if pid.isdecimal() and not _alive(int(pid)):
            shutil.rmtree(leftover, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _exchange(one: Path, other: Path) -> bool:
    """Swap two paths atomically (renameat2(2), renamex_np(2)); say whether the system could."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = (os.fsencode(one), os.fsencode(other))
    if sys.platform == "darwin" and hasattr(libc, "renamex_np"):
        return bool(libc.renamex_np(*names, _RENAME_SWAP) == 0)
    if hasattr(libc, "renameat2"):
        return bool(libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)
    return False
