"""Every Swift file parses, and broken twins do not: all that is known of them where there is no Swift compiler."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ios.syntax import DEMO, find_syntax_errors, list_sources

PAIR = (DEMO / "PhotoCheck" / "PhotoCheckApp.swift").read_text()


def test_there_are_files() -> None:
    assert len(list_sources()) > 50


@pytest.mark.parametrize("path", list_sources(), ids=lambda path: str(path.relative_to(DEMO)))
def test_a_file_parses(path: Path) -> None:
    assert find_syntax_errors(path.read_bytes()) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("struct PhotoCheckApp: App {", "struct PhotoCheckApp: App"),
        ("WindowGroup {", "WindowGroup {{"),
        ("for await _ in", "for await _ on"),
        ("session: session)", "session: session"),
        ("var body: some Scene", "var body some Scene"),
        ("let session: Session", "let session: "),
    ],
)
def test_a_broken_twin_does_not(old: str, new: str) -> None:
    assert PAIR.count(old) >= 1 and find_syntax_errors(PAIR.encode()) == []
    errors = find_syntax_errors(PAIR.replace(old, new, 1).encode())
    assert errors and all(error.startswith("line ") for error in errors)
