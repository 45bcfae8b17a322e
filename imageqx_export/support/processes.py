"""Run a function in a process of its own: a crash there is an error here, and libraries do not meet."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from imageqx_export.errors import ArtifactError

P = ParamSpec("P")
R = TypeVar("R")


def run_isolated(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call ``function`` in a fresh process and return what it returns, or raise what it raises.

    Args:
        function: A module-level function; it, its arguments and its result must pickle.
        *args: Its arguments.
        **kwargs: Its arguments by name.

    Raises:
        ArtifactError: The process died (a segmentation fault in a runtime, or out of memory).
    """
    context = multiprocessing.get_context("spawn")  # fork would copy threads that hold locks
    with ProcessPoolExecutor(1, mp_context=context, initializer=_one_thread) as executor:
        try:
            return executor.submit(function, *args, **kwargs).result()
        except BrokenProcessPool as error:
            raise ArtifactError(
                "the process died",
                where=getattr(function, "__name__", None),
                got="a crash in native code, or no memory left",
                remedy="run it again; if it repeats, the file is bad",
            ) from error


def _one_thread() -> None:
    # One process per core already; more threads would only wait for one another. Read by OpenMP when torch loads.
    os.environ["OMP_NUM_THREADS"] = "1"


def start_pool() -> ThreadPoolExecutor:
    """Return one thread per core, each of which may wait for an isolated process."""
    return ThreadPoolExecutor(max(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2))


@contextmanager
def quiet() -> Iterator[None]:
    """Send this process's standard output and error, C++'s included, nowhere; exceptions still pass."""
    _flush()
    saved = [os.dup(1), os.dup(2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        yield
    finally:
        _flush()
        for number, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, number)
            os.close(copy)
        os.close(nowhere)


def take_last_line(text: str) -> str:
    r"""Return the last line that is not empty, without its margins; "" where there is none.

    >>> take_last_line("Traceback:\n  a line\nKeyError: 'x'\n\n")
    "KeyError: 'x'"
    """
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def _flush() -> None:
    # What Python holds back would be lost inside, or come out after.
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
