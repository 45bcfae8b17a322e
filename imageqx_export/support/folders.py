"""Write a folder aside and swap it into place, so that no reader ever sees half of one."""

from __future__ import annotations

import ctypes
import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imageqx_export.errors import ImageQXError
from imageqx_export.support.files import check_room
from imageqx_export.support.locks import NO_ROOM, clear_dead, hold, make_held

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h
_RENAME_SWAP = 2  # sys/stdio.h, macOS
_DESKTOP = {".DS_Store"}  # macOS writes it into every folder that somebody looks at


@dataclass(frozen=True)
class Layout:
    """What a folder of ours may hold; as the new one replaces it whole, one that holds anything else is left alone.

    Args:
        what: Such as ``"a report"``.
        files: Regular expressions of all its files, relative to it, with "/" between the parts.
    """

    what: str
    files: tuple[str, ...]

    @classmethod
    def of_names(cls, what: str, names: Iterable[str]) -> Layout:
        """Return the layout of a folder with these files and no folders."""
        return cls(what, tuple(re.escape(name) for name in names))

    def find_foreign(self, folder: Path) -> list[str]:
        """Return what a folder holds besides, sorted: other files, and folders with nothing of ours in them."""
        found = []
        for root, folders, files in os.walk(folder):
            here = Path(root)
            links = [name for name in folders if (here / name).is_symlink()]
            empty = [""] if here != folder and not folders and not files else []
            for name in [*links, *files, *empty]:
                path = (here / name).relative_to(folder).as_posix()
                if name not in _DESKTOP and not any(re.fullmatch(pattern, path) for pattern in self.files):
                    found.append(path)
        return sorted(found)

    def check_place(self, folder: Path) -> None:
        """Refuse, before minutes of work, a place that the folder could not be written to.

        Raises:
            ImageQXError: As for :meth:`refuse_other`.
            OSError: The disk is full, or the folder above may not be written to.
        """
        self.refuse_other(folder)
        check_room(folder)

    def refuse_other(self, folder: Path) -> None:
        """Refuse a place that holds anything but an earlier output; it need not be there.

        Raises:
            ImageQXError: It holds something else, or is a file.
        """
        if not folder.exists():
            return
        foreign = self.find_foreign(folder) if folder.is_dir() else [folder.name]
        if foreign:
            raise ImageQXError(
                f"the folder would be replaced, and holds something else than {self.what}",
                where=folder,
                expected=f"a new folder, or an earlier {self.what.partition(' ')[2]}",
                got=", ".join(foreign[:3]) + (f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""),
                remedy="move it elsewhere, or --out another folder",
            )


class Staging:
    """A folder that is being written beside its final place.

    Attributes:
        path: Where to write.
        target: The final place, as it was asked for.
    """

    def __init__(self, path: Path, target: Path, layout: Layout) -> None:
        self.path = path
        self.target = target
        self._place = _follow(target)
        self._layout = layout

    def publish(self) -> Path:
        """Put the folder in its final place in one step; what was there is deleted.

        Raises:
            ImageQXError: Something that is not ours has come there in the meantime; it stays.
        """
        with hold(self._place.parent):
            self._layout.refuse_other(self._place)
            if not self._place.exists():
                self.path.replace(self._place)
            elif _exchange(self.path, self._place):
                shutil.rmtree(self.path, ignore_errors=True)  # a neighbour that clears up may be at it too
            else:  # the file system cannot swap: for a moment there is no folder, and _recover() mends a kill then
                old = _name_old(self._place)
                self._place.replace(old)
                self.path.replace(self._place)
                shutil.rmtree(old)
        return self.target

    def reject(self) -> Path:
        """Keep the folder as ``<name>.rejected``, and leave the final place, and what others put there, as it is."""
        name, number = f"{self._place.name}.rejected", 1
        with hold(self._place.parent):
            rejected = self._place.with_name(name)
            while rejected.is_symlink() or (rejected.exists() and not self._is_ours(rejected)):
                number += 1
                rejected = self._place.with_name(f"{name}.{number}")
            shutil.rmtree(rejected, ignore_errors=True)
            self.path.replace(rejected)
        return rejected

    def _is_ours(self, folder: Path) -> bool:
        return folder.is_dir() and not self._layout.find_foreign(folder)


@contextmanager
def stage_folder(target: Path, layout: Layout) -> Iterator[Staging]:
    """Give a folder to write to; unless the block publishes or rejects it, it vanishes.

    Leftovers of processes that were killed are cleared first.

    Args:
        target: The final place; a link to a folder stays one, and the folder that it names is replaced.
        layout: What the folder will hold, and may hold now.

    Raises:
        ImageQXError: The place holds something else.
    """
    place = _follow(target)
    place.parent.mkdir(parents=True, exist_ok=True)
    layout.refuse_other(place)
    _recover(place, layout)
    with make_held(lambda: _make_folder(place)) as path:
        try:
            yield Staging(path, target, layout)
        except OSError as error:
            raise _name_place(error, path, target) from error
        finally:
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def temporary_folder(kind: str) -> Iterator[Path]:
    """Give a folder for the block in the system's temporary one; those of killed processes go first.

    Args:
        kind: What its name says after "imageqx".
    """
    prefix, parent = f"imageqx-{kind}-", Path(tempfile.gettempdir())
    clear_dead(parent, prefix, "")
    with make_held(lambda: tempfile.mkdtemp(dir=parent, prefix=prefix)) as path:
        try:
            yield path
        except OSError as error:
            raise _name_place(error, path, parent) from error
        finally:
            shutil.rmtree(path, ignore_errors=True)


def _name_place(error: OSError, staged: Path, place: Path) -> OSError:
    """Return the error of a full disk with the name of a place that people know; every other one as it is.

    A write to an open file names no file, and a path below the staging folder is gone when it is read.
    """
    if error.errno not in NO_ROOM:
        return error
    inside = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else staged
    if not inside.is_relative_to(staged):
        return error
    return OSError(error.errno, os.strerror(error.errno or 0), str(place / inside.relative_to(staged)))


def _follow(target: Path) -> Path:
    """Return the place that a path names in the end; nothing need be there."""
    return Path(os.path.realpath(target))


def _make_folder(place: Path) -> str:
    path = place.parent / f".{place.name}.{secrets.token_hex(4)}.staging"
    path.mkdir()  # mkdtemp's mode would keep a team from reading it
    return str(path)


def _name_old(place: Path) -> Path:
    return place.parent / f".{place.name}.old"


def _recover(place: Path, layout: Layout) -> None:
    with hold(place.parent):
        old = _name_old(place)
        if old.is_dir() and not layout.find_foreign(old):
            if place.exists():
                shutil.rmtree(old)
            else:
                old.replace(place)
    clear_dead(place.parent, f".{place.name}.", ".staging")


def _exchange(one: Path, other: Path) -> bool:
    """Swap two paths atomically (renameat2(2), renamex_np(2)); say whether the system could."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = (os.fsencode(one), os.fsencode(other))
    if sys.platform == "darwin" and hasattr(libc, "renamex_np"):
        return bool(libc.renamex_np(*names, _RENAME_SWAP) == 0)
    if hasattr(libc, "renameat2"):
        return bool(libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)
    return False
