"""The app's words in three languages, and broken twins of them."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imageqx_export.networks.imageqx.spec import LABELS, REASONS
from tests.ios.catalogue import find_key_problems, find_problems, list_specifiers, read_catalogue

APP = Path(__file__).parents[2] / "ios_demo" / "PhotoCheck"
KIT = APP.parent / "ImageQXKit" / "Sources" / "ImageQXKit"
CATALOGUE = read_catalogue(APP / "Localizable.xcstrings")
SOURCES = [path.read_text() for path in sorted(APP.rglob("*.swift"))]
Catalogue = dict[str, Any]


def list_problems() -> list[str]:
    """Read the names of the app's problems out of its enumeration."""
    source = (KIT / "Session" / "Problem.swift").read_text().partition("init(")[0]
    cases = re.findall(r"^    case (\w+)(?: = \"(\w+)\")?$", source, re.MULTILINE)
    return [value or name for name, value in cases]


NAMES = [
    *(f"hint_{name}" for name in (*REASONS, "poor")),
    *(f"reason_{name}" for name in REASONS),
    *(f"label_{name}" for name in LABELS),
    *(f"problem_{name}" for name in list_problems()),
]


@pytest.mark.parametrize("name", ["Localizable", "InfoPlist"])
def test_every_word_is_there_in_three_languages(name: str) -> None:
    assert find_problems(read_catalogue(APP / f"{name}.xcstrings")) == []


def test_the_code_and_the_catalogue_have_the_same_keys() -> None:
    assert len(list_problems()) == 8
    assert find_key_problems(CATALOGUE, SOURCES, NAMES) == []


def _unit(catalogue: Catalogue, key: str, language: str) -> Catalogue:
    unit: Catalogue = catalogue["strings"][key]["localizations"][language]["stringUnit"]
    return unit


def _drop(catalogue: Catalogue, key: str, *path: str) -> None:
    place = catalogue["strings"][key]
    for part in path[:-1]:
        place = place[part]
    del place[path[-1]]


PAIRS: dict[str, tuple[Callable[[Catalogue], object], str]] = {
    "language": (lambda c: _drop(c, "again", "localizations", "es"), "again: da, en, expected"),
    "state": (lambda c: _unit(c, "again", "da").update(state="needs_review"), "again, da: not translated"),
    "empty": (lambda c: _unit(c, "again", "da").update(value=" "), "again, da: not translated"),
    "specifier": (lambda c: _unit(c, "speed_progress %lld %lld", "es").update(value="%1$lld de %2$@"), "other format"),
    "lost": (lambda c: _unit(c, "speed_progress %lld %lld", "es").update(value="%1$lld"), "other format"),
    "plural": (
        lambda c: _drop(c, "result_tries_left %lld", "localizations", "es", "variations", "plural", "many"),
        "plural forms one, other",
    ),
    "space": (lambda c: _unit(c, "cancel", "en").update(value="Cancel "), "a space"),
    "source": (lambda c: c.update(sourceLanguage="da"), "source language"),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_broken_catalogue_is_found(name: str) -> None:
    change, says = PAIRS[name]
    broken = copy.deepcopy(CATALOGUE)
    change(broken)
    assert any(says in problem for problem in find_problems(broken)), find_problems(broken)


def test_keys_that_do_not_fit_are_found() -> None:
    def check(*sources: str, names: tuple[str, ...] = ()) -> str:
        return "; ".join(find_key_problems(CATALOGUE, [*SOURCES, *sources], [*NAMES, *names]))

    assert "new_key: shown" in check('Text("new_key")')
    assert "new_key %s: shown" in check('Text("new_key \\(count(of: one))")')
    assert "hint_ugly: named" in check(names=("hint_ugly",))
    assert "speed_text: in the catalogue, and used nowhere" in "; ".join(
        find_key_problems(CATALOGUE, [one.replace("speed_text", "x") for one in SOURCES], NAMES)
    )
    assert check('// Text("comment_only")', 'Text(verbatim: "not_a_key")') == ""


def test_specifiers_are_read_in_the_order_of_their_arguments() -> None:
    assert list_specifiers("%2$@ of %1$lld, 100 %%") == ["lld", "@"]
    assert list_specifiers("%lld %@") == ["lld", "@"]


def test_a_key_that_comes_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xcstrings").write_text('{"strings": {"a": {}, "a": {}}}')
    with pytest.raises(ValueError, match="a comes twice"):
        read_catalogue(tmp_path / "a.xcstrings")
