"""Each layer's cost against the whole graph run; what is kept, and goes on after the process was killed; the search."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from torch.fx import GraphModule

from imageqx_export.decisions import decide
from imageqx_export.evaluation.accuracy_loss import Budget, accuracy, problems
from imageqx_export.quantize.graph.interpreter import HookedInterpreter
from imageqx_export.quantize.graph.simulate import simulate
from imageqx_export.quantize.sensitivity import layers as sensitivity
from imageqx_export.quantize.sensitivity.cache import Cache
from imageqx_export.quantize.sensitivity.chart import draw
from imageqx_export.quantize.sensitivity.layers import LayerLoss, Subject, measure_layers
from imageqx_export.quantize.sensitivity.partial import PartialInterpreter, find_layers, group_by_block
from imageqx_export.quantize.stage import analyse
from tests.conftest import ROOT
from tests.quantize.tiny_network import LAYERS, RUINED, TinySubject, subject

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
BUDGET = Budget(macro_f1=0.5)


@pytest.fixture(scope="module")
def tiny() -> TinySubject:
    return subject()


@pytest.fixture(scope="module")
def rows(tiny: TinySubject) -> tuple[LayerLoss, ...]:
    return measure_layers(tiny)


def test_layers_are_the_weights_and_what_follows_them(tiny: TinySubject) -> None:
    found = find_layers(tiny.capture_program(), tiny.recipe)
    assert tuple(found) == LAYERS
    assert found["one:conv"] == ("one:conv", "act:sigmoid", "act:mul")
    assert group_by_block(found)[-1] == ("three.block.0:conv", "three.block.1:conv")


@pytest.mark.parametrize("first", LAYERS)
def test_from_the_middle_is_the_whole(tiny: TinySubject, first: str) -> None:
    program, batch = tiny.capture_program(), torch.from_numpy(tiny.photos.pixels[:5])
    middle = PartialInterpreter(program, first)
    with torch.inference_mode():
        values = middle.reach(batch)
        for _ in range(2):  # what was reached is used again
            for got, want in zip(middle.run(values, lambda n, v: None), program(batch), strict=True):
                assert torch.equal(got, want)


def test_each_layers_figures_are_the_whole_graphs(tiny: TinySubject, rows: tuple[LayerLoss, ...]) -> None:
    program, pixels, photos = tiny.capture_program(), tiny.photos.pixels, tiny.photos
    reference = simulate(program, None, pixels)
    assert [row.layer for row in rows] == list(LAYERS)
    for row in rows:
        alone = simulate(program, tiny.recipe, pixels, row.operations)
        assert row.mean_abs == pytest.approx(np.abs(alone["quality"] - reference["quality"]).mean(), rel=1e-4)
        scores = [
            f1_score(photos.quality, decide(o["quality"], tiny.spec), average="macro") for o in (reference, alone)
        ]
        assert row.quality == pytest.approx(100 * (scores[0] - scores[1]), abs=1e-4)
    ruined = next(row for row in rows if row.layer == RUINED)
    assert ruined == min(rows, key=lambda row: row.sqnr_db) == max(rows, key=lambda row: row.mean_abs)
    assert ruined.quality > 1 and all(row.quality == 0 for row in rows if row is not ruined)


def test_sqnr_is_the_definitions(tiny: TinySubject, rows: tuple[LayerLoss, ...]) -> None:
    row = next(row for row in tiny.recipe.activations if row.tensor == "early:input")
    x = tiny.photos.pixels.astype(np.float64) / 255
    error = np.clip(np.rint(x / row.scale), -128 - row.zero_point, 127 - row.zero_point) * row.scale - x
    want = 10 * math.log10((x**2).sum() / (error**2).sum())
    assert rows[0].sqnr_db == pytest.approx(want, abs=0.01)


def test_what_was_measured_is_kept_and_nothing_else_stands_for_it(
    tiny: TinySubject, rows: tuple[LayerLoss, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path)
    assert measure_layers(tiny, cache=cache) == rows
    calls: list[tuple[str, ...]] = []
    real = sensitivity.measure_group

    def counted(subject: Subject, program: GraphModule, group: tuple[str, ...]) -> list[LayerLoss]:
        calls.append(group)
        return real(subject, program, group)

    monkeypatch.setattr(sensitivity, "measure_group", counted)
    assert measure_layers(tiny, cache=cache) == rows and calls == []
    broken = sorted(tmp_path.iterdir())[0]
    broken.write_text(broken.read_text()[:20])  # as a full disk leaves it: measured again
    assert measure_layers(tiny, cache=cache) == rows and len(calls) == 1
    other = TinySubject(
        tiny.network, tiny.recipe.model_copy(update={"checkpoint_sha256": "cd" * 32}), tiny.photos, tiny.spec
    )
    measure_layers(other, names=[RUINED], cache=cache)
    assert calls[1:] == [(RUINED,)]


def test_killed_in_the_middle_it_goes_on(tiny: TinySubject, rows: tuple[LayerLoss, ...], tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "tests.quantize.tiny_network", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"}) as run:
        assert run.stdout is not None and run.stdout.readline() == b"done\n"
        run.send_signal(signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL
        # The end of what it printed is reached when its processes are gone too.
        assert run.stdout.read() == b""
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert 1 <= len(kept) < len(LAYERS) and all(name.endswith(".json") for name in kept)
    stamps = {name: (tmp_path / name).stat().st_mtime_ns for name in kept}
    again = measure_layers(tiny, cache=Cache(tmp_path))
    assert [row.layer for row in again] == list(LAYERS)
    for here, there in zip(rows, again, strict=True):  # some of them from two processes
        assert there.sqnr_db == pytest.approx(here.sqnr_db, abs=0.01)
        assert there.mean_abs == pytest.approx(here.mean_abs, rel=1e-3)
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in kept} == stamps, "measured again"
    assert len(list(tmp_path.iterdir())) == len(LAYERS)


def test_the_search_finds_the_ruined_layer_and_says_why(tmp_path: Path) -> None:
    tiny = subject(exact=True)
    recipe, analysis = analyse(tiny, BUDGET, cache=Cache(tmp_path))
    assert analysis.search.floats == (RUINED,) and analysis.search.holds
    assert [row.tensor for row in recipe.floats] == [RUINED, "act:sigmoid", "act:mul"]
    assert "points of macro-F1" in recipe.floats[0].reason and "dB" in recipe.floats[0].reason
    program, pixels = tiny.capture_program(), tiny.photos.pixels
    reference = simulate(program, None, pixels)
    found = accuracy(reference, simulate(program, recipe, pixels), tiny.photos, tiny.spec)
    assert problems(found, BUDGET) == ()
    before = accuracy(reference, simulate(program, tiny.recipe, pixels), tiny.photos, tiny.spec)
    assert problems(before, BUDGET) != ()
    assert analyse(tiny, BUDGET, cache=Cache(tmp_path)) == (recipe, analysis)


def test_the_chart_has_a_bar_a_layer(rows: tuple[LayerLoss, ...], tmp_path: Path) -> None:
    draw(rows, tmp_path / "layers.png", title="tiny")
    first = (tmp_path / "layers.png").read_bytes()
    assert first.startswith(b"\x89PNG")
    draw([*rows[:-1], rows[-1].model_copy(update={"sqnr_db": 3.0})], tmp_path / "layers.png", title="tiny")
    assert (tmp_path / "layers.png").read_bytes() != first


def test_a_runs_own_parameters_stand_in_for_the_graphs(tiny: TinySubject) -> None:
    program, batch = tiny.capture_program(), torch.from_numpy(tiny.photos.pixels[:2])
    zeros = {"one.weight": torch.zeros(6, 3, 3, 3), "one.bias": torch.zeros(6)}
    seen: dict[str, torch.Tensor] = {}
    with torch.inference_mode():
        HookedInterpreter(program, lambda name, value: seen.update({name: value}), zeros).run(batch)
        before = program(batch)
    assert not seen["one:conv"].any() and before[2].any()
