"""Where there is no Swift compiler it is said, and the weaker proof is run."""

from __future__ import annotations

import pytest

from imageqx_export.errors import DeviceError
from tests.ios import prove, toolchain


def answer_pytest(code: int, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Give this exit code in pytest's place; return what it is asked."""
    asked: list[list[str]] = []

    def run(arguments: list[str]) -> int:
        asked.append(arguments)
        return code

    monkeypatch.setattr(pytest, "main", run)
    return asked


def test_the_fallback_is_loud(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = answer_pytest(3, monkeypatch)

    def refuse() -> list[str]:
        raise DeviceError("no mount namespace can be made here")

    monkeypatch.setattr(toolchain, "find_command", refuse)
    assert prove.prove(["tests/slow/any.py"]) == 3, "a file that does not parse fails the weaker proof too"
    assert asked == [[prove.PARSED, "-q"]]
    printed = capsys.readouterr().err
    assert "NO SWIFT HERE" in printed and "no mount namespace" in printed and "WEAKER PROOF" in printed


def test_with_a_compiler_it_is_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = answer_pytest(0, monkeypatch)
    monkeypatch.setattr(toolchain, "find_command", lambda: ["unshare"])
    monkeypatch.setattr(toolchain, "find_root", lambda: "root")
    assert prove.prove(["tests/slow/any.py"]) == 0
    assert asked == [["tests/slow/any.py"]] and capsys.readouterr().err == ""
