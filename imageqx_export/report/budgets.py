"""Read how large an artifact may be."""

from __future__ import annotations

import tomllib
from pathlib import Path

from imageqx_export.errors import MeasurementError

TABLE = "size_bytes"


def read_budgets(path: Path | None) -> dict[str, int]:
    """Read a TOML file's table ``[size_bytes]``: the most bytes by file name, ``*`` and ``?`` allowed.

    Args:
        path: The file, or None for no budgets. Other tables are left to others.

    Raises:
        MeasurementError: It is missing, no TOML, or a budget is no number of bytes.
    """
    if path is None:
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get(TABLE)
    except (OSError, ValueError) as error:
        raise MeasurementError("the budgets cannot be read", where=path, got=str(error)) from error
    valid = isinstance(table, dict) and all(type(most) is int and most >= 0 for most in table.values())
    if not valid:
        raise MeasurementError(
            "the budgets are not valid", where=f"{path}: [{TABLE}]", expected='lines such as "*_w8.tflite" = 5_000_000',
            got="no such table" if table is None else str(table),
        )  # fmt: skip
    return dict(table or {})
