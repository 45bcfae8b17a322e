"""What is said of a photo, as a record: a line of ``predict --json``, and a row of a table of verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from imageqx_export.errors import PhotoError
from imageqx_export.predict.batch import Assessment

ERROR_FIELDS: Final = ("what", "expected", "got", "remedy")
"""What a record says of a photo that cannot be read."""

MOST_NAMED: Final = 5
"""Photos that a message names; of others it tells how many there are."""


@dataclass
class FirstNames:
    """A count of photos that have something in common, and the names of the first :data:`MOST_NAMED`.

    >>> names = FirstNames()
    >>> names.add("abcd")
    >>> names.add("efg")
    >>> names.count, names.join()
    (7, 'a, b, c, d, e, …')
    """

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, names: Sequence[str]) -> None:
        """Count more of them."""
        self.count += len(names)
        self.first += names[: MOST_NAMED - len(self.first)]

    def join(self) -> str:
        """Return the names, and an ellipsis where there are more photos."""
        return ", ".join(self.first) + (", …" if self.count > len(self.first) else "")


def make_record(row: Assessment) -> dict[str, Any]:
    """Return what became of one photo: ``photo``, and its verdict with ``hints`` and ``pictures``, or its ``error``."""
    if isinstance(row.result, PhotoError):
        fields = {name: getattr(row.result, name) for name in ERROR_FIELDS}
        return {"photo": str(row.photo), "error": {name: text for name, text in fields.items() if text is not None}}
    return {**row.result.model_dump(mode="json"), "hints": list(row.result.hints), "pictures": row.pictures}
