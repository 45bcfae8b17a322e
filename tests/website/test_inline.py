"""What a sentence names is there; what is not is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from website import REPOSITORY
from website.examples import list_pages
from website.inline import find_inline_faults

MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")


def test_every_command_within_a_sentence_is_there() -> None:
    """The changelog tells of options that are gone."""
    pages = [page for page in list_pages() if page.name != "CHANGELOG.md"]
    assert not [
        f"{page.name}: {fault}"
        for page in pages
        for fault in find_inline_faults(page.read_text(encoding="utf-8"), MAKEFILE)
    ]


@pytest.mark.parametrize("page", sorted((REPOSITORY / "docs").glob("for-*.md")), ids=lambda page: page.stem)
def test_a_page_for_one_person_shows_commands_that_can_be_given(page: Path) -> None:
    assert not list(find_inline_faults(page.read_text(encoding="utf-8"), MAKEFILE, whole=True))


def test_a_command_that_lacks_something_is_not_whole() -> None:
    assert "Missing parameter" in next(find_inline_faults("`imageqx parity`", MAKEFILE, whole=True))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("`imageqx predict --overlay`", ["imageqx predict --overlay"]),
        ("`imageqx nothing`", ["imageqx nothing"]),
        ('`make test-kill ONLY="random and (bench or report)"`', []),
        ('`make nothing "random`', ["make nothing"]),
        ("`imageqx keys rotate root|targets --keys KEYS --to releases`", []),
        ("`imageqx data nothing`", ["imageqx nothing"]),
        ("`make nothing ONLY=a`", ["make nothing"]),
        ("`make bench QUICK=1` and `imageqx compat …`", []),
        ("```sh\nimageqx nothing\n```", []),
    ],
)
def test_what_is_not_there_is_found(text: str, wanted: list[str]) -> None:
    assert list(find_inline_faults(text, MAKEFILE)) == wanted
