"""Changed inputs of every parser: each is accepted or refused in the project's own words, in bounded time and memory.

``make fuzz`` tries more of them, of the parsers that end in native code too; here those of text get a few hundred.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fuzz.changes import make_input
from tests.fuzz.controls import controls
from tests.fuzz.documents import list_document_parsers
from tests.fuzz.parsers import Parser, list_text_parsers, refuse_wrong_seeds, try_input
from tests.fuzz.pool import Limits, try_all
from tests.fuzz.releases import list_release_parsers

INPUTS, DEAR_INPUTS = 500, 100
DEAR = {**list_document_parsers(), **list_release_parsers()}
"""Those that take milliseconds, not microseconds."""


@pytest.mark.parametrize("name", list_text_parsers())
def test_changed_inputs_are_accepted_or_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    parser = list_text_parsers()[name]()
    refuse_wrong_seeds(name, parser)
    numbers = range(DEAR_INPUTS if name in DEAR else INPUTS)
    found = {number: try_input(parser, make_input(name, number, parser.seeds)) for number in numbers}
    assert {number: one for number, one in found.items() if one[0] not in ("accepted", "refused")} == {}


def test_a_parser_that_refuses_its_own_seed_is_no_test() -> None:
    parser = Parser(json.loads, (b"{}", b"{"))
    with pytest.raises(ValueError, match="does not accept its own seed"):
        refuse_wrong_seeds("JSON", parser)


def test_an_input_of_a_number_is_the_same_again() -> None:
    made = [make_input("a", number, (b"some bytes", b'{"a": 1}')) for number in range(200)]
    assert made == [make_input("a", number, (b"some bytes", b'{"a": 1}')) for number in range(200)]
    assert len(set(made)) > 150


def test_what_goes_wrong_is_found_from_outside_and_the_others_go_on() -> None:
    names = list(controls())
    rows = dict(try_all(names, dict.fromkeys(names, 6), 2, controls, Limits(seconds=2.0, memory=2**27 + 2**26)))
    assert {name: row.tried for name, row in rows.items()} == dict.fromkeys(names, 6)
    kinds = {name: {fault.kind for fault in row.faults} for name, row in rows.items()}
    assert kinds == {
        "right": set(),
        "refuses": set(),
        "raises": {"traceback"},
        "infinite": {"wrong"},
        "crashes": {"crash"},
        "waits": {"hang"},
        "works on": {"hang"},
        "grows": {"memory"},
    }
    assert rows["refuses"].refused == 1 and rows["right"].accepted == 6
    assert [(fault.number, fault.what) for fault in rows["crashes"].faults] == [(3, "SIGSEGV")]
