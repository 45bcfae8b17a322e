"""Optional libraries: one sentence where one is missing."""

from __future__ import annotations

import importlib.util

from imageqx_export.errors import UnavailableError


def require(library: str, distribution: str) -> None:
    """Raise unless ``library`` can be imported.

    Raises:
        UnavailableError: It cannot; the message names ``distribution``, which has it.
    """
    if importlib.util.find_spec(library) is None:
        raise UnavailableError(f"{library} is not installed", remedy=f"make setup, or pip install {distribution}")
