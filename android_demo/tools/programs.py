"""Run a program and keep what it says."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

SECONDS = 1800.0
"""Longest that any program may take."""


def run_program(
    command: Sequence[object], *, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, whatever its exit code.

    Args:
        command: The program and its arguments.
        environment: Variables that are added to this process's own.
        folder: Where it runs; here, unless given.
    """
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, **(environment or {})},
        cwd=folder,
        timeout=SECONDS,
        check=False,
    )


def run_or_raise(
    command: Sequence[object], error: type[Exception], what: str, *, environment: Mapping[str, str] | None = None
) -> str:
    """Run a program; return its standard output, or raise ``error`` with all that it said if it fails."""
    done = run_program(command, environment=environment)
    if done.returncode:
        raise error(f"{what}: exit code {done.returncode}\n{(done.stdout + done.stderr).strip()}")
    return done.stdout
