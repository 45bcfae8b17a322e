"""The user's cache: what is downloaded or built once, outside the tree."""

from __future__ import annotations

import os
from pathlib import Path


def find_cache(part: str, variable: str) -> Path:
    """Return the folder of one part of the cache, which may not be there yet.

    Args:
        part: The folder's name in the user's cache.
        variable: An environment variable that names another folder.
    """
    if os.environ.get(variable):
        return Path(os.environ[variable]).expanduser().absolute()
    home = os.environ.get("XDG_CACHE_HOME", "")  # the XDG specification ignores relative ones
    base = Path(home) if Path(home).is_absolute() else Path.home() / ".cache"
    return base / "imageqx-export" / part
