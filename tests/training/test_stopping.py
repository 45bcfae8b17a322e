"""A real process that is stopped, or whose disk is full: one sentence, the last good state kept, and on it goes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.cli import app
from tests.conftest import ROOT

OPTIONS = (
    *("--epochs", "2", "--samples", "8", "--batch-size", "4", "--small-epochs", "2", "--small-size", "32"),
    *("--synthetic-scenes", "17", "--validation-samples", "17", "--held-out-samples", "40", "--seed", "1", "--json"),
)


@dataclass(frozen=True)
class Ended:
    """How a process ended, and the files that it left."""

    folder: Path
    code: int
    stdout: str
    stderr: str


def arguments(table: Path, folder: Path) -> list[str]:
    files = ("--annotations", table, "--images", table.parent, "--out", folder / "x.safetensors")
    return ["train", *map(str, files), *OPTIONS]


_LIMITED = """
import os, resource, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job ignores it, and so would its children
if largest := int(sys.argv[1]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
os.execv(sys.argv[2], sys.argv[2:])
"""


def started(table: Path, folder: Path, largest: int = 0) -> subprocess.Popen[str]:
    """Start the installed command; with ``largest``, a file that grows over so many bytes cannot be written."""
    limited = [sys.executable, "-I", "-S", "-c", _LIMITED, str(largest)]
    command = [*limited, str(Path(sys.executable).parent / "imageqx"), *arguments(table, folder)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )


def until(lines: Iterator[str], start: str) -> list[str]:
    seen = []
    for line in lines:
        seen.append(line)
        if line.startswith(start):
            break
    return seen


@pytest.fixture(scope="module")
def stopped(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Press Ctrl-C once the first of two epochs is reported."""
    folder = tmp_path_factory.mktemp("stopped")
    with started(table, folder) as process:
        assert process.stdout is not None and process.stderr is not None
        messages = until(iter(process.stderr), "epoch 1:")
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        return Ended(folder, process.wait(), process.stdout.read(), "".join(messages) + rest)


def epochs_done(folder: Path) -> int:
    _, network = load_checkpoint(folder / "x.safetensors")
    state = torch.load(folder / "x.safetensors.state", weights_only=True)
    network.load_state_dict(state["parts"][0])
    return int(state["epoch"])


def errors(text: str) -> list[str]:
    """Return the lines from the error on."""
    lines = text.splitlines()
    return lines[next(i for i, line in enumerate(lines) if line.startswith("error:")) :]


def test_ctrl_c_ends_in_one_sentence(stopped: Ended) -> None:
    assert stopped.code == 130 and stopped.stdout == ""
    assert "Traceback" not in stopped.stderr and stopped.stderr.count("error:") == 1
    first, *rest = errors(stopped.stderr)
    assert first == "error: stopped; the epochs that were finished are kept"
    assert [line.split()[0] for line in rest] == ["where:", "got:", "try:"]
    assert any(line.startswith("before training: ") for line in stopped.stderr.splitlines())


def test_what_was_finished_is_kept(stopped: Ended) -> None:
    assert sorted(path.name for path in stopped.folder.iterdir()) == ["x.safetensors", "x.safetensors.state"]
    assert epochs_done(stopped.folder) == 1


def test_the_same_command_goes_on(stopped: Ended, table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(stopped.folder, folder)
    result = CliRunner().invoke(app, arguments(table, folder), catch_exceptions=False)
    assert result.exit_code == 0
    messages = [line.split(":")[0] for line in result.stderr.splitlines() if ": loss" in line or "before" in line]
    assert messages == ["epoch 2"]
    printed: Any = json.loads(result.stdout)
    assert printed["checkpoint"]["sha256"] == load_checkpoint(folder / "x.safetensors")[0].sha256
    assert epochs_done(folder) == 2 and (folder / "x.md").is_file()


def test_a_disk_that_fills_up(stopped: Ended, table: Path, tmp_path: Path) -> None:
    """The weights take 17 MB, and would fit; the state takes 68."""
    folder = tmp_path / "copy"
    shutil.copytree(stopped.folder, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with started(table, folder, largest=30_000_000) as process:
        stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (1, "")
    assert "Traceback" not in stderr and stderr.count("error:") == 1
    first, *rest = errors(stderr)
    assert first == "error: a file cannot be written"
    assert [line.split()[0] for line in rest] == ["where:", "got:", "try:"] and "File too large" in rest[1]
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}
