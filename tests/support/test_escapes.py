"""Text from files in each medium: it is shown, and does nothing."""

from __future__ import annotations

import io
import re

import pytest
from rich.table import Table

from imageqx_export.cli.show import console
from imageqx_export.errors import ImageQXError
from imageqx_export.support.escapes import escape_markdown, show_controls

HOSTILE = (
    "[red]a.tflite",
    "[/x]",
    "[link=file:///etc]x",
    ":smile:",
    "a\x1b[31mb",
    "a\x9b2J",
    "a\rb",
    "\u202egnp.a",
    "\x00",
)
# What GitHub makes links and mentions of, in text nodes, after Markdown: its documentation of autolinked references.
LINKED = re.compile(
    r"(?i)(?<![\w`])@[a-z0-9]|\bwww\.|\b(?:https?|ftp)://|\bGH-[0-9]|#[0-9]|[\w.]@[\w]|\b(?:mailto|xmpp):[^\u200b]"
)
LINKING = (
    "@octocat",
    "(@org/team)",
    "www.a.b",
    "http://a.b",
    "HTTPS://a.b",
    "ftp://a",
    "GH-1",
    "gh-12",
    "#1",
    "o/r#1",
    "a@b.c",
    "mailto:a",
)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    file = io.StringIO()
    plain = console._PlainConsole(file=file, width=200, force_terminal=True, color_system="standard")
    monkeypatch.setattr(console, "out", plain)
    monkeypatch.setattr(console, "err", plain)
    return file


@pytest.mark.parametrize("text", HOSTILE)
def test_the_terminal_shows_what_is_there(terminal: io.StringIO, text: str) -> None:
    table = Table(title=text)
    table.add_column(text)
    table.add_row(text)
    console.out.print(table)
    console.out.print(text, highlight=False)
    console.out.print(console.join(console.style(text, "bold red"), text))
    console.print_error(ImageQXError(text))
    console.note(text)
    shown = terminal.getvalue()
    own = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert own.count(show_controls(text)) == 8
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", own)
    assert "\x1b[31mb" not in shown


@pytest.mark.parametrize("text", LINKING)
def test_markdown_links_to_nobody(text: str) -> None:
    import html

    assert LINKED.search(text), "the pattern sees nothing: the test proves nothing"
    shown = html.unescape(re.sub(r"\\(?=[^\w\s])", "", escape_markdown(f"see {text} there")))
    assert not LINKED.search(shown)
    assert shown.replace("\u200b", "") == f"see {text} there", "it reads as before"
