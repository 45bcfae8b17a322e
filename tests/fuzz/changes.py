"""Change an input that a parser accepts; a parser's input of a number is the same everywhere, and can be made again."""

from __future__ import annotations

import json
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

TOKENS = (
    *(b"NaN", b"Infinity", b"1e999", b"-1", b"0", b"1e20", b"9" * 400, b"9" * 5000, b"null", b"[]", b"{}", b'""'),
    *(b"true", b"[" * 2000, b'{"a":' * 2000, b'"\\ud800"', b"\xff", b"\0", "²".encode(), "٣".encode()),
    *(b"../x", b"/x", b"\n", b",", b"=", b"nan", b"inf", b"-inf", b"1e-400", b"0x10", b"\r\n", b'"'),
)
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**63, 10**400, 1e20, 1e308, -0.5, 5e-324, "", "x", "²", "../x", "/x", "\0", "NaN"),
    *([], {}, [[]], [0], {"x": 0}, "a" * 5000),
)
NUMBERS = (*range(4), *(2**bits + step for bits in (7, 8, 15, 16, 31, 32, 63) for step in (-1, 0)))
LENGTHS = {1: "B", 2: "H", 4: "I", 8: "Q"}

Repair = Callable[[bytes], bytes]


def make_input(name: str, number: int, seeds: Sequence[bytes], repair: Repair | None = None) -> bytes:
    """Return an input of a parser.

    Args:
        name: The parser's.
        number: Which; the same number is the same input.
        seeds: What the parser accepts; one of them is changed.
        repair: Makes checksums fit again; applied to every other input, as nearly all others end at a checksum.
    """
    control = random.Random(f"{name}:{number}")
    data = control.choice(seeds)
    if data[:1] == b"{" and control.randrange(4):  # else nearly all would be no JSON
        return _change_json(control, data)
    for _ in range(control.choice((1, 1, 1, 2, 3, 5, 12))):
        data = control.choice(CHANGES)(control, data, seeds)
    return repair(data) if repair is not None and control.randrange(2) else data


def _change_json(control: random.Random, data: bytes) -> bytes:
    lines = data.splitlines()
    at = control.randrange(len(lines))
    try:
        value = json.loads(lines[at])
    except ValueError:  # one value over several lines
        lines, at, value = [data], 0, json.loads(data)
    for _ in range(control.choice((1, 1, 2, 3))):
        value = change_value(control, value)
    lines[at] = json.dumps(value).encode()
    return b"\n".join(lines) + b"\n"


def change_value(control: random.Random, value: Any) -> Any:
    """Return a JSON value with one part, anywhere in it, replaced, left out, repeated or misnamed."""
    if isinstance(value, dict) and value and control.randrange(6):
        name, how = control.choice(sorted(value)), control.randrange(8)
        if how == 0:
            return {key: part for key, part in value.items() if key != name}
        if how == 1:
            return {("other" if key == name else key): part for key, part in value.items()}
        return {**value, name: change_value(control, value[name])}
    if isinstance(value, list) and value and control.randrange(6):
        at, how = control.randrange(len(value)), control.randrange(8)
        if how < 2:
            return value[:at] + [value[at]] * (2 * how) + value[at + 1 :]
        return [*value[:at], change_value(control, value[at]), *value[at + 1 :]]
    if isinstance(value, int | float) and abs(value) < 2**63 and not isinstance(value, bool) and control.randrange(2):
        return control.choice((-value, value + 1, value * 2**40, value / 3, float(value)))
    return control.choice(VALUES)


def _flip(control: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    if not data:
        return b"\0"
    at = control.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << control.randrange(8)]) + data[at + 1 :]


def _overwrite(control: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """Put a number at the border of what its bytes hold in the place of another."""
    size = control.choice(tuple(LENGTHS))
    if len(data) < size:
        return data
    at = control.randrange(len(data) - size + 1)
    number = control.choice((*NUMBERS, len(data), len(data) - at)) & (1 << 8 * size) - 1
    return data[:at] + struct.pack(control.choice("<>") + LENGTHS[size], number) + data[at + size :]


def _replace(control: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    start = control.randrange(len(data) + 1)
    end = min(len(data), start + control.randrange(12))
    middle = control.choice((b"", data[start:end] * 2, control.randbytes(control.randrange(5)), *TOKENS))
    return data[:start] + middle + data[end:]


def _cut(control: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    return data[: control.randrange(len(data) + 1)] if control.randrange(4) == 0 else data


def _move(control: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """Put a piece of this or another input somewhere."""
    other = control.choice(seeds)
    start = control.randrange(len(other) + 1)
    piece = other[start : start + control.choice((4, 16, 64, 1000))]
    at = control.randrange(len(data) + 1)
    return data[:at] + piece + data[at + control.choice((0, len(piece))) :]


CHANGES: tuple[Callable[[random.Random, bytes, Sequence[bytes]], bytes], ...] = (
    *(_flip, _overwrite, _overwrite, _replace, _cut, _move),
)


def repair_png(data: bytes) -> bytes:
    """Return a PNG with the checksum that each chunk should have."""
    made, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        body = data[at + 4 : at + 8 + size]
        made += data[at : at + 4] + body + zlib.crc32(body).to_bytes(4, "big")
        at += 12 + size
    return bytes(made + data[at:])
