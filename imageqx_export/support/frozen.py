"""The base of every value that is written as JSON: frozen, and strict about names; older names are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from imageqx_export.errors import shorten

T = TypeVar("T")


class Frozen(BaseModel):
    """A value that cannot be changed, and that refuses fields it does not have and numbers that are not finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def rename_key(fields: T, old: str, new: str) -> T:
    """Return the fields of a value with an older name's value under its new one; for validators that come before.

    >>> rename_key({"protocol": 1, "runs": 2}, "protocol", "schedule")
    {'schedule': 1, 'runs': 2}
    """
    if isinstance(fields, dict) and old in fields and new not in fields:
        return cast(T, {new if name == old else name: value for name, value in fields.items()})
    return fields


MOST_PROBLEMS = 3
"""Problems of one value that a message has; the others are counted."""


def describe_problems(error: ValidationError, name: Callable[[str], str] = lambda place: "") -> str:
    """Return the first three problems of a value that is not valid, and how many more there are, in a line.

    Args:
        error: What pydantic raised.
        name: Gives what is said behind a place, such as ``weights.3.scales``: whose it is.

    >>> class Point(Frozen):
    ...     x: int
    ...     y: int
    >>> try:
    ...     Point.model_validate({"x": [1], "y": 1, "z": 1})
    ... except ValidationError as error:
    ...     describe_problems(error)
    'x: Input should be a valid integer ([1]); z: Extra inputs are not permitted (1)'
    """
    rows = error.errors(include_url=False, include_context=False)
    parts = [
        f"{shorten(place, 160) or 'the whole'}{name(place)}: {row['msg'].removeprefix('Value error, ')}"
        + ("" if row["type"] in ("missing", "value_error") else f" ({shorten(repr(row['input']), 80)})")
        for row in rows[:MOST_PROBLEMS]
        for place in [".".join(map(str, row["loc"]))]
    ]
    more = [f"and {len(rows) - MOST_PROBLEMS} more"] if len(rows) > MOST_PROBLEMS else []
    return "; ".join([*parts, *more])
