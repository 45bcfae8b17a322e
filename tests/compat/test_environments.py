"""Environments that cannot be made, and programs that crash or hang in them: one clear sentence each."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from imageqx_export.compat import environments
from imageqx_export.compat.environments import CrashError, Environment, explain_uv
from imageqx_export.errors import UnavailableError

PRINTED = {
    "error: Failed to fetch: `https://index/simple/onnxruntime/`\n  Caused by: error sending request\n"
    "  Caused by: dns error": "index does not answer",
    "error: Failed to install: numpy.whl\n  Caused by: No space left on device (os error 28)": "no space left",
    "error: Hash mismatch for `numpy==1.26.4`": "not the one that is pinned",
    "error: No interpreter found for Python 3.11 in managed installations or search path": "no such version of Python",
    "  × No solution found\n  ╰─▶ Because tflite-runtime==2.14.0 has no wheels with a matching platform": "no wheels",
    "error: something new": "something new",
    "": "no word",
}


@pytest.mark.parametrize(("printed", "meant"), PRINTED.items())
def test_what_uv_prints_becomes_one_sentence(printed: str, meant: str) -> None:
    got, remedy = explain_uv(printed)
    assert meant in got and remedy and "\n" not in got


def fake_uv(folder: Path, printed: str) -> str:
    path = folder / "uv"
    path.write_text(f"#!/bin/sh\necho '{printed}' >&2\nexit 2\n")
    path.chmod(0o755)
    return str(path)


def test_an_environment_that_uv_cannot_make_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGEQX_COMPAT", str(tmp_path / "cache"))
    monkeypatch.setattr(environments, "find_uv", lambda: fake_uv(tmp_path, "error: dns error"))
    with pytest.raises(UnavailableError, match=r"environment of x cannot be made[\s\S]*does not answer") as caught:
        Environment("x", "numpy==1.26.4\n").prepare()
    assert caught.value.remedy and "package index" in caught.value.remedy
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_a_cache_that_is_full_is_a_sentence_and_not_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Environment, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("IMAGEQX_COMPAT", str(tmp_path))
    monkeypatch.setattr(Environment, "_make", full)
    with pytest.raises(UnavailableError, match="no space left on device") as caught:
        Environment("x", "").prepare()
    assert caught.value.remedy and "make room" in caught.value.remedy


def test_another_python_is_another_environment() -> None:
    assert Environment("x", "", python="3.11").folder != Environment("x", "", python="3.12").folder
    assert "python3.12" in str(Environment("x", "", python="3.12").site)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", r"crashed \(signal 11\)"),
        ("raise SystemExit('it is broken')", "failed"),
        ("import time; time.sleep(60)", "hung"),
    ],
)
def test_a_crash_and_a_program_that_never_ends_are_told_apart_from_what_is_missing(
    tmp_path: Path, code: str, told: str
) -> None:
    script = tmp_path / "script.py"
    script.write_text(code)
    with pytest.raises(CrashError, match=told):
        Environment("x", None).call(script, {}, timeout=2.0)
