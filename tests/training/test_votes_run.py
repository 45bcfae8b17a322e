"""A run of Duke IQA by the same stage as ImageQX's, on a small backbone: frozen or not, from a table or from scenes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from torch import nn

from imageqx_export import networks
from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.data import held_out
from imageqx_export.data.degradations import Degrader
from imageqx_export.data.scenes import SCENE_KINDS
from imageqx_export.data.settings import choose_settings
from imageqx_export.data.sources import Sources
from imageqx_export.errors import CheckpointError, DatasetError
from imageqx_export.networks.duke_iqa import network as duke
from imageqx_export.training import stage
from imageqx_export.training.batches import FreshBatches, KeptBatches, Maker
from imageqx_export.training.targets import choose_targets, make_config
from tests.training.fakes import ALONE, bank, rated_photos

CONFIG = make_config(
    "duke-iqa", epochs=3, samples=8, batch_size=4, synthetic_scenes=17, validation_samples=6, learning_rate=1e-3, seed=3
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at regions with two convolutions, and draw few scenes."""

    def build(backbone: str, weights: str) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(3, 8, 16, stride=16), nn.SiLU(), nn.Conv2d(8, 1280, 3, stride=3))

    monkeypatch.setattr(duke, "build_backbone", build)
    monkeypatch.setattr(held_out, "_SCENES", SCENE_KINDS)


@pytest.mark.parametrize("frozen", [True, False])
def test_a_run_gives_a_checkpoint_with_a_threshold_and_a_card(tmp_path: Path, frozen: bool) -> None:
    out = tmp_path / "duke-iqa.safetensors"
    run = stage.TrainingRun(
        replace(CONFIG, frozen_backbone=frozen, epochs=3 if frozen else 1), out, held_out_samples=12
    )
    made, reached = stage.train(run)
    loaded, _ = load_checkpoint(out)
    assert loaded == made and loaded.spec.name == "duke-iqa"
    assert loaded.spec.binary is not None and loaded.spec.binary.threshold != 0.5
    assert set(reached.tests["test"].rows["good"]) >= {"tpr", "tnr"}
    text = out.with_suffix(".md").read_text()
    assert "--model duke-iqa" in text and ("--frozen-backbone" in text) is frozen and "at least 2 of 4 raters" in text
    assert stage.train(run)[0].spec == made.spec  # done already: nothing is trained again


def test_weights_of_another_backbone_are_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    run = stage.TrainingRun(replace(CONFIG, initialisation="models/imageqx.safetensors"), tmp_path / "out.safetensors")

    def draw(*args: object) -> NoReturn:
        raise AssertionError(f"drawn: {args}")

    with pytest.raises(CheckpointError, match="another backbone") as caught:
        stage.train(run, progress=draw)
    assert caught.value.where == "models/imageqx.safetensors" and "--init" in (caught.value.remedy or "")
    assert list(tmp_path.iterdir()) == []


def test_kept_features_give_what_their_pixels_give() -> None:
    torch.manual_seed(0)
    network = networks.build("duke-iqa").eval()
    maker = Maker(
        replace(CONFIG, frozen_backbone=True),
        bank(),
        choose_settings(network.spec),
        choose_targets("duke-iqa"),
        ALONE,
        Degrader(bank(), ALONE.device),
    )
    kept, fresh = KeptBatches(maker, network), FreshBatches(maker)
    pixels = torch.cat([fresh.load(0, step).inputs for step in range(2)])
    votes = torch.cat([fresh.load(0, step).truth[0] for step in range(2)])
    with torch.inference_mode():
        expected = network.logits(network.features(pixels)).ranks
        got = network.logits(kept.inputs).ranks
    assert torch.allclose(got, expected, atol=1e-5) and torch.equal(kept.truth[0], votes)
    rows = torch.cat([kept.load(1, step).inputs for step in range(2)])
    assert sorted(rows.sum((1, 2)).tolist()) == pytest.approx(sorted(kept.inputs.sum((1, 2)).tolist()))


def test_a_table_of_one_rater_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    table = tmp_path / "ratings.csv"
    rows = [
        f"{k}.png,anna,{label},,p{k},{side}" for k, (label, side) in enumerate((("L57.0", "train"), ("no_skin", "val")))
    ]
    table.write_text("\n".join(["image,rater,evaluation,reasons,patient,split", *rows]) + "\n")
    run = stage.TrainingRun(CONFIG, tmp_path / "out" / "x.safetensors", Sources(annotations=table, images=tmp_path))
    with pytest.raises(DatasetError, match="one rater alone"):
        stage.train(run)
    assert [path.name for path in tmp_path.iterdir()] == ["ratings.csv"]


def test_photos_smaller_than_a_region_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    table = rated_photos(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    run = stage.TrainingRun(CONFIG, tmp_path / "out" / "x.safetensors", Sources(annotations=table, images=tmp_path))
    with pytest.raises(DatasetError, match=r"every photo of val is smaller than a region(.|\n)*224 px or more"):
        stage.train(run)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
