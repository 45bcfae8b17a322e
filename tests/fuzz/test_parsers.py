"""Changed inputs of every parser: each is accepted or refused in the project's own words, in bounded time and memory.

``FUZZ_INPUTS`` says how many inputs each parser gets (``make fuzz COUNT=20000``).
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from imageqx_export.errors import ImageQXError
from tests.fuzz.parsers import Parser, list_parsers

COUNT = int(os.environ.get("FUZZ_INPUTS", "200"))
SLOWEST = 10.0
"""Seconds that one input may take."""

PARSERS = list_parsers()
TOKENS = (
    *(b"NaN", b"Infinity", b"1e999", b"-1", b"0", b"1e20", b"9" * 400, b"null", b"[]", b"{}", b'""', b"true"),
    *(b"[" * 2000, b'{"a":' * 2000, b'"\\ud800"', b"\xff", b"\0", "²".encode(), b"../x", b"/x", b"\n", b",", b"="),
)


VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**63,
    10**400,
    1e20,
    1e308,
    -0.5,
    "",
    "x",
    "²",
    "../x",
    "\0",
    [],
    {},
    [[]],
    "a" * 5000,
)


@st.composite
def change_value(draw: st.DrawFn, value: Any) -> Any:
    """Draw a JSON value with one part, anywhere in it, replaced, left out, repeated or misnamed."""
    if isinstance(value, dict) and value and draw(st.integers(0, 5)):
        name = draw(st.sampled_from(sorted(value)))
        how = draw(st.integers(0, 7))
        if how == 0:
            return {key: part for key, part in value.items() if key != name}
        if how == 1:
            return {("other" if key == name else key): part for key, part in value.items()}
        return {**value, name: draw(change_value(value[name]))}
    if isinstance(value, list) and value and draw(st.integers(0, 5)):
        at = draw(st.integers(0, len(value) - 1))
        how = draw(st.integers(0, 7))
        if how < 2:
            return value[:at] + [value[at]] * (2 * how) + value[at + 1 :]
        return [*value[:at], draw(change_value(value[at])), *value[at + 1 :]]
    return draw(st.sampled_from(VALUES))


@st.composite
def changed(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """Draw an input with up to four changes: bytes cut, flipped, repeated, or replaced by something awkward."""
    data = draw(st.sampled_from(seeds))
    if data[:1] == b"{" and draw(st.integers(0, 3)):  # else nearly all would be no JSON
        value = json.loads(data)
        for _ in range(draw(st.integers(1, 3))):
            value = draw(change_value(value))
        return json.dumps(value).encode() + b"\n"
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12)))
        middle = draw(st.sampled_from((b"", data[start:end] * 2, *TOKENS)) | st.binary(max_size=4))
        data = data[:start] + middle + data[end:]
    return data[: draw(st.integers(0, len(data)))] if draw(st.integers(0, 9)) == 0 else data


def try_inputs(parser: Parser, count: int) -> Counter[str]:
    """Try ``count`` inputs; return how many were accepted and refused. Anything else is raised, made small."""
    found: Counter[str] = Counter()

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(changed(parser.seeds))
    def run(data: bytes) -> None:
        begun = time.monotonic()
        try:
            parser.read(data)
            found["accepted"] += 1
        except (ImageQXError, ValueError) as error:
            # The bounded reader itself speaks in a ValueError of its own, which its callers make theirs.
            if not isinstance(error, ImageQXError) and type(error).__name__ != "UntrustedError":
                raise
            assert str(error).strip(), "a refusal says something"
            found["refused"] += 1
        assert time.monotonic() - begun < SLOWEST, "an input took too long"

    run()
    return found


@pytest.mark.parametrize("name", PARSERS)
def test_changed_inputs_are_accepted_or_refused(name: str) -> None:
    parser = PARSERS[name]
    assert all(parser.read(seed) is not None for seed in parser.seeds), "what is changed was right before"
    assert try_inputs(parser, COUNT).total() >= COUNT


def main() -> None:
    """Print the table: tried, refused, accepted, faults."""
    print(f"{'parser':<26}{'tried':>8}{'refused':>9}{'accepted':>10}{'faults':>8}")
    faults = []
    for name, parser in PARSERS.items():
        try:
            found = try_inputs(parser, COUNT)
            print(f"{name:<26}{found.total():>8}{found['refused']:>9}{found['accepted']:>10}{0:>8}", flush=True)
        except Exception as error:
            faults.append(f"{name}: {type(error).__name__}: {error}")
            print(f"{name:<26}{'':>27}{1:>8}", flush=True)
    print("\n".join(faults))
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
