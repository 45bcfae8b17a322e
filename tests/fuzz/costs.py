"""What trying an input costs a process: time that others cannot take from it, and memory."""

from __future__ import annotations

import resource
import time
from contextlib import suppress
from pathlib import Path

import psutil

POLL = 0.05
"""Seconds between two looks."""


class Watch:
    """A watch of how long an input takes: processor time, or waiting; not the time that others had the processor."""

    def __init__(self) -> None:
        self._number, self._used, self._waited, self._looked = -1, 0.0, 0.0, time.monotonic()

    def look(self, process: int, number: int, before: float) -> float:
        """Return the seconds of the input of that number, which a process began with ``before`` seconds used."""
        now = time.monotonic()
        passed, self._looked = min(now - self._looked, 2 * POLL), now  # a late look has not seen what was meanwhile
        try:
            one = psutil.Process(process)
            used, waiting = float(sum(one.cpu_times()[:4])), one.status() != psutil.STATUS_RUNNING
        except psutil.Error:
            return 0.0  # it has ended, which is seen elsewhere
        if number != self._number:
            self._number, self._waited = number, 0.0
        elif waiting and used == self._used:
            self._waited += passed
        self._used = used
        return max(used - before, self._waited)


def read_used() -> float:
    """Return this process's seconds of processor time, with those of children that have ended."""
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return float(own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime)


def read_resident(process: int) -> int:
    """Return the bytes that a process has resident, or 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def forget_peak() -> None:
    """Let the most that this process had resident count from now on."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def read_peak() -> int:
    """Return the most bytes that this process had resident since then, or 0 where the system does not say."""
    with suppress(OSError), open("/proc/self/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
