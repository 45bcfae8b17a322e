"""Counting: the difference of two processes, by tools that say when they cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from imageqx_export.bench import instructions
from imageqx_export.bench.instructions import count_per_inference, find_counter
from imageqx_export.errors import MeasurementError, UnavailableError


def nothing() -> None:
    """Stop nothing."""


def test_an_inference_is_half_the_difference() -> None:
    found = count_per_inference(lambda n: 5_000 + 700 * n, "fake", nothing, repeats=3)
    assert (found.count, found.repeats, found.source, found.spread) == (700.0, (700.0,) * 3, "fake", 0.0)


def test_the_median_and_the_spread_of_repetitions() -> None:
    lock, seen = threading.Lock(), list[int]()

    def count(n: int) -> int:
        with lock:
            seen.append(n)
            extra = {1: 0, 3: 20 * seen.count(3)}[n]
        return 1_000 + 100 * n + extra

    found = count_per_inference(count, "fake", nothing, repeats=3)
    assert sorted(found.repeats) == [110.0, 120.0, 130.0] and found.count == 120.0
    assert found.spread == pytest.approx(20 / 120)
    assert sorted(seen) == [1, 1, 1, 3, 3, 3]


def test_counts_that_make_no_sense_are_refused() -> None:
    with pytest.raises(MeasurementError, match="make no sense"):
        count_per_inference(lambda n: 1_000 - n, "fake", nothing)


@pytest.mark.parametrize("failure", [MeasurementError("broken"), KeyboardInterrupt()])
def test_a_failure_stops_the_others(failure: BaseException) -> None:
    stopped = threading.Event()

    def count(n: int) -> int:
        if n == 1:
            raise failure
        assert stopped.wait(20), "nobody stopped the other process"
        raise MeasurementError("was stopped")

    with pytest.raises(type(failure)) as caught:
        count_per_inference(count, "fake", stopped.set)
    assert caught.value is failure and stopped.is_set()


def loop(times: int) -> list[str]:
    return ["sh", "-c", f"i=0; while [ $i -lt {times} ]; do i=$((i+1)); done"]


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_callgrind_counts_exactly(tmp_path: Path) -> None:
    counter = find_counter()
    assert counter.source == "callgrind" and counter.version[0].isdigit()

    def count(n: int) -> int:
        log = tmp_path / f"log{n}"
        subprocess.run([*counter.under(log), *loop(1_000 * n)], check=True)
        return counter.read(log.read_text())

    one, two, three = count(1), count(2), count(3)
    assert three - two == two - one > 1_000 * 10, "a loop's turns take the same instructions each"


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Give a function that puts a shell script on an otherwise empty PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def install(name: str, body: str) -> None:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    return install


def test_nothing_that_counts(tools: Callable[[str, str], None]) -> None:
    with pytest.raises(UnavailableError) as caught:
        find_counter()
    assert caught.value.what == "valgrind is not installed; perf is not installed"
    assert caught.value.remedy is not None and "valgrind" in caught.value.remedy


# As perf 6.1 prints it, in a virtual machine without and with counters.
UNSUPPORTED = 'echo "<not supported>,,instructions:u,0,100.00,," >&2'
SUPPORTED = """while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; shift; done
line="# started on Sat Nov 21 08:00:00 2026

1234567,,instructions:u,2200413,100.00,,"
if [ -n "$out" ]; then echo "$line" > "$out"; else echo "$line" >&2; fi"""


def test_perf_that_counts_nothing_is_no_counter(tools: Callable[[str, str], None]) -> None:
    tools("perf", f'[ "$1" = --version ] && echo perf version 6.1 || {UNSUPPORTED}')
    tools("valgrind", '[ "$1" = --version ] && echo valgrind-3.19.0 || { echo "no memory" >&2; exit 1; }')
    with pytest.raises(UnavailableError) as caught:
        find_counter()
    assert caught.value.what == (
        "valgrind cannot run here (no memory); perf counts no instructions here (<not supported>)"
    )


def test_perf_where_there_is_no_valgrind(tools: Callable[[str, str], None], tmp_path: Path) -> None:
    tools("perf", f'if [ "$1" = --version ]; then echo perf version 6.1.159; else {SUPPORTED}\nfi')
    counter = find_counter()
    assert (counter.source, counter.tool, counter.version) == ("perf", "perf", "6.1.159")
    subprocess.run([*counter.under(tmp_path / "log"), "whatever"], check=True)
    assert counter.read((tmp_path / "log").read_text()) == 1234567
    with pytest.raises(ValueError, match="<not counted>"):
        counter.read("<not counted>,,instructions:u,0,0.00,,\n")
    with pytest.raises(ValueError, match="no count"):
        counter.read("perf: out of memory\n")


def test_an_instruction_that_valgrind_does_not_know(tools: Callable[[str, str], None]) -> None:
    tools("valgrind", "[ $1 = --version ] && echo valgrind-3.19.0; exit 0")
    counter = find_counter()
    log = "==1== x\nvex amd64->IR: unhandled instruction bytes: 0x62 0xF1\n==1== SIGILL"
    assert "unhandled instruction bytes: 0x62 0xF1" in (counter.trouble(log) or "")
    assert counter.trouble("==1== all is well") is None
    with pytest.raises(ValueError, match="SIGILL"):
        counter.read(log)


def test_counted_processes_write_no_modules_down() -> None:
    assert instructions.ENVIRONMENT == {"PYTHONDONTWRITEBYTECODE": "1"}
    assert (instructions.FEW, instructions.MANY) == (1, 3) and instructions.REPEATS >= 2
    assert os.environ.get("PATH")
