"""Keep what took long to make, by a digest of everything that it depends on, in a folder of the user's cache.

An entry names files by their SHA-256, and the files lie once each under theirs, so what comes out is what went in, or
nothing: a damaged, missing or foreign file is a miss. The folder is believed as the account is that owns it; whoever
must prove that results can be made again does not look there.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from imageqx_export.support.circumstances import describe_circumstances
from imageqx_export.support.files import write_aside
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.locks import hold
from imageqx_export.support.untrusted import read_model

MOST_BYTES = 2**30
"""What a store may hold; the entries that were used longest ago go first."""
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


@dataclass(frozen=True)
class Store:
    """A store in a folder, or nowhere.

    Args:
        folder: Made when the first entry is kept; None keeps nothing and finds nothing.
        circumstances: Returns what all entries depend on; asked again before anything is kept, as code may have
            changed since.
        most_bytes: What it may hold.
    """

    folder: Path | None
    circumstances: Callable[[], Mapping[str, str]] = describe_circumstances
    most_bytes: int = MOST_BYTES
    _begun: list[str] = field(default_factory=list, repr=False)

    def make_key(self, kind: str, **parts: object) -> str:
        """Return the key of a result.

        Args:
            kind: What it is.
            **parts: All that it depends on besides :attr:`circumstances`; anything that JSON can say.
        """
        return _digest_json([self._describe(), kind, parts]) if self.folder is not None else ""

    def find(self, key: str) -> dict[str, bytes] | None:
        """Return the files that are kept under a key, by name, or None."""
        if self.folder is None:
            return None
        try:
            path = self.folder / _ENTRIES / f"{key}.json"
            if not (self._owns(self.folder) and self._owns(path)):
                return None
            entry = read_model(path, Entry)
            if entry != Entry.of(key, entry.files) or not all(map(_stays_inside, entry.files)):
                return None
            found = {name: self._read(sha256) for name, sha256 in entry.files.items()}
            os.utime(path)
        except (OSError, ValueError):
            return None
        return found

    def keep(self, key: str, files: Mapping[str, bytes]) -> None:
        """Keep files under a key; where they cannot be written, or the code has changed meanwhile, nothing happens."""
        if self.folder is None or _digest_json(self.circumstances()) != self._describe():
            return
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._owns(self.folder):
                return
            with hold(self.folder):
                named = {name: self._write(content) for name, content in files.items()}
                with write_aside(self.folder / _ENTRIES / f"{key}.json") as aside:
                    aside.write_text(Entry.of(key, named).model_dump_json(indent=1) + "\n", encoding="utf-8")
                self._trim()

    def _describe(self) -> str:
        if not self._begun:
            self._begun.append(_digest_json(self.circumstances()))
        return self._begun[0]

    def _place(self, sha256: str) -> Path:
        assert self.folder is not None
        return self.folder / _FILES / sha256

    def _read(self, sha256: str) -> bytes:
        """Return a file, or raise ValueError where it is not what it was."""
        path = self._place(sha256)
        if not self._owns(path):
            raise ValueError(path)
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ValueError(path)
        return content

    def _write(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        path = self._place(sha256)
        try:
            whole = self._read(sha256) == content
            os.utime(path)
        except (OSError, ValueError):
            whole = False
        if not whole:
            with write_aside(path) as aside:
                aside.write_bytes(content)
        return sha256

    def _owns(self, path: Path) -> bool:
        """Say whether a file or folder is this user's own, is no link, and nobody else may write to it."""
        found = path.lstat()
        own = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
        return own and not stat.S_ISLNK(found.st_mode) and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)

    def _trim(self) -> None:
        """Delete the entries that were used longest ago until the rest fits, and files that no entry names."""
        assert self.folder is not None
        sizes = {path: path.stat().st_size for path in (self.folder / _FILES).iterdir()}
        entries = sorted((self.folder / _ENTRIES).glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        wanted: set[Path] = set()
        for place, entry in enumerate(entries):
            more = wanted | {self._place(sha256) for sha256 in _list_files(entry)}
            if sum(sizes.get(path, 0) for path in more) > self.most_bytes:
                for old in entries[place:]:
                    old.unlink(missing_ok=True)
                break
            wanted = more
        for path in sizes.keys() - wanted:
            path.unlink(missing_ok=True)


NO_STORE = Store(None)


def _list_files(entry: Path) -> set[str]:
    try:
        return set(read_model(entry, Entry).files.values())
    except (OSError, ValueError):  # a damaged one
        return set()


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\\" not in name


def _digest_json(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
