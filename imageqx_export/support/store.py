"""Keep what took long to make, by a digest of everything that it depends on, in a folder of the user's cache.

An entry names files by their SHA-256, and the files lie once each under theirs, so what comes out is what went in, or
nothing: a damaged, missing or foreign file is a miss. The folder is believed as the account is that owns it; whoever
must prove that results can be made again does not look there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from imageqx_export.errors import ImageQXError
from imageqx_export.support.circumstances import describe_circumstances, stamp_code
from imageqx_export.support.files import write_aside
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.locks import hold
from imageqx_export.support.untrusted import read_model

MOST_BYTES = 2**30
"""What a store may hold; the entries that were used longest ago go first."""
LEAST_FREE = 2 * 2**30
"""Where the disk has fewer bytes left, nothing is kept."""
_ENTRIES, _FILES = "entries", "files"


class Entry(Frozen):
    """What is kept under one key.

    Attributes:
        key: It, as the entry's file is named.
        files: Name → SHA-256, hexadecimal.
        check: SHA-256 of the two above, so that a changed name or digest is found out.
    """

    key: str
    files: dict[str, str]
    check: str

    @classmethod
    def of(cls, key: str, files: Mapping[str, str]) -> Entry:
        """Return the entry of some files."""
        text = json.dumps([key, dict(sorted(files.items()))])
        return cls(key=key, files=dict(files), check=hashlib.sha256(text.encode()).hexdigest())


@dataclass
class _Memory:
    """What a store has seen: which circumstances its keys name, with what code, and whether anything was found."""

    begun: tuple[str, object] | None = None
    found: bool = False


@dataclass(frozen=True)
class Store:
    """A store in a folder, or nowhere. Nothing that goes wrong with it ends what uses it: it finds and keeps less.

    Args:
        folder: A real one, no link; made when the first entry is kept. None keeps nothing and finds nothing.
        circumstances: Returns what all entries depend on; asked once.
        stamp: Returns what changes with the code, quickly: nothing is kept of code that changed since.
        most_bytes: What it may hold; see :meth:`trim`.
        fresh: Whether nothing is found, but still kept.
    """

    folder: Path | None
    circumstances: Callable[[], Mapping[str, str]] = describe_circumstances
    stamp: Callable[[], object] = stamp_code
    most_bytes: int = MOST_BYTES
    fresh: bool = False
    _memory: _Memory = field(default_factory=_Memory, repr=False, compare=False)

    @property
    def was_used(self) -> bool:
        """Whether anything was found."""
        return self._memory.found

    def renew(self) -> Store:
        """Return the store with circumstances that are asked for again."""
        return replace(self, _memory=_Memory())

    def make_key(self, kind: str, **parts: object) -> str:
        """Return the key of a result, empty where nothing is kept.

        Args:
            kind: What it is.
            **parts: All that it depends on besides :attr:`circumstances`; anything that JSON can say.
        """
        begun = self._begin()
        return _digest_json([begun[0], kind, parts]) if begun is not None else ""

    def find(self, key: str) -> dict[str, bytes] | None:
        """Return the files that are kept under a key, by name, or None."""
        if self.folder is None or self.fresh or not key:
            return None
        try:
            path = self.folder / _ENTRIES / f"{key}.json"
            if not (_owns(self.folder) and _owns(path)):
                return None
            entry = read_model(path, Entry)
            if entry != Entry.of(key, entry.files) or not all(map(_stays_inside, entry.files)):
                return None
            found = {name: self._read(sha256) for name, sha256 in entry.files.items()}
        except (OSError, ValueError):
            return None
        _touch(path)
        self._memory.found = True
        return found

    def keep(self, key: str, files: Mapping[str, bytes]) -> None:
        """Keep files under a key, unless they cannot be written, the disk is nearly full, or the code has changed."""
        if self.folder is None or not key or not files:
            return
        with suppress(OSError, ImageQXError):
            begun = self._begin()
            if begun is None or self.stamp() != begun[1]:
                return
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _owns(self.folder) or shutil.disk_usage(self.folder).free < LEAST_FREE:
                return
            with hold(self.folder):
                self._write_entry(key, files)

    def trim(self) -> None:
        """Where it holds too much, delete the entries that were used longest ago, and files that no entry names.

        What writers that were killed have left goes too. Once after all is kept: it looks at every file.
        """
        with suppress(OSError, ImageQXError):
            if self.folder is not None and _owns(self.folder):
                with hold(self.folder):
                    self._trim()

    def explain_unused(self) -> str | None:
        """Return why the folder is neither read nor written, and what to do; None where it is."""
        with suppress(OSError):
            if self.folder is not None and not _owns(self.folder):
                if hasattr(os, "geteuid") and self.folder.stat().st_uid != os.geteuid():
                    return f"the cache {self.folder} is not used: it is another user's"
                return f"the cache {self.folder} is not used: others may write to it (chmod go-w {self.folder})"
        return None

    def _begin(self) -> tuple[str, object] | None:
        """Return the digest of the circumstances and the code's stamp, as they were at first; None where unknown."""
        if self.folder is not None and self._memory.begun is None:
            with suppress(OSError, ValueError):
                stamp = self.stamp()
                self._memory.begun = _digest_json(self.circumstances()), stamp
        return self._memory.begun

    def _write_entry(self, key: str, files: Mapping[str, bytes]) -> None:
        """Write files and the entry that names them; where that fails, delete those that it would have named."""
        assert self.folder is not None
        named: dict[str, str] = {}
        written: list[Path] = []
        try:
            for name, content in files.items():
                named[name] = hashlib.sha256(content).hexdigest()
                if not self._holds(named[name], content):
                    written.append(self._place(named[name]))
                    with write_aside(written[-1]) as aside:
                        aside.write_bytes(content)
            with write_aside(self.folder / _ENTRIES / f"{key}.json") as aside:
                aside.write_text(Entry.of(key, named).model_dump_json(indent=1) + "\n", encoding="utf-8")
        except BaseException:
            for path in written:
                with suppress(OSError):
                    path.unlink(missing_ok=True)
            raise

    def _place(self, sha256: str) -> Path:
        assert self.folder is not None
        return self.folder / _FILES / sha256

    def _read(self, sha256: str) -> bytes:
        """Return a file, or raise ValueError where it is not what it was."""
        path = self._place(sha256)
        if not _owns(path):
            raise ValueError(path)
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ValueError(path)
        return content

    def _holds(self, sha256: str, content: bytes) -> bool:
        """Say whether a file is there and whole."""
        try:
            whole = self._read(sha256) == content
        except (OSError, ValueError):
            return False
        _touch(self._place(sha256))
        return whole

    def _trim(self) -> None:
        assert self.folder is not None
        for path in self.folder.glob("*/.*.part"):  # the lock is ours, so their writers are dead
            path.unlink(missing_ok=True)
        sizes = {path: path.stat().st_size for path in (self.folder / _FILES).iterdir()}
        if sum(sizes.values()) <= self.most_bytes:
            return
        entries = sorted((self.folder / _ENTRIES).glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        wanted: set[Path] = set()
        held = 0
        for place, entry in enumerate(entries):
            more = {self._place(sha256) for sha256 in _list_files(entry)} - wanted
            held += sum(sizes.get(path, 0) for path in more)
            if held > self.most_bytes:
                for old in entries[place:]:
                    old.unlink(missing_ok=True)
                break
            wanted |= more
        for path in sizes.keys() - wanted:
            path.unlink(missing_ok=True)


NO_STORE = Store(None)


def open_store(folder: Path | None, *, fresh: bool = False) -> Store:
    """Return the store in a folder, which may be a link to one.

    Args:
        folder: None keeps nothing and finds nothing.
        fresh: Whether nothing is found, but still kept.
    """
    return Store(None if folder is None else Path(os.path.realpath(folder)), fresh=fresh)


def _list_files(entry: Path) -> set[str]:
    try:
        return set(read_model(entry, Entry).files.values())
    except (OSError, ValueError):  # a damaged one
        return set()


def _owns(path: Path) -> bool:
    """Say whether a file or folder is this user's own, is no link, and nobody else may write to it."""
    found = path.lstat()
    own = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
    return own and not stat.S_ISLNK(found.st_mode) and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _touch(path: Path) -> None:
    """Note that a file was used, unless the folder may only be read."""
    with suppress(OSError):
        os.utime(path)


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\\" not in name


def _digest_json(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
