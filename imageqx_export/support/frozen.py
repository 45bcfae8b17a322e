"""The base of every value that is written as JSON: frozen, and strict about names; older names are read."""

from __future__ import annotations

from typing import NamedTuple, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

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


class Problem(NamedTuple):
    """A value that was refused: where it stands, what is wrong with it, and its first 80 characters."""

    place: str
    message: str
    value: str


def find_problem(error: ValidationError) -> Problem:
    """Return the first problem of a value that is not valid; its place is "the whole" where it is no single field.

    >>> class Point(Frozen):
    ...     x: int
    >>> try:
    ...     Point.model_validate({"x": [1]})
    ... except ValidationError as error:
    ...     find_problem(error)
    Problem(place='x', message='Input should be a valid integer', value='[1]')
    """
    first = error.errors()[0]
    return Problem(".".join(map(str, first["loc"])) or "the whole", first["msg"], str(first["input"])[:80])


MOST_PROBLEMS = 3
"""Problems of one value that a message has; the others are counted."""


def describe_problems(error: ValidationError) -> str:
    """Return the first three problems of a value that is not valid, and how many more there are, in a line.

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
        f"{'.'.join(map(str, row['loc'])) or 'the whole'}: {row['msg'].removeprefix('Value error, ')}"
        + ("" if row["type"] in ("missing", "value_error") else f" ({_shorten(row['input'])})")
        for row in rows[:MOST_PROBLEMS]
    ]
    more = [f"and {len(rows) - MOST_PROBLEMS} more"] if len(rows) > MOST_PROBLEMS else []
    return "; ".join([*parts, *more])


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
