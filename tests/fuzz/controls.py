"""Parsers that go wrong, each in its way; a file of its own, as the processes that try them have little memory."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from imageqx_export.errors import ImageQXError
from tests.fuzz.parsers import Parser


def controls() -> dict[str, Callable[[], Parser]]:
    """Return parsers that go wrong at their fourth input, each in its way."""

    def make(fault: Callable[[], object]) -> Callable[[], Parser]:
        calls = iter(range(1000))

        def read(data: bytes) -> object:
            return fault() if next(calls) == 3 else None

        return lambda: Parser(read, (b"seed",))

    def refuse() -> None:
        raise ImageQXError("no such thing")

    def work_on() -> None:
        while True:
            pass

    return {
        "right": make(lambda: 1.0),
        "refuses": make(refuse),
        "raises": make(lambda: [][1]),
        "infinite": make(lambda: {"a": [float("inf")]}),
        "crashes": make(lambda: os.kill(os.getpid(), signal.SIGSEGV)),
        "waits": make(lambda: time.sleep(600)),
        "works on": make(work_on),
        "grows": make(lambda: bytearray(b"x" * 2**27)),
    }
