"""P(poor) beside people's scores: SciPy's correlation, an AUC counted by pairs, and tables that do not fit."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.stats import spearmanr
from typer.testing import CliRunner

from imageqx_export.artifact import Outputs, Pixels
from imageqx_export.cli import app
from imageqx_export.errors import DatasetError, ImageQXError
from imageqx_export.evaluation import mos
from imageqx_export.networks.imageqx.spec import spec as make_spec
from tests.conftest import CHECKPOINT


class Darkness:
    """A model that takes a photo for the poorer, the darker it is."""

    def __init__(self) -> None:
        self.spec = make_spec()
        self.signature = self.spec.outputs

    def run(self, pixels: Pixels) -> Outputs:
        poor = 1 - pixels.mean((1, 2, 3)) / 255
        rest = (1 - poor) / 3
        return {"quality": np.stack([rest, rest, rest, poor], 1).astype(np.float32)}


@pytest.fixture
def scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write ten greys that people score by their brightness, but for two that are swapped."""
    monkeypatch.setattr(mos, "load_photo_model", lambda path: Darkness())
    (tmp_path / "photos").mkdir()
    rows = ["file,score,remark"]
    for k, score in enumerate([1, 2, 3, 5, 4, 6, 7, 8, 9, 10]):
        Image.new("RGB", (40, 30), (20 * k + 20,) * 3).save(tmp_path / "photos" / f"{k}.png")
        rows.append(f"{k}.png,{score}.5,x")
    (tmp_path / "scores.csv").write_text("\n".join(rows))
    return tmp_path


def invoke(scored: Path, *more: Any) -> Any:
    options = ("--mos", scored / "scores.csv", "--images", scored / "photos", "--out", scored / "out")
    return CliRunner().invoke(app, ["evaluate", str(CHECKPOINT), *map(str, options), *map(str, more)])


def test_the_command_compares(scored: Path) -> None:
    result = invoke(scored, "--json")
    assert result.exit_code == 0, result.output
    body = json.loads(result.stdout)
    assert body == json.loads((scored / "out" / "mos.json").read_text())
    assert (body["photos"], body["poor"], body["poor_below"]) == (10, 5, 6.0)
    assert body["auc"] == 1.0 and body["spearman"] == pytest.approx(-1 + 6 * 2 / (10 * 99))
    assert body["spearman_ci"][0] <= body["spearman"] <= body["spearman_ci"][1]


def test_a_limit_of_ones_own(scored: Path) -> None:
    body = json.loads(invoke(scored, "--json", "--poor-below", 5).stdout)
    assert body["poor"] == 4  # of scores 1.5, 2.5, 3.5 and 4.5, the last is of a brighter photo than 5.5
    assert body["auc"] == pytest.approx(1 - 1 / (4 * 6))


def test_numbers_are_scipys_and_the_pairs() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=60).round(1)
    poor = 1 / (1 + np.exp(scores + rng.normal(size=60)))
    found = mos.compare_scores(poor, scores, model="m", table="t", limit=0.0)
    assert found.spearman.value == pytest.approx(spearmanr(poor, scores).statistic)
    bad = scores < 0
    wins = [(a > b) + 0.5 * (a == b) for a, b in itertools.product(poor[bad], poor[~bad])]
    assert found.auc.value == pytest.approx(np.mean(wins)) and found.poor == bad.sum()
    same = mos.compare_scores(np.full(60, 0.5), scores, model="m", table="t")
    assert same.spearman.value is None  # a model that says the same of all photos has no ranks


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("3.png", "nowhere.png", "1 of 10 absent, such as nowhere.png"),
        ("3.png", "9" * 300, "1 of 10 absent, such as 999"),
        ("3.png", "2.png", "line 5"),
        ("4.5", "good", "4.png, good"),
        ("4.5", "nan", "not a score"),
        ("score", "opinion", "score: the column is missing"),
    ],
)
def test_tables_that_do_not_fit_are_refused(scored: Path, old: str, new: str, words: str) -> None:
    table = scored / "scores.csv"
    table.write_text(table.read_text().replace(old, new))
    result = invoke(scored)
    assert isinstance(result.exception, DatasetError) and words in str(result.exception)
    assert not (scored / "out").exists()


def test_photos_are_needed_and_other_folders_are_left_alone(scored: Path) -> None:
    result = CliRunner().invoke(app, ["evaluate", str(CHECKPOINT), "--mos", str(scored / "scores.csv")])
    assert isinstance(result.exception, DatasetError) and "--mos with --images" in str(result.exception)
    (scored / "out").mkdir()
    (scored / "out" / "mine.txt").touch()
    result = invoke(scored)
    assert isinstance(result.exception, ImageQXError) and "something else" in str(result.exception)
    with pytest.raises(DatasetError, match="too few"):
        mos.compare_scores(np.zeros(2), np.ones(2), model="m", table="t")
