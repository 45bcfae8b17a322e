"""Every measured number of README and the site has its command and its date, and one without is found."""

from __future__ import annotations

import pytest

from website.examples import list_pages
from website.figures import find_unsourced, split_page

NOT_HELD = {
    "CHANGELOG.md": "tells what changed; its numbers are those of the pages",
    "CONTRIBUTING.md": "rules",
    "SECURITY.md": "promises",
}


def test_every_figure_has_its_command_and_its_date() -> None:
    found = []
    for page in list_pages():
        if page.name not in NOT_HELD:
            rows = find_unsourced(page.read_text(encoding="utf-8"))
            found += [f"{page.name}:{line}: {figure}: {missing}" for line, figure, missing in rows]
    assert not found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("It takes 3.1 ms.", [(1, "3.1 ms", "no command, no date")]),
        ("`make bench`: 3 ms.", [(1, "3 ms", "no date")]),
        ("On 30 November 2026 it took 0.43 × as long.", [(1, "0.43 ×", "no command")]),
        ("`make bench`, 2026-11-30: 3 ms.", []),
        ("# a\n\n`make bench`, 2026-11-30: 3 ms.\n\n## b\n\nThere 4 ms.", [(7, "4 ms", "no command")]),
        ("All on 2026-11-30.\n\n# a\n\n`make bench`: 3 ms.\n", []),
        ("| a | b |\n|---|---|\n| x | 3 |\n\n`make bench`, 2026-11-30.", []),
        ("| a | b |\n|---|---|\n| x | 3 |\n\nwords\n\n`make bench`, 2026-11-30.", [(1, "3", "no command, no date")]),
        ("| a | b |\n|---|---|\n| x | **12 off** |", [(1, "**12 off**", "no command, no date")]),
        ("| a | b |\n|---|---|\n| x | fp32 |", []),
        ("At most 20 seconds, or 224 × 224 pixels, of version 1.2.", []),
        ("The limit of 0.5 % is in `budgets/budgets.toml`.", []),
        ("```text\n3 ms\n```", []),
        ("- 98 % are right.", [(1, "98 %", "no command, no date")]),
    ],
)
def test_what_lacks_one_is_found(text: str, wanted: list[tuple[int, str, str]]) -> None:
    assert list(find_unsourced(text)) == wanted


def test_a_page_is_split_where_markdown_splits_it() -> None:
    text = "# a\n\nb\nc\n- d\n\n```sh\n\n- e\n```\n| f |\n"
    assert [(part.line, part.text) for part in split_page(text)] == [
        (1, "# a"),
        (3, "b\nc"),
        (5, "- d"),
        (7, "```sh\n\n- e\n```"),
        (11, "| f |"),
    ]
