"""Signals that tell a program to end: each ends it as Ctrl-C does, and nothing cuts the tidying short."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopSignal(KeyboardInterrupt):
    """A Ctrl-C that came as another signal.

    Args:
        number: The signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def raise_on_signals() -> Iterator[list[int]]:
    """Let SIGTERM and SIGHUP interrupt the block as Ctrl-C does, instead of ending the process at once.

    A CI job that is cancelled sends SIGTERM, a terminal that is closed SIGHUP. One that is ignored, as after nohup,
    stays ignored. Signals are the main thread's: in another one nothing changes. Gives the numbers that came, for a
    caller that learns of the interruption by other means than the exception.
    """
    came: list[int] = []

    def leave(number: int, frame: FrameType | None) -> None:
        came.append(number)
        outer = before[number]
        if callable(outer):  # a block around this one, which wants to know
            outer(number, frame)
        raise StopSignal(number)

    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    changed = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in changed:
        signal.signal(number, leave)
    try:
        yield came
    finally:
        for number, handler in changed.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextmanager
def postpone_signals() -> Iterator[None]:
    """Put Ctrl-C and its like off until the block has ended, for two files that belong together."""
    if threading.current_thread() is not threading.main_thread():  # where none arrives
        yield
        return
    pending: list[int] = []
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, lambda number, frame: pending.append(number)) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, signal.SIG_DFL if old is None else old)
    for number in pending:
        if before[number] is not signal.SIG_IGN:
            raise KeyboardInterrupt if number == signal.SIGINT else StopSignal(number)


@contextmanager
def ignore_signals() -> Iterator[None]:
    """Ignore Ctrl-C and its like, for a block that does not last long."""
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, signal.SIG_DFL if old is None else old)
