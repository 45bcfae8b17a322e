"""Changed inputs of every parser: each is accepted or refused in the project's own words, in bounded time and memory.

``make fuzz`` tries more of them, of the parsers that end in native code too; here those of text get a few hundred.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from imageqx_export.errors import ImageQXError
from tests.fuzz.changes import make_input
from tests.fuzz.parsers import Parser, list_text_parsers, try_input
from tests.fuzz.pool import Limits, try_all

INPUTS = 500


@pytest.mark.parametrize("name", list_text_parsers())
def test_changed_inputs_are_accepted_or_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    parser = list_text_parsers()[name]()
    for seed in parser.seeds:
        assert try_input(parser, seed) == ("accepted", ""), "what is changed was right before"
    found = {number: try_input(parser, make_input(name, number, parser.seeds)) for number in range(INPUTS)}
    assert {number: one for number, one in found.items() if one[0] not in ("accepted", "refused")} == {}


def test_an_input_of_a_number_is_the_same_again() -> None:
    made = [make_input("a", number, (b"some bytes", b'{"a": 1}')) for number in range(200)]
    assert made == [make_input("a", number, (b"some bytes", b'{"a": 1}')) for number in range(200)]
    assert len(set(made)) > 150


def controls() -> dict[str, Callable[[], Parser]]:
    """Return parsers that go wrong at their fourth input, each in its way."""

    def make(fault: Callable[[], object]) -> Callable[[], Parser]:
        calls = iter(range(1000))

        def read(data: bytes) -> object:
            return fault() if next(calls) == 3 else None

        return lambda: Parser(read, (b"seed",))

    def refuse() -> None:
        raise ImageQXError("no such thing")

    return {
        "right": make(lambda: 1.0),
        "refuses": make(refuse),
        "raises": make(lambda: [][1]),
        "infinite": make(lambda: {"a": [float("inf")]}),
        "crashes": make(lambda: os.kill(os.getpid(), signal.SIGSEGV)),
        "hangs": make(lambda: time.sleep(600)),
        "grows": make(lambda: bytearray(b"x" * 2**27)),
    }


def test_what_goes_wrong_is_found_from_outside_and_the_others_go_on() -> None:
    names = list(controls())
    rows = dict(try_all(names, dict.fromkeys(names, 6), 2, controls, Limits(seconds=5.0, memory=2**27 + 2**26)))
    assert {name: row.tried for name, row in rows.items()} == dict.fromkeys(names, 6)
    kinds = {name: {fault.kind for fault in row.faults} for name, row in rows.items()}
    assert kinds == {
        "right": set(),
        "refuses": set(),
        "raises": {"traceback"},
        "infinite": {"wrong"},
        "crashes": {"crash"},
        "hangs": {"hang"},
        "grows": {"memory"},
    }
    assert rows["refuses"].refused == 1 and rows["right"].accepted == 6
    assert [(fault.number, fault.what) for fault in rows["crashes"].faults] == [(3, "SIGSEGV")]
