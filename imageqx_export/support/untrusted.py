"""The one reader of JSON and TOML that others may have written: bounded in size and depth, finite, in words.

Everything that is wrong is an :class:`UntrustedError`, which is a ValueError, or an OSError. The caller, who knows what
the file should have been, makes the project's own error of it, with the file's name and :func:`describe` of the reason.
"""

from __future__ import annotations

import json
import math
import os
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from imageqx_export.errors import shorten
from imageqx_export.support.frozen import describe_problems

MOST_JSON = 64 * 2**20
"""Bytes of one JSON value; a baseline with every run's samples has a few MiB."""
MOST_TOML = 64 * 2**10
MOST_DEPTH = 64
"""Values within values; what this project writes has at most 12."""
MOST_INTEGER = 2**63 - 1


T = TypeVar("T", bound=BaseModel)


class UntrustedError(ValueError):
    """What is wrong with the content of a file, in a clause, on its way to the place that knows what it should be."""


def read_bytes(path: Path, most: int = MOST_JSON) -> bytes:
    """Read a regular file of at most ``most`` bytes.

    Raises:
        UntrustedError: It is larger, or is no file but a pipe or a device, which would never end.
        OSError: It cannot be read.
    """
    # Opening a pipe to which nobody writes would wait for ever.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise UntrustedError("not a regular file")
        content = file.read(most + 1)
    if len(content) > most:
        raise UntrustedError(f"more than {most:,} bytes")
    return content


def parse_json(text: bytes | str, *, parse_float: Callable[[str], float] = float) -> Any:
    """Return the value of a JSON text whose numbers are finite and whose keys are there once.

    Args:
        text: UTF-8 if bytes.
        parse_float: Makes a number of digits with a point or an exponent.

    Raises:
        UntrustedError: It is not such a text, too long or too deep; the message says where.

    >>> parse_json('{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    >>> parse_json('{"a": [1, NaN]}')
    Traceback (most recent call last):
    imageqx_export.support.untrusted.UntrustedError: NaN is no JSON number
    """
    if len(text) > MOST_JSON:
        raise UntrustedError(f"more than {MOST_JSON:,} bytes")
    with _explain_depth_and_text():
        try:
            value = json.loads(
                text if isinstance(text, str) else text.decode("utf-8"),
                parse_float=parse_float,
                parse_constant=_refuse_constant,
                object_pairs_hook=_refuse_repeated,
            )
        except (UntrustedError, UnicodeDecodeError):
            raise
        except json.JSONDecodeError as error:
            raise UntrustedError(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
        except ValueError as error:  # a number of thousands of digits
            raise UntrustedError("a number with too many digits") from error
    _check(value)
    return value


def read_json(path: Path, *, parse_float: Callable[[str], float] = float) -> Any:
    """Return the value in a JSON file, as :func:`parse_json`.

    Raises:
        UntrustedError: Likewise, or it is not a regular file.
        OSError: It cannot be read.
    """
    return parse_json(read_bytes(path), parse_float=parse_float)


def read_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, as :func:`parse_json`.

    Raises:
        UntrustedError: Likewise, or it is another value, or not a regular file.
        OSError: It cannot be read.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise UntrustedError(f"no JSON object, but a {type(value).__name__}")
    return value


def parse_model(kind: type[T], text: bytes | str) -> T:
    """Return the value of a JSON text as a ``kind``.

    Raises:
        UntrustedError: As :func:`parse_json`.
        ValidationError: It is JSON, and not a ``kind``; :func:`describe` says where.
    """
    parse_json(text)
    return kind.model_validate_json(text)  # and not the value: a strict kind takes lists for tuples from JSON alone


def read_model(path: Path, kind: type[T]) -> T:
    """Return the value in a JSON file as a ``kind``.

    Raises:
        UntrustedError: As :func:`read_json`.
        ValidationError: As :func:`parse_model`.
        OSError: It cannot be read.
    """
    return parse_model(kind, read_bytes(path))


def read_toml(path: Path) -> dict[str, Any]:
    """Return the value in a TOML file.

    Raises:
        UntrustedError: It is not TOML, too long or too deep, or has a number that is not finite.
        OSError: It cannot be read.
    """
    with _explain_depth_and_text():
        text = read_bytes(path, MOST_TOML).decode("utf-8")
        try:
            value = tomllib.loads(text)
        except (ValueError, OverflowError) as error:
            raise UntrustedError(f"not TOML: {str(error).splitlines()[0]}") from error
    _check(value)
    return value


@contextmanager
def _explain_depth_and_text() -> Iterator[None]:
    try:
        yield
    except RecursionError as error:
        raise UntrustedError(f"more than {MOST_DEPTH} values within values") from error
    except UnicodeDecodeError as error:
        raise UntrustedError(f"not UTF-8 at byte {error.start}") from error


def describe(error: Exception) -> str:
    """Return in a line why a file was refused: the first problems, what the system said, or the error's first line.

    >>> describe(FileNotFoundError(2, "No such file or directory", "a.json"))
    'no such file or directory'
    """
    if isinstance(error, ValidationError):
        return describe_problems(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror[:1].lower()}{error.strerror[1:]}"
    lines = str(error).strip().splitlines()
    text = lines[0][:300] if lines else type(error).__name__
    return f"no {error}" if isinstance(error, KeyError) else text


def name_error(error: Exception) -> str:
    """Return what a library raised in a line, its kind first.

    >>> name_error(ValueError("no such thing"))
    'ValueError: no such thing'
    """
    return f"{type(error).__name__}: {describe(error)}"


def _refuse_constant(word: str) -> float:
    raise UntrustedError(f"{word} is no JSON number")


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UntrustedError(f"the key {twice[:80]!r} is there twice")
    return value


def _check(value: Any) -> None:
    """Refuse what is too deep, not finite, beyond 64 bits, or no text that can be written again."""
    level: list[tuple[str, Any]] = [("", value)]
    for _ in range(MOST_DEPTH + 1):
        below: list[tuple[str, Any]] = []
        for place, one in level:
            if isinstance(one, Mapping):
                for name in one:
                    _check_text(place, name)
                below += [(f"{place}.{name}" if place else name, part) for name, part in one.items()]
            elif isinstance(one, str):
                _check_text(place, one)
            elif isinstance(one, Sequence):
                below += [(place, part) for part in one]
            elif isinstance(one, float) and not math.isfinite(one):
                raise UntrustedError(f"{shorten(place, 160) or 'the whole'}: a number that is not finite")
            elif isinstance(one, int) and not -MOST_INTEGER <= one <= MOST_INTEGER:
                raise UntrustedError(f"{shorten(place, 160) or 'the whole'}: an integer beyond 64 bits")
        if not below:
            return
        level = below
    raise UntrustedError(f"more than {MOST_DEPTH} values within values")


def _check_text(place: str, text: str) -> None:
    if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
        raise UntrustedError(f"{shorten(place, 160) or 'the whole'}: half a character")
