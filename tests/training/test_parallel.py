"""Several processes do what one does: started by torchrun, on CPUs, with gloo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.data.sample_plan import SamplePlan, plan_samples
from imageqx_export.errors import TrainingError
from imageqx_export.support.files import digest
from imageqx_export.training.parallel import World, join_world
from tests.conftest import ROOT
from tests.training import two_processes
from tests.training.fakes import ALONE, bank

ARRAYS = ("subject", "behind", "affine", "light", "blur", "resolution", "shares", "reasons", "fitzpatrick")


def plan() -> SamplePlan:
    return plan_samples(bank(), (1, 2), 12)


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_the_parts_cover_the_batch(size: int) -> None:
    whole = plan()
    parts = [World(rank, size, torch.device("cpu")).share(whole) for rank in range(size)]
    assert {len(part) for part in parts} == {12 // size}
    for name in ARRAYS:
        assert np.array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(whole, name)), name
    assert len({part.seed for part in parts}) == size, "the processes' noise is the same"


def test_alone_there_is_nobody_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert ALONE.first and ALONE.mean(0.1) == 0.1 and ALONE.broadcast("this") == "this"
    with join_world(5) as here:
        assert (here.rank, here.size) == (0, 1) and here.share(plan()).seed == plan().seed


@pytest.mark.parametrize(("size", "batch", "better"), [(2, 5, 6), (3, 4, 6), (8, 1, 8)])
def test_a_batch_that_cannot_be_shared_out(monkeypatch: pytest.MonkeyPatch, size: int, batch: int, better: int) -> None:
    monkeypatch.setenv("WORLD_SIZE", str(size))
    with pytest.raises(TrainingError, match=rf"(?s)multiple of {size}.*--batch-size {better}$"), join_world(batch):
        pass


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, table: Path) -> tuple[Path, list[dict[str, Any]], str]:
    """Run ``two_processes.py`` in two processes; its folder, what each wrote, and what both printed on stdout."""
    folder = tmp_path_factory.mktemp("two")
    train = [
        *("train", "--annotations", table, "--images", table.parent, "--out", folder / "cli.safetensors", "--json"),
        *("--epochs", "1", "--samples", "8", "--batch-size", "4", "--small-epochs", "1", "--small-size", "32"),
        *("--synthetic-scenes", "17"),
    ]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    alone = {name: value for name, value in os.environ.items() if name not in ("WORLD_SIZE", "RANK", "LOCAL_RANK")}
    result = subprocess.run(
        [*torchrun, two_processes.__file__, str(folder), *map(str, train)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**alone, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
        check=False,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    return folder, [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)], result.stdout


@pytest.mark.long
def test_they_talk(two: tuple[Path, list[dict[str, Any]], str]) -> None:
    assert [facts["mean"] for facts in two[1]] == [0.5, 0.5]
    assert [facts["told"] for facts in two[1]] == ["process 0", "process 0"]


@pytest.mark.long
def test_gradients_are_those_of_the_whole_batch(two: tuple[Path, list[dict[str, Any]], str]) -> None:
    for facts in two[1]:
        assert facts["gradients"]["spread"] < 1e-5
        assert facts["gradients"]["half"] > 1e-2, "both halves have the same gradient: the test proves nothing"


@pytest.mark.long
def test_both_end_with_the_same_weights(two: tuple[Path, list[dict[str, Any]], str]) -> None:
    folder, facts, _ = two
    assert all(fact["trained"]["same"] and fact["trained"]["moved"] for fact in facts)
    assert {fact["trained"]["sha256"] for fact in facts} == {digest(folder / "x.safetensors")}
    assert [fact["trained"]["reports"] for fact in facts] == [[0, 1, 2], []]


@pytest.mark.long
def test_a_state_that_one_process_does_not_see(two: tuple[Path, list[dict[str, Any]], str]) -> None:
    """Without this they would wait for one another for ever."""
    for rank, epochs in ((0, 2), (1, 0)):
        error = two[1][rank]["trained"]["alone"]
        assert "do not see the same state" in error and "2 epochs done" in error
        assert f"{epochs} in process {rank}" in error


@pytest.mark.long
def test_the_command_writes_and_prints_once(two: tuple[Path, list[dict[str, Any]], str]) -> None:
    folder, _, stdout = two
    printed = json.loads(stdout)
    assert printed["checkpoint"]["sha256"] == load_checkpoint(folder / "cli.safetensors")[0].sha256
    assert printed["reached"]["seeds"] == [0]
    assert sorted(path.name for path in folder.iterdir()) == [
        *("0.json", "1.json", "cli.md", "cli.safetensors", "cli.safetensors.state"),
        *("x.safetensors", "x.safetensors.state"),
    ]
