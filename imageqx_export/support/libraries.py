"""Optional libraries and uv: one sentence where one is missing."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from imageqx_export.errors import ImageQXError, UnavailableError


def require(library: str, distribution: str) -> None:
    """Raise unless ``library`` can be imported.

    Raises:
        UnavailableError: It cannot; the message names ``distribution``, which has it.
    """
    if importlib.util.find_spec(library) is None:
        raise UnavailableError(f"{library} is not installed", remedy=f"make setup, or pip install {distribution}")


def find_uv(missing: Callable[..., ImageQXError] = UnavailableError) -> str:
    """Return the path of uv, which makes environments: beside this Python, or on the PATH.

    Raises:
        ImageQXError: There is none; of the kind ``missing``.
    """
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("uv")
    if found is None:
        raise missing("uv is missing", where=beside, remedy="make setup, or pip install uv")
    return found
