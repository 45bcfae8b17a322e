"""What is said of a photo, as a record: a line of ``predict --json``, and a row of a table of verdicts."""

from __future__ import annotations

from typing import Any, Final

from imageqx_export.errors import PhotoError
from imageqx_export.predict.batch import Judged

SAID: Final = ("what", "expected", "got", "remedy")
"""What a record says of a photo that cannot be read."""


def make_record(row: Judged) -> dict[str, Any]:
    """Return what became of one photo: ``photo``, and its verdict with ``hints`` and ``pictures``, or its ``error``."""
    if isinstance(row.result, PhotoError):
        said = {name: getattr(row.result, name) for name in SAID}
        return {"photo": str(row.photo), "error": {name: text for name, text in said.items() if text is not None}}
    return {**row.result.model_dump(mode="json"), "hints": list(row.result.hints), "pictures": row.pictures}
