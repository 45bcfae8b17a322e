"""Standard streams that are closed, that nobody reads any more, or that cannot say every character."""

from __future__ import annotations

import io
import os
import select
import sys

CLOSED = 141
"""The exit code of a program that writes to a closed pipe, as a shell tells it: 128 and SIGPIPE."""


def prepare() -> None:
    """Open what is closed nowhere, so that no file takes its number, and let no character end the program."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != number:
            os.dup2(nowhere, number)
            os.close(nowhere)
        setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def finish(code: int) -> int:
    """Write out what is held back, and return the exit code: ``code``, or :data:`CLOSED` where nobody reads it."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except BrokenPipeError:
            discard(number)
            code = CLOSED
        except OSError as error:
            discard(number)
            code = code or 1
            if number == 1:
                print(f"error: standard output: {error.strerror}", file=sys.stderr)
    # Click ends with 1 where a pipe is closed, which here means that something failed.
    return CLOSED if code == 1 and _is_closed(1) else code


def discard(number: int) -> None:
    """Send what is still written to a stream of this number nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def _is_closed(number: int) -> bool:
    if type(sys.stdout).__name__ != "PacifyFlushWrapper" or not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(number, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
