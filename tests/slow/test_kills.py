"""Commands that are killed, out of space, refused or doubled: nothing is lost or orphaned, the next run succeeds.

``make test-kill`` runs it: IMAGEQX_KILLS is how many kills of each signal a quick command gets, IMAGEQX_KILLS_TWELVE
likewise an export of twelve artifacts, IMAGEQX_KILLS_JSON a file for the table that is printed at the end.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from tests.slow.kill_commands import COMMANDS, RESUMED, TWELVE, Command, Materials, make_materials
from tests.slow.kill_runs import (
    STOPPED,
    add_foreign,
    describe,
    describe_output,
    end_by,
    kill_after,
    list_left,
    run,
    start_line,
    started,
)

KILLS = int(os.environ.get("IMAGEQX_KILLS", "10"))
KILLS_TWELVE = int(os.environ.get("IMAGEQX_KILLS_TWELVE", "0"))
EXPORTED = Path(os.environ.get("IMAGEQX_EXPORTED", "artifacts/imageqx")).absolute()
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
COLUMNS = ("tried", "killed", "ended first", "refused", "accepted", "faults")
WRITERS = tuple(name for name in COMMANDS if name not in ("parity", "lint", "quantize, measured"))
ORPHAN_SECONDS, END_SECONDS = 5, 10
_CONTROL = random.Random(21)

table: dict[str, Counter[str]] = {}
skipped: dict[str, str] = {}


@pytest.fixture(scope="module", autouse=True)
def summary() -> Iterator[None]:
    """Print what happened, at the end."""
    yield
    lines = ["", f"{'':30}" + "".join(f"{name:>13}" for name in COLUMNS)]
    whole = {**table, "all": sum(table.values(), Counter[str]())}
    lines += [f"{name:30}" + "".join(f"{row[column]:>13}" for column in COLUMNS) for name, row in whole.items()]
    lines += [f"SKIPPED {name}: {why}" for name, why in skipped.items()]
    print("\n".join(lines), file=sys.__stderr__)
    if place := os.environ.get("IMAGEQX_KILLS_JSON"):
        rows = {name: {column: row[column] for column in COLUMNS} for name, row in whole.items()}
        Path(place).write_text(json.dumps({"rows": rows, "skipped": skipped}, indent=1) + "\n")


@pytest.fixture(scope="module")
def materials(tmp_path_factory: pytest.TempPathFactory) -> Materials:
    """Write what the commands read: photos, artifacts that do next to nothing, their history, and a real one."""
    return make_materials(tmp_path_factory.mktemp("materials"), EXPORTED)


@pytest.mark.parametrize("name", COMMANDS)
def test_at_random_moments(name: str, materials: Materials, tmp_path: Path) -> None:
    """At random moments, of the parent alone."""
    command, out, temporary = COMMANDS[name], tmp_path / "out", tmp_path / "temporary"
    out.mkdir()
    command.prepare(out)
    line = start_line(command.words(materials, out))
    code, errors, seconds = run(line, temporary)
    assert code in command.codes, errors
    add_foreign(out)
    read = describe(materials.tiny.parent)
    whole = _kill_often(name, command, line, out, seconds, max(1, round(KILLS * command.share)))
    code, errors, _ = run(line, temporary)
    assert code in command.codes, f"the next run fails: {errors}"
    assert describe_output(command, out) == whole
    assert list_left(out, temporary) == [], "the next run clears what was left"
    assert describe(materials.tiny.parent) == read, "what is read is not touched"


@pytest.mark.parametrize("name", RESUMED)
@pytest.mark.parametrize("number", SIGNALS)
def test_a_learner_goes_on_where_it_was_killed(
    name: str, number: signal.Signals, materials: Materials, tmp_path: Path
) -> None:
    """The epochs that were finished are not done again, and what comes out is what comes of a run that nobody kills."""
    row = table.setdefault(f"{name}, resumed after {number.name}", Counter())
    row["tried"] += 1
    made = {}
    for whole in (True, False):
        out, temporary = tmp_path / f"out{whole}", tmp_path / "temporary"
        out.mkdir()
        COMMANDS[name].prepare(out)
        line = start_line(RESUMED[name](materials, out))
        if not whole:
            kill_after("epoch 1:", line, temporary, number)
            row["killed"] += 1
        code, errors, _ = run(line, temporary)
        assert code in COMMANDS[name].codes, errors
        assert ("epoch 1:" in errors) is whole and "epoch 3:" in errors, errors
        made[whole] = load_file(out / "x.safetensors")
        assert list_left(out, temporary) == []
    row["faults"] += not _are_equal(made[True], made[False])
    assert _are_equal(made[True], made[False])


def _are_equal(one: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(values, other[name]) for name, values in one.items())


@pytest.mark.skipif(not KILLS_TWELVE, reason="dear: make test-kill TWELVE=4")
def test_an_export_of_twelve_at_random_moments(materials: Materials, tmp_path: Path) -> None:
    """In its first minute and a half, of minutes, when all its processes work; then one artifact takes their place."""
    out, temporary = tmp_path / "out", tmp_path / "temporary"
    shutil.copytree(EXPORTED, out / "imageqx")
    add_foreign(out)
    line = start_line(TWELVE.words(materials, out))
    _kill_often("export of twelve", TWELVE, line, out, 90.0, KILLS_TWELVE)
    code, errors, _ = run(start_line(COMMANDS["export"].words(materials, out)), temporary)
    assert code == 0, f"the next run fails: {errors}"
    assert list_left(out, temporary) == [], "the next run clears what was left"


def _kill_often(name: str, command: Command, line: list[str], out: Path, seconds: float, kills: int) -> dict[str, str]:
    """Kill a command often, and return what was there before each time, and after."""
    whole = describe_output(command, out)
    faults: list[str] = []
    for number in SIGNALS:
        row = table.setdefault(f"{name}, {number.name}", Counter())
        for _ in range(kills):
            row["tried"] += 1
            found = _kill_once(line, out.with_name("temporary"), number, seconds, row, command.codes)
            try:
                changed = describe_output(command, out) != whole
            except Exception as error:
                changed = True
                found.append(f"{type(error).__name__}: {error}")
            found += ["the earlier output is not whole"] if changed else []
            row["faults"] += len(found)
            faults += [f"{number.name}: {fault}" for fault in found]
    assert faults == []
    return whole


def _kill_once(
    line: list[str],
    temporary: Path,
    number: signal.Signals,
    seconds: float,
    row: Counter[str],
    codes: Sequence[int],
) -> list[str]:
    faults = []
    with started(line, temporary) as process:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_CONTROL.uniform(0.02, 0.95) * seconds)
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        errors, took = end_by(number, process)
        if took > END_SECONDS:
            faults.append(f"took {took:.0f} s to end")
        ended = process.returncode in codes
        row["ended first" if ended else "killed"] += 1
        if not ended and process.returncode not in (STOPPED[number], -number):  # -number: before Python could hear it
            faults.append(f"exit code {process.returncode}")
        if "Traceback" in errors and process.returncode != -number:
            faults.append(errors.strip().splitlines()[-1])
        _, alive = psutil.wait_procs(children, ORPHAN_SECONDS)
        faults += [f"orphan: {child}" for child in alive]
    return faults


@contextmanager
def mounted(out: Path, name: str, command: Command, *, full: bool) -> Iterator[None]:
    """Mount a small disk there with somebody's file on it: full, or one that may not be written.

    Permissions would not keep root from writing, and nobody else may mount.
    """
    out.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(out)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        skipped[name] = "only root mounts a tmpfs, and not on every machine"
        pytest.skip(f"{name}: {skipped[name]}")
    try:
        (out / "theirs.txt").write_text("theirs")
        command.prepare(out)
        if full:
            with suppress(OSError), (out / "ballast").open("wb", buffering=0) as file:
                while file.write(bytes(1024)):
                    pass
        else:
            subprocess.run(["mount", "-o", "remount,ro", str(out)], check=True)
        yield
    finally:
        subprocess.run(["umount", str(out)], check=True)


@pytest.mark.parametrize("full", [True, False], ids=["full disk", "read-only"])
@pytest.mark.parametrize("name", WRITERS)
def test_a_disk_that_takes_nothing(name: str, full: bool, materials: Materials, tmp_path: Path) -> None:
    out, what = tmp_path / "disk", f"{name}, {'full disk' if full else 'read-only'}"
    with mounted(out, what, COMMANDS[name], full=full):
        errors = _expect_refusal(what, start_line(COMMANDS[name].words(materials, out)), tmp_path / "temporary", out)
        assert ("no space left" if full else "read-only file system") in errors.lower() and str(out) in errors, errors


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_in_the_folders_place(name: str, materials: Materials, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (place / "file").write_text("theirs")
    line = start_line(COMMANDS[name].words(materials, place / "file"))
    _expect_refusal(f"{name}, no folder", line, tmp_path / "temporary", place)


def _expect_refusal(name: str, line: list[str], temporary: Path, out: Path) -> str:
    row, before = table.setdefault(name, Counter()), describe(out)
    row["tried"] += 1
    code, errors, _ = run(line, temporary)
    row["refused" if code else "accepted"] += 1
    fault = code != 1 or "Traceback" in errors or "error:" not in errors or describe(out) != before
    row["faults"] += fault
    assert not fault, f"exit code {code}: {errors}"
    assert list_left(out, temporary) == []
    return errors


@pytest.mark.parametrize("name", WRITERS)
def test_two_writers(name: str, materials: Materials, tmp_path: Path) -> None:
    """One of the two outputs is there at the end, whole; of a history, both."""
    command, out, temporary = COMMANDS[name], tmp_path / "out", tmp_path / "temporary"
    out.mkdir()
    command.prepare(out)
    row = table.setdefault(f"{name}, two writers", Counter())
    row["tried"] += 2
    line = start_line(command.words(materials, out))
    code, errors, _ = run(line, temporary)
    assert code in command.codes, errors
    whole = describe_output(command, out)
    with started(line, temporary) as one, started(line, temporary) as other:
        for process in (one, other):
            _, errors = process.communicate(timeout=3600)
            row["accepted" if process.returncode in command.codes else "faults"] += 1
            assert process.returncode in command.codes, errors
    assert describe_output(command, out) == whole
    assert list_left(out, temporary) == []
    if name == "bench":
        assert len((out / "history.jsonl").read_text().splitlines()) == 3
