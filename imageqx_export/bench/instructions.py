"""Count the instructions of one inference exactly, from outside the process.

A process that infers once and one that infers three times differ by two inferences and nothing else: starting,
loading and the first inference's packing are in both. callgrind comes first, as the processor that it stands in for is
the same everywhere, so that counts compare between machines; it has no AVX-512, so the kernels may be others than those
that are timed. ``perf`` counts on the processor itself, where the kernel and a virtual machine let it.
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imageqx_export.bench.model import Instructions
from imageqx_export.errors import MeasurementError, UnavailableError
from imageqx_export.support.processes import start_pool, take_last_line

FEW, MANY = 1, 3
REPEATS = 2
ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1"}
"""A process that compiled a module and wrote it down would make the next one shorter than itself."""


@dataclass(frozen=True)
class Counter:
    """A tool that counts.

    Attributes:
        source: Its name in :class:`Instructions`.
        tool: The program.
        version: As the program says it.
        under: The command to put before the one that is counted, given the file that the tool shall write.
        read: The count, given that file's text; raises ValueError without one.
        trouble: Why the tool ended the process, given that file's text, or None where it was not the tool.
    """

    source: str
    tool: str
    version: str
    under: Callable[[Path], Sequence[str]]
    read: Callable[[str], int]
    trouble: Callable[[str], str | None] = lambda _: None


def find_counter() -> Counter:
    """Return the first counter that counts here.

    Raises:
        UnavailableError: None does; the message says why of each.
    """
    reasons = []
    for find in (_find_callgrind, _find_perf):
        try:
            return find()
        except UnavailableError as error:
            reasons.append(error.what if error.got is None else f"{error.what} ({error.got})")
    raise UnavailableError("; ".join(reasons), remedy="apt install valgrind")


def count_per_inference(
    count: Callable[[int], int], source: str, stop: Callable[[], None], repeats: int = REPEATS
) -> Instructions:
    """Return the instructions of one inference, ``(n=3 − n=1) / 2``, the median of the repetitions.

    Args:
        count: Counts a process with so many inferences; called from several threads.
        source: What counts.
        stop: Ends the processes that still run, when one fails or Ctrl-C comes.
        repeats: Repetitions, ≥ 1.

    Raises:
        MeasurementError: A process failed, or more inferences took no more instructions than fewer.
    """
    with start_pool() as threads:
        jobs = [threads.submit(count, n) for _ in range(repeats) for n in (FEW, MANY)]
        try:
            totals = [job.result() for job in jobs]
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            stop()
            raise
    each = tuple((many - few) / (MANY - FEW) for few, many in zip(totals[::2], totals[1::2], strict=True))
    if min(each) <= 0:
        raise MeasurementError(
            "the instruction counts make no sense",
            expected=f"more for {MANY} inferences than for {FEW}",
            got=str(totals),
        )
    return Instructions(count=statistics.median(each), repeats=each, source=source)


def _find_callgrind() -> Counter:
    tool = _find_program("valgrind")
    version = _read_output([tool, "--version"]).strip().removeprefix("valgrind-")
    options = ["--tool=callgrind", "--callgrind-out-file=/dev/null"]
    tried = subprocess.run([tool, *options, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        raise UnavailableError("valgrind cannot run here", got=take_last_line(tried.stderr))
    under = [tool, *options]
    return Counter(
        "callgrind", "valgrind", version, lambda file: [*under, f"--log-file={file}"], _read_callgrind, _explain_sigill
    )


def _explain_sigill(log: str) -> str | None:
    # Valgrind then gives the process SIGILL, as a processor without the instruction would.
    found = re.search(r"unhandled instruction.*", log)
    return f"valgrind does not know an instruction that is used ({found[0]})" if found else None


def _read_callgrind(log: str) -> int:
    found = re.search(r"Collected : (\d+)", log)
    if found is None:
        raise ValueError(f"no count in callgrind's log, which ends with {take_last_line(log)!r}")
    return int(found[1])


def _find_perf() -> Counter:
    tool = _find_program("perf")
    version = _read_output([tool, "--version"]).strip().removeprefix("perf version ")
    command = [tool, "stat", "-x", ",", "-e", "instructions:u"]
    tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    try:
        if tried.returncode != 0:
            raise ValueError(take_last_line(tried.stderr))
        _read_perf(tried.stderr)  # a virtual machine often has the command and no counter
    except ValueError as error:
        raise UnavailableError("perf counts no instructions here", got=str(error)) from error
    return Counter("perf", "perf", version, lambda file: [*command, "-o", str(file), "--"], _read_perf)


def _read_perf(text: str) -> int:
    for line in text.splitlines():
        fields = line.split(",")
        if len(fields) > 2 and fields[2].startswith("instructions"):
            if fields[0].isdecimal() and int(fields[0]) > 0:
                return int(fields[0])
            raise ValueError(fields[0])
    raise ValueError(f"no count in perf's output, which ends with {take_last_line(text)!r}")


def _find_program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise UnavailableError(f"{name} is not installed")
    return path


def _read_output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
