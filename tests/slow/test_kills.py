"""Commands that are killed, out of space, refused or doubled: nothing is lost or orphaned, the next run succeeds.

``make test-kill`` runs it; IMAGEQX_KILLS says how many kills a command gets. What happened is printed as a table.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from imageqx_export.support.files import digest

KILLS = int(os.environ.get("IMAGEQX_KILLS", "4"))
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
STOPPED = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}
CHECKPOINT = Path("models/imageqx.safetensors").absolute()
_CONTROL = random.Random(21)

table: dict[str, Counter[str]] = {}


@pytest.fixture(scope="module", autouse=True)
def summary() -> Iterator[None]:
    """Print what happened, at the end."""
    yield
    columns = ("tried", "killed", "ended first", "refused", "accepted", "faults")
    lines = ["", f"{'':30}" + "".join(f"{name:>13}" for name in columns)]
    lines += [f"{name:30}" + "".join(f"{row[column]:>13}" for column in columns) for name, row in table.items()]
    total = sum(table.values(), Counter[str]())
    lines.append(f"{'all':30}" + "".join(f"{total[column]:>13}" for column in columns))
    print("\n".join(lines), file=sys.__stderr__)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("photos")
    for k in range(2):
        noise = np.random.default_rng(k).integers(0, 255, (300, 400, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{k}.png")
    return [str(path) for path in sorted(folder.iterdir())]


def build(command: str, out: Path, photos: list[str]) -> list[str]:
    """Return a command line whose only output is ``out``."""
    arguments = {
        "predict": [*photos, "--artifact", str(CHECKPOINT), "--attention", str(out / "map.png")],
        "export": [
            "--formats",
            "onnx",
            "--precisions",
            "fp32,fp16",
            "--checkpoint",
            str(CHECKPOINT),
            "--out",
            str(out),
        ],
    }[command]
    return [sys.executable, "-c", "from imageqx_export.cli import main; main()", command, *arguments]


@contextmanager
def started(command: list[str], temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a command in a group of its own; nothing of it is left at the end, whatever was found."""
    temporary.mkdir(exist_ok=True)
    process = subprocess.Popen(
        command,
        env={**os.environ, "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run(command: list[str], temporary: Path) -> tuple[int, str, float]:
    """Run a command to its end: its exit code, standard error and seconds."""
    began = time.monotonic()
    with started(command, temporary) as process:
        _, errors = process.communicate(timeout=300)
    return process.returncode, errors, time.monotonic() - began


def list_left(temporary: Path) -> list[Path]:
    """Return what is left of ours in a temporary folder; torch keeps a cache there, named after the user."""
    return list(temporary.glob("imageqx-*"))


def describe(folder: Path) -> dict[str, str]:
    """Return the digest of every file that somebody can see; what is being written has a name with a dot."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    shown = [path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    return {str(path.relative_to(folder)): digest(path) for path in shown}


@pytest.mark.parametrize("command", ["predict", "export"])
def test_kills(command: str, photos: list[str], tmp_path: Path) -> None:
    """At random moments, of the parent alone."""
    out, temporary = tmp_path / "out", tmp_path / "temporary"
    out.mkdir()
    code, errors, seconds = run(build(command, out, photos), temporary)
    assert code == 0, errors
    whole = describe(out)
    (out / "mine.txt").write_text("mine")
    whole["mine.txt"] = digest(out / "mine.txt")
    faults: list[str] = []
    for number in SIGNALS:
        row = table.setdefault(f"{command}, {number.name}", Counter())
        for _ in range(KILLS):
            row["tried"] += 1
            found = _kill_once(build(command, out, photos), temporary, number, seconds, row)
            if describe(out) != whole:
                found.append("the earlier output is not whole")
            row["faults"] += len(found)
            faults += [f"{number.name}: {fault}" for fault in found]
    code, errors, _ = run(build(command, out, photos), temporary)
    assert code == 0, f"the next run fails: {errors}"
    left = [*tmp_path.rglob(".*"), *list_left(temporary)]
    assert faults == [] and left == [] and describe(out) == whole


def _kill_once(
    command: list[str], temporary: Path, number: signal.Signals, seconds: float, row: Counter[str]
) -> list[str]:
    faults = []
    with started(command, temporary) as process:
        time.sleep(_CONTROL.uniform(0.02, 0.95) * seconds)
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.send_signal(number)
        began = time.monotonic()
        _, errors = process.communicate(timeout=120)
        if time.monotonic() - began > 10:
            faults.append(f"took {time.monotonic() - began:.0f} s to end")
        row["killed" if process.returncode != 0 else "ended first"] += 1
        if process.returncode not in (0, STOPPED[number], -number):  # -number: before Python was there to hear it
            faults.append(f"exit code {process.returncode}")
        if "Traceback" in errors and process.returncode != -number:
            faults.append(errors.strip().splitlines()[-1])
        _, alive = psutil.wait_procs(children, 5)
        faults += [f"orphan: {child}" for child in alive]
    return faults


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts are root's")
@pytest.mark.parametrize("command", ["predict", "export"])
def test_a_full_disk(command: str, photos: list[str], tmp_path: Path) -> None:
    out = tmp_path / "disk"
    out.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(out)], capture_output=True).returncode:
        pytest.skip("this machine mounts no tmpfs")
    try:
        (out / "mine.txt").write_text("mine")
        (out / "ballast").write_bytes(bytes(56 * 1024))
        before = describe(out)
        _expect_refusal(f"{command}, full disk", build(command, out, photos), tmp_path / "temporary", out, before)
    finally:
        subprocess.run(["umount", str(out)], check=True)


@pytest.mark.parametrize("command", ["predict", "export"])
def test_a_place_that_may_not_be_written(command: str, photos: list[str], tmp_path: Path) -> None:
    """A file where the folder should be, which refuses root too."""
    (tmp_path / "file").write_text("mine")
    before = describe(tmp_path)
    line = build(command, tmp_path / "file", photos)
    _expect_refusal(f"{command}, no folder", line, tmp_path.with_name(f"{tmp_path.name}-t"), tmp_path, before)


def _expect_refusal(name: str, command: list[str], temporary: Path, out: Path, before: dict[str, str]) -> None:
    row = table.setdefault(name, Counter())
    row["tried"] += 1
    code, errors, _ = run(command, temporary)
    row["refused" if code else "accepted"] += 1
    fault = code != 1 or "Traceback" in errors or "error:" not in errors or describe(out) != before
    row["faults"] += fault
    assert not fault, errors
    assert list_left(temporary) == [] and list(out.rglob(".*")) == []


def test_two_writers(photos: list[str], tmp_path: Path) -> None:
    """Of one export: one of the two is there at the end, whole."""
    out, temporary = tmp_path / "out", tmp_path / "temporary"
    out.mkdir()
    row = table.setdefault("export, two writers", Counter())
    row["tried"] += 2
    line = build("export", out, photos)
    with started(line, temporary) as one, started(line, temporary) as other:
        for process in (one, other):
            _, errors = process.communicate(timeout=300)
            row["accepted" if process.returncode == 0 else "faults"] += 1
            assert process.returncode == 0, errors
    folder = out / "imageqx"
    listed = json.loads((folder / "manifest.json").read_text())["artifacts"]
    assert listed and all(digest(folder / one["path"]) == one["sha256"] for one in listed)
    assert list(out.iterdir()) == [folder] and list_left(temporary) == []
    shutil.rmtree(out)
