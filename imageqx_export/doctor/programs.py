"""Programs of other people's that parts of the package start."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from typing import NamedTuple

from imageqx_export.doctor.model import Finding, State

SECONDS = 10.0
"""How long a program may take to say its version."""


_COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # Maven colours its name even into a pipe


class Program(NamedTuple):
    """A program that something needs.

    Args:
        group: What it belongs to.
        names: Under which it may be installed, the first found counts.
        asked: The argument that makes it print its version.
        stops: What cannot be done without it.
        remedy: How to get it.
    """

    group: str
    names: tuple[str, ...]
    asked: str
    stops: str
    remedy: str


PROGRAMS = (
    Program("bench", ("adb",), "--version", "bench --target adb:SERIAL", "apt install adb"),
    Program("bench", ("xcrun",), "--version", "bench --target ios:UDID", "install Xcode, on a Mac"),
    Program("bench", ("gcc",), "--version", "building the emulated phones' qemu", "apt install gcc"),
    Program("android", ("javac",), "-version", "make test-android", "apt install openjdk-17-jdk-headless"),
    Program("android", ("mvn",), "--version", "make test-android", "apt install maven"),
    Program("ios", ("chroot",), "--version", "make test-ios", "apt install coreutils"),
    Program("ios", ("unshare",), "--version", "make test-ios", "apt install util-linux"),
    Program("checks", ("chromium", "google-chrome"), "--version", "make test-report", "apt install chromium"),
    Program("checks", ("node",), "--version", "make lint-ci", "apt install nodejs"),
    Program("checks", ("npm",), "--version", "make lint-ci", "apt install npm"),
    Program("checks", ("git",), "--version", "the commit's name in a benchmark's history", "apt install git"),
    Program("checks", ("valgrind",), "--version", "instructions counted on the host", "apt install valgrind"),
)


def examine_program(program: Program, *, which: Callable[[str], str | None] = shutil.which) -> Finding:
    """Look for a program, and ask its version.

    Args:
        program: What to look for.
        which: Returns a program's path by its name, or None.
    """
    part = program.names[0]
    path = next((found for name in program.names if (found := which(name))), None)
    if path is None:
        return Finding(
            group=program.group,
            part=part,
            state=State.MISSING,
            detail=f"no {' or '.join(program.names)} on the PATH",
            stops=program.stops,
            remedy=program.remedy,
        )
    return Finding(group=program.group, part=part, state=State.READY, detail=_ask(path, program.asked))


def run_briefly(command: list[str]) -> str:
    """Return what a command prints, on both streams.

    Raises:
        subprocess.TimeoutExpired: It took longer than ``SECONDS``, and was killed.
        OSError: It cannot be started.
    """
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
    )
    return f"{done.stdout}\n{done.stderr}"


def _ask(path: str, argument: str) -> str:
    """Return the first line that a program prints of its version, or its path where it prints none."""
    try:
        text = run_briefly([path, argument])
    except subprocess.TimeoutExpired:
        return f"{path}, which did not say its version within {SECONDS:g} s"
    lines = [line.strip() for line in _COLOURS.sub("", text).splitlines() if line.strip()]
    return lines[0][:80] if lines else path
