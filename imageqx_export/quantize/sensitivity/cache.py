"""Keep measurements between runs: one small file each, whole or not there at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from imageqx_export.support.files import write_aside
from imageqx_export.support.untrusted import read_model

T = TypeVar("T", bound=BaseModel)


def make_key(*parts: object) -> str:
    """Return a digest of what a measurement depends on: anything JSON can say, and values of pydantic.

    >>> make_key("a", 1) == make_key("a", 1), make_key("a", 1) == make_key("a", 2), len(make_key())
    (True, False, 32)
    """
    values = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Cache:
    """A store of values in a folder, or nowhere.

    Args:
        folder: Made when the first value is kept; None keeps nothing.
    """

    folder: Path | None

    def get(self, key: str, kind: type[T]) -> T | None:
        """Return what is kept under a key, or None; what cannot be read counts as not there."""
        if self.folder is None:
            return None
        try:
            return read_model(self.folder / f"{key}.json", kind)
        except (OSError, ValueError):
            return None

    def put(self, key: str, value: BaseModel) -> None:
        """Keep a value."""
        if self.folder is not None:
            with write_aside(self.folder / f"{key}.json") as aside:
                aside.write_text(value.model_dump_json(indent=1) + "\n", encoding="utf-8")

    def get_or_make(self, key: str, kind: type[T], make: Callable[[], T]) -> T:
        """Return what is kept under a key; if nothing is, make it and keep it."""
        known = self.get(key, kind)
        if known is None:
            known = make()
            self.put(key, known)
        return known


NO_CACHE = Cache(None)
