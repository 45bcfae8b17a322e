"""Run a function in a process of its own: a crash there is an error here, and libraries do not meet.

No process outlives its parent, however that ends: each is told by the kernel, or sees it; and whatever interrupts the
parent, Ctrl-C first of all, ends those that it waits for.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from imageqx_export.errors import ArtifactError
from imageqx_export.support import tied
from imageqx_export.support.folders import temporary_folder
from imageqx_export.support.tied import PR_SET_PDEATHSIG

P = ParamSpec("P")
R = TypeVar("R")

TIED = Path(tied.__file__)
"""A script that becomes another program, for processes that start programs themselves."""
_SECONDS_TO_TIDY = 30.0  # of a process that has given its answer
_group = threading.local()  # the group of processes that a pool's thread belongs to


class _Group:
    """The processes that the threads of one pool wait for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[BaseProcess] = set()
        self._stopped = False

    def start(self, process: BaseProcess) -> None:
        with self._lock:
            if self._stopped:
                raise ArtifactError("the work was stopped")
            process.start()
            self._running.add(process)

    def end(self, process: BaseProcess, seconds: float) -> None:
        """Wait that long for a process to end by itself, and kill it then."""
        try:
            process.join(seconds)
        finally:
            with self._lock:  # so that stop() never kills a process id that somebody else has by now
                process.kill()  # does nothing to one that has ended
                process.join()
                self._running.discard(process)

    def stop(self) -> None:
        """Kill every process that still runs, and start no more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.kill()


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
    receiver, sender = context.Pipe(duplex=False)
    group: _Group = getattr(_group, "value", None) or _Group()
    seconds = 0.0
    asked, asking = context.Pipe(duplex=False)
    with temporary_folder("work") as scratch, receiver, asking:
        # Not among the arguments of Process: start() writes those to a pipe of which it holds both ends, and would wait
        # for ever for a process that dies before it has read more than the pipe holds.
        process = context.Process(target=_answer, args=(asked, sender, scratch))
        with asked, sender:
            group.start(process)
        try:
            with suppress(BrokenPipeError):  # it has died, as the other pipe says
                asking.send((function, args, kwargs))
            answer = receiver.recv_bytes()
            seconds = _SECONDS_TO_TIDY
        except EOFError as error:
            raise _describe_death(getattr(function, "__name__", None)) from error
        finally:
            group.end(process, seconds)
    succeeded, value = pickle.loads(answer)  # from a process of our own
    if succeeded:
        result: R = value
        return result
    raise value


def _describe_death(where: str | None) -> ArtifactError:
    return ArtifactError(
        "the process died",
        where=where,
        got="a crash in native code, or no memory left",
        remedy="run it again; if it repeats, the file is bad",
    )


def _answer(asked: Connection, sender: Connection, scratch: Path) -> None:
    start_worker(1)
    # What converters leave in temporary folders when they are killed goes with this one.
    os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)
    answer: tuple[bool, Any]
    try:
        function, args, kwargs = asked.recv()  # from a process of our own
        answer = True, function(*args, **kwargs)
    except BaseException as error:
        error.add_note("in a process of its own:\n" + "".join(traceback.format_exception(error)))
        answer = False, error
    try:
        sent = pickle.dumps(answer)
        pickle.loads(sent)
    except Exception as error:  # a result or an exception of a library that does not pickle
        sent = pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}; of {answer[1]!r:.200}")))
    sender.send_bytes(sent)


def start_worker(threads: int) -> None:
    """Prepare a process that works for another one: it ends with it, and Ctrl-C is the other one's to hear.

    Args:
        threads: How many the numerical libraries may use: one process per core already, and more would only wait for
            one another. Read by OpenMP when torch loads.
    """
    os.environ["OMP_NUM_THREADS"] = str(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":  # at once, whatever native code is running
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_end_with_parent, daemon=True).start()  # elsewhere, and if it has died already


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def tie_to_parent(command: Sequence[str]) -> list[str]:
    """Return a command that does the same, and ends when this process does, even by SIGKILL; elsewhere than on Linux
    the same command.

    The kernel ends it with the thread that starts it, which must therefore wait for it; what the program starts itself
    is not tied. A program that cannot be started is an exit status of 127, as a shell's. See :mod:`.tied`, which the
    started process is for some milliseconds: Python's ``preexec_fn`` would do without, but forks a process in whose
    threads anything may be going on.
    """
    if sys.platform != "linux":
        return list(command)
    # Without the user's and the site's own modules, which take longer than all the rest.
    return [sys.executable, "-I", "-S", str(TIED), str(os.getpid()), *command]


@contextmanager
def start_pool(count: int | None = None) -> Iterator[ThreadPoolExecutor]:
    """Give threads, each of which may wait for an isolated process.

    Whatever leaves the block as an exception ends those processes; what has not begun never does.

    Args:
        count: How many; None for one per core, and two at least.
    """
    group, count = _Group(), count or max(2, count_cores())
    with ThreadPoolExecutor(count, initializer=setattr, initargs=(_group, "value", group)) as threads:
        try:
            yield threads
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            group.stop()
            raise


@contextmanager
def start_process_pool(
    count: int, initializer: Callable[..., None] | None = None, initargs: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """Give processes that stay for several calls; whatever leaves the block as an exception ends them at once.

    Args:
        count: How many.
        initializer: Called in each, first of all.
        initargs: Its arguments.

    Raises:
        ArtifactError: A process died (a segmentation fault in a runtime, or out of memory).
    """
    context = multiprocessing.get_context("spawn")  # fork would copy threads that hold locks
    with temporary_folder("pool") as scratch:
        # In a file and not among the initializer's arguments, for the same reason as in run_isolated.
        given = scratch / "initargs.pickle"
        given.write_bytes(pickle.dumps((initializer, initargs)))
        with ProcessPoolExecutor(
            count, mp_context=context, initializer=_start_in_pool, initargs=(str(given),)
        ) as executor:
            try:
                yield executor
            except BaseException as error:
                # Python 3.14 has kill_workers() for this; before, nothing public ends a call that has begun.
                running = list((getattr(executor, "_processes", None) or {}).values())
                executor.shutdown(wait=False, cancel_futures=True)
                for process in running:
                    process.kill()
                if isinstance(error, BrokenProcessPool):
                    raise _describe_death(None) from error
                raise


def _start_in_pool(given: str) -> None:
    start_worker(1)
    initializer, initargs = pickle.loads(Path(given).read_bytes())  # from a process of our own
    if initializer is not None:
        initializer(*initargs)


def count_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
