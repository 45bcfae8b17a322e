"""Parsers that go wrong, each in its way; a file of its own, as the processes that try them have little memory."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from imageqx_export.errors import ImageQXError
from tests.fuzz.changes import make_input
from tests.fuzz.parsers import Parser


def controls() -> dict[str, Callable[[], Parser]]:
    """Return parsers that go wrong at their fourth input, each in its way, whichever process it comes to."""
    seeds = (b"seed",)

    def make(name: str, fault: Callable[[], object]) -> Callable[[], Parser]:
        fourth = make_input(name, 3, seeds)
        return lambda: Parser(lambda data: fault() if data == fourth else None, seeds)

    def refuse() -> None:
        raise ImageQXError("no such thing")

    def work_on() -> None:
        while True:
            pass

    faults: dict[str, Callable[[], object]] = {
        "right": lambda: 1.0,
        "refuses": refuse,
        "raises": lambda: [][1],
        "infinite": lambda: {"a": [float("inf")]},
        "crashes": lambda: os.kill(os.getpid(), signal.SIGSEGV),
        "waits": lambda: time.sleep(600),
        "works on": work_on,
        "grows": lambda: bytearray(b"x" * 2**27),
    }
    return {name: make(name, fault) for name, fault in faults.items()}
