"""Runs of commands that are killed: started apart, looked at from outside, and nothing of them left at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from imageqx_export.support.files import digest
from tests.fuzz.costs import POLL, Watch
from tests.slow.kill_commands import Command

STOPPED = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}
"""The exit code of a command that such a signal ended, once it is up."""


def start_line(words: Sequence[str | Path]) -> list[str]:
    """Return what starts a command in a process that is Python's alone, without a script of its own."""
    return [sys.executable, "-c", "from imageqx_export.cli import main; main()", *map(str, words)]


@contextmanager
def started(command: list[str], temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a command in a group of its own; nothing of it is left at the end, whatever was found."""
    temporary.mkdir(exist_ok=True)
    process = subprocess.Popen(
        command,
        env={**os.environ, "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run(command: list[str], temporary: Path) -> tuple[int, str, float]:
    """Run a command to its end: its exit code, standard error and seconds."""
    began = time.monotonic()
    with started(command, temporary) as process:
        _, errors = process.communicate(timeout=3600)
    return process.returncode, errors, time.monotonic() - began


def kill_after(printed: str, line: list[str], temporary: Path, number: signal.Signals) -> None:
    """Start a command, and send it a signal when it has written a line that begins so to standard error."""
    with started(line, temporary) as process:
        assert process.stderr is not None
        for text in process.stderr:
            if text.startswith(printed):
                break
        process.send_signal(number)
        process.communicate(timeout=300)
        assert process.returncode in (STOPPED[number], -number), "it was not killed"


def end_by(number: signal.Signals, process: subprocess.Popen[str]) -> tuple[str, float]:
    """Send a signal, and return what a command says on standard error and the seconds that it takes to end.

    They are processor time, or waiting: how busy the machine is does not count.
    """
    took, before, watch, deadline = 0.0, 0.0, Watch(), time.monotonic() + 300
    with suppress(psutil.Error):
        before = sum(psutil.Process(process.pid).cpu_times()[:4])
    process.send_signal(number)
    while True:
        try:
            return process.communicate(timeout=POLL)[1], took
        except subprocess.TimeoutExpired:
            took = max(took, watch.look(process.pid, 0, before))
            assert time.monotonic() < deadline, "it does not end"


def list_left(out: Path, temporary: Path) -> list[Path]:
    """Return what is left of ours: not the file that writers of a history take turns by, nor torch's own cache."""
    hidden = [path for path in out.rglob(".*") if path.name != ".history.jsonl.lock"]
    return [*hidden, *temporary.glob("imageqx-*")]


def describe(folder: Path) -> dict[str, str]:
    """Return the digest of every file that somebody can see; what is being written has a name with a dot."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    shown = [path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    return {str(path.relative_to(folder)): digest(path) for path in shown}


def describe_output(command: Command, out: Path) -> dict[str, str]:
    """Return what must be the same after a kill: the output, whole, and what others have put beside it."""
    if command.describe is None:
        return describe(out)
    others = {name: value for name, value in describe(out).items() if name.startswith("theirs")}
    return {**command.describe(out), **others}


def add_foreign(out: Path) -> None:
    """Put a file and a folder of somebody else's there."""
    (out / "theirs").mkdir()
    (out / "theirs.txt").write_text("theirs")
    (out / "theirs" / "notes.txt").write_text("theirs, too")
