"""Processes that try inputs: watched from outside, ended where an input takes too long or too much, and replaced."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import SynchronizedArray
from typing import TYPE_CHECKING, Any

from tests.fuzz.costs import POLL, Watch, forget_peak, read_peak, read_resident, read_used

if TYPE_CHECKING:
    from tests.fuzz.parsers import Parser

SETUP_SECONDS = 600.0
CHUNK = 500
Table = Callable[[], "dict[str, Callable[[], Parser]]"]


@dataclass(frozen=True)
class Limits:
    """What one input may cost, however busy the machine is.

    Args:
        seconds: The most processor time that it may take, and the most that it may wait for anything else.
        memory: The most bytes that a process may have resident while it tries it, libraries included.
    """

    seconds: float = 10.0
    memory: int = 2**30


@dataclass(frozen=True)
class Fault:
    """An input that is neither accepted rightly nor refused in words.

    Args:
        parser: Whose.
        number: Of the input; ``make_input`` makes it again.
        kind: ``"traceback"``, ``"wrong"``, ``"crash"``, ``"hang"`` or ``"memory"``.
        what: The exception, or the signal.
    """

    parser: str
    number: int
    kind: str
    what: str


@dataclass
class Row:
    """What came of a parser's inputs.

    Args:
        tried: How many.
        refused: In one of the project's own errors.
        died: Of those, how many crashed a process that the project, too, has for them alone, and says so.
        accepted: And what came back was finite.
        faults: Everything else.
        seconds: The most processor time that one took.
        memory: The most resident bytes of a process meanwhile.
    """

    tried: int = 0
    refused: int = 0
    died: int = 0
    accepted: int = 0
    faults: list[Fault] = field(default_factory=list)
    seconds: float = 0.0
    memory: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON's values."""
        return {**asdict(self), "faults": [asdict(fault) for fault in self.faults]}


def try_all(
    names: Sequence[str], counts: Mapping[str, int], workers: int, table: Table, limits: Limits = Limits()
) -> Iterator[tuple[str, Row]]:
    """Try inputs of parsers, in processes side by side; yield each parser's row when it has all its inputs.

    Args:
        names: The parsers', of those in the table.
        counts: Inputs by name.
        workers: How many processes.
        table: Gives what makes each parser, by name; a function of a module.
        limits: Of an input.
    """
    with tempfile.TemporaryDirectory(prefix="imageqx-fuzz-") as folder:
        yield from _try_all(names, counts, [Worker(table, limits, folder) for _ in range(workers)])


def _try_all(names: Sequence[str], counts: Mapping[str, int], crew: Sequence[Worker]) -> Iterator[tuple[str, Row]]:
    rows = {name: Row() for name in names}
    chunks = [(n, k, min(k + CHUNK, counts[n])) for n in names for k in range(0, counts[n], CHUNK)]
    waiting, open_ones = chunks[::-1], Counter(name for name, _, _ in chunks)
    try:
        while any(open_ones.values()):
            for worker in crew:
                if worker.chunk is None and waiting:
                    worker.give(waiting.pop())
                done = worker.look(rows)
                if done is not None:
                    open_ones[done] -= 1
                    if open_ones[done] == 0:
                        yield done, rows[done]
            time.sleep(POLL)
    finally:
        for worker in crew:
            worker.end()


class Worker:
    """A process that tries chunks of inputs, and its successors."""

    def __init__(self, table: Table, limits: Limits, folder: str) -> None:
        self._table, self._limits, self._folder = table, limits, folder
        self.chunk: tuple[str, int, int] | None = None
        self._process: Any = None
        self._of = ""
        self._watch = Watch()

    def give(self, chunk: tuple[str, int, int]) -> None:
        """Let it try the inputs of a parser from one number up to another."""
        self.chunk = chunk
        large = self._process is not None and read_resident(self._process.pid) > self._limits.memory // 2
        if large and self._of != chunk[0]:
            self.end()  # the libraries of one parser are not the next one's bytes
        self._of = chunk[0]
        if self._process is None:
            self._start()
        self._given, self._last, self._watch = time.monotonic(), -1, Watch()
        self._now[0] = 0.0
        self._pipe.send(chunk)

    def look(self, rows: Mapping[str, Row]) -> str | None:
        """Take what it has found, end it where it must be ended; return the parser's name if the chunk is done."""
        if self.chunk is None:
            return None
        name, _, end = self.chunk
        row = rows[name]
        if self._take(row):
            return name
        started, took = self._measure()
        memory = read_resident(self._process.pid)
        most = self._limits.seconds if started else SETUP_SECONDS
        if self._process.is_alive() and took < most and memory < self._limits.memory:
            return None
        code = self._process.exitcode
        self._process.kill()
        self._process.join()
        if self._take(row):
            self.end()
            return name
        number, apart = int(self._now[1]), bool(self._now[2])
        if not started:
            had = f"exit code {code} after {took:.0f} s with {memory >> 20} MiB"
            raise RuntimeError(f"{name} cannot be set up: {had}; try it in this process, or with more workers")
        kind = "crash" if code is not None else "memory" if memory >= self._limits.memory else "hang"
        what = {"crash": _name_exit(code or 0), "memory": f"{memory:,} bytes", "hang": f"{took:.0f} s"}[kind]
        self.end()
        if number > self._last:  # else it was between two inputs, and has grown by degrees
            row.seconds, row.memory = max(row.seconds, took), max(row.memory, memory)
            _note(row, Fault(name, number, kind, what), apart=apart)
        self.chunk = None
        if number + 1 == end:
            return name
        self.give((name, number + 1, end))
        return None

    def _take(self, row: Row) -> bool:
        """Take what the process has found since; say whether its chunk is done."""
        assert self.chunk is not None
        with suppress(EOFError, ConnectionResetError):  # it died, and is replaced
            while self._pipe.poll():
                number, kind, what, seconds, memory = self._pipe.recv()
                row.seconds, row.memory = max(row.seconds, seconds), max(row.memory, memory)
                if number < 0:
                    self.chunk = None
                    return True
                self._last = number
                _note(row, Fault(self.chunk[0], number, kind, what))
        return False

    def _measure(self) -> tuple[bool, float]:
        """Return whether an input is being tried, and for how long it, or the set-up, takes already."""
        began, number, before = self._now[0], int(self._now[1]), self._now[3]
        if not began:
            return False, time.monotonic() - self._given
        return True, self._watch.look(self._process.pid, number, before)

    def end(self) -> None:
        """Kill it; the next chunk gets a new one."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
            self._process = None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        # Whether an input has begun, its number, whether apart, the processor time before it.
        self._now: SynchronizedArray[float] = context.Array("d", 4)
        self._pipe, other = context.Pipe()
        self._process = context.Process(
            target=work, args=(other, self._now, self._table, self._limits, self._folder), daemon=True
        )
        self._process.start()
        other.close()


def _note(row: Row, found: Fault, *, apart: bool = False) -> None:
    row.tried += 1
    if found.kind == "accepted":
        row.accepted += 1
    elif found.kind == "refused" or (apart and found.kind == "crash"):
        row.refused += 1
        row.died += found.kind == "crash"
    else:
        row.faults.append(found)


def _name_exit(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"exit code {code}"


def work(pipe: Connection, now: Any, table: Table, limits: Limits, folder: str) -> None:
    """Try the chunks that come through the pipe; what ``now`` says is what is being tried."""
    from imageqx_export.support.processes import start_worker
    from tests.fuzz.changes import make_input
    from tests.fuzz.parsers import refuse_wrong_seeds, try_input

    start_worker(1)
    os.environ["TMPDIR"] = tempfile.tempdir = folder  # what a process leaves that is killed goes with the suite's
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    nowhere = os.open(os.devnull, os.O_WRONLY)  # what native code prints of a stranger's file
    told = os.fdopen(os.dup(2), "w")
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    sys.stderr = told  # what is wrong with this suite itself
    parsers = table()
    ready: dict[str, Any] = {}
    while True:
        try:
            name, begin, end = pipe.recv()
        except EOFError:
            return
        now[0] = 0.0
        if name not in ready:
            ready[name] = parsers[name]()
            refuse_wrong_seeds(name, ready[name])
        parser = ready[name]
        now[2] = parser.apart
        for number in range(begin, end):
            data = make_input(name, number, parser.seeds, parser.repair)
            forget_peak()
            now[3] = before = read_used()
            now[1], now[0] = number, 1.0
            kind, what = try_input(parser, data)
            took, memory = read_used() - before, read_peak()
            if memory > limits.memory and kind in ("accepted", "refused"):
                kind, what = "memory", f"{memory:,} bytes"
            pipe.send((number, kind, what, took, memory))
        now[0] = 0.0
        pipe.send((-1, "", "", 0.0, 0))
