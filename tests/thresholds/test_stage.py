"""The thresholds stage: what is written into the checkpoint, what stays, and what is refused."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

from imageqx_export import checkpoint as checkpoint_file
from imageqx_export.artifact import Temperatures
from imageqx_export.checkpoint import load_checkpoint, save_checkpoint
from imageqx_export.cli import app
from imageqx_export.data.labels import LabelledPhotos, Split
from imageqx_export.data.settings import PhotoSettings
from imageqx_export.data.sources import Sources
from imageqx_export.decisions import apply_thresholds, decide
from imageqx_export.errors import CheckpointError, DatasetError
from imageqx_export.networks.imageqx.network import Logits
from imageqx_export.networks.imageqx.spec import REASONS, spec
from imageqx_export.runtimes import load_runtime
from imageqx_export.support.files import digest
from imageqx_export.support.progress import Progress, silent
from imageqx_export.thresholds import stage as module
from imageqx_export.thresholds.criteria import Criterion
from imageqx_export.thresholds.stage import (
    FLOOR,
    Choice,
    ThresholdsConfig,
    choose_from_sources,
    choose_spec,
    choose_thresholds,
    compute_logits,
    fit_temperatures,
)
from tests.conftest import CHECKPOINT, Cli

Array = NDArray[Any]
BUDGET = Criterion(kind="retake_budget", value=0.25)
YOUDEN = Criterion(kind="youden")
COUNT = 40


def labelled(count: int = COUNT, seed: int = 0) -> LabelledPhotos:
    """Give noise of many contrasts with made-up labels: what is tested is bookkeeping, not skill."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 7, 7, 3)).repeat(32, 1).repeat(32, 2)
    pixels = np.clip(coarse * rng.uniform(0, 1, (count, 1, 1, 1)), 0, 255).astype(np.uint8)
    return LabelledPhotos(
        pixels=pixels,
        quality=np.arange(count) % 4,
        reasons=(rng.random((count, 5)) < 0.4).astype(np.float32),
        fitzpatrick=np.zeros(count, np.int64),
        names=tuple(map(str, range(count))),
        source="noise",
    )


def synthetic(count: int = 400, seed: int = 1) -> tuple[Logits, LabelledPhotos]:
    """Give overconfident logits and the truth that they are about."""
    rng = np.random.default_rng(seed)
    quality, reasons = rng.normal(0, 2, (count, 4)), rng.normal(-1, 2, (count, 5))
    photos = dataclasses.replace(
        labelled(1),
        quality=(quality + rng.gumbel(size=(count, 4))).argmax(1),
        reasons=(rng.random((count, 5)) < 1 / (1 + np.exp(-reasons))).astype(np.float32),
    )
    return Logits(*(torch.from_numpy(z * 2).float() for z in (quality, reasons))), photos


def probabilities(logits: Logits) -> tuple[Array, Array]:
    return logits.quality.softmax(1).numpy(), logits.explanations.sigmoid().numpy()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the shipped weights as they were before they were calibrated."""
    path = tmp_path_factory.mktemp("plain") / "imageqx.safetensors"
    save_checkpoint(load_checkpoint(CHECKPOINT)[1], spec(), {}, {}, path)
    return path


@pytest.fixture(scope="module")
def photos() -> LabelledPhotos:
    return labelled()


@pytest.fixture(scope="module")
def written(checkpoint: Path, photos: LabelledPhotos, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Choice]:
    """Calibrate the shipped checkpoint on noise, and write ``own.json`` beside the new one."""
    folder = tmp_path_factory.mktemp("calibrated")
    out = folder / "new.safetensors"
    before = digest(checkpoint)
    _, choice = choose_thresholds(ThresholdsConfig(checkpoint, BUDGET, out, thresholds_out=folder / "own.json"), photos)
    assert digest(checkpoint) == before
    assert sorted(path.name for path in folder.iterdir()) == ["new.safetensors", "own.json"]
    return out, choice


def test_the_weights_are_the_trained_ones(checkpoint: Path, written: tuple[Path, Choice]) -> None:
    old, new = load_file(checkpoint), load_file(written[0])
    assert old.keys() == new.keys()
    assert all(torch.equal(value, new[name]) for name, value in old.items())


def test_the_header_says_what_was_chosen_and_why(checkpoint: Path, written: tuple[Path, Choice]) -> None:
    (old, _), (new, _), choice = load_checkpoint(checkpoint), load_checkpoint(written[0]), written[1]
    assert new.temperatures == Temperatures(
        quality=choice.temperatures["quality"].temperature,
        explanations={name: choice.temperatures[name].temperature for name in REASONS},
    )
    assert new.spec.poor_quality_threshold == choice.achieved["poor_quality"].threshold is not None
    assert new.spec.thresholds == {name: choice.achieved[name].threshold for name in REASONS}
    assert new.metrics == old.metrics
    record = new.provenance["thresholds"]
    assert {**old.provenance, "thresholds": record} == new.provenance
    assert isinstance(record, dict)
    assert record["criterion"] == {"kind": "retake_budget", "value": 0.25}
    assert (record["photos"], record["source"], record["kept"]) == (COUNT, "noise", [])
    assert set(record["achieved"]) == {"poor_quality", *REASONS}
    assert str(checkpoint.parent) not in json.dumps(record)


def test_the_loaded_checkpoint_does_what_the_record_says(written: tuple[Path, Choice], photos: LabelledPhotos) -> None:
    """Through the runtime that predicts, not through the code that chose."""
    runtime, choice = load_runtime(written[0]), written[1]
    outputs = runtime.run(photos.pixels)
    poor, truth = decide(outputs["quality"], runtime.spec) == 3, photos.quality == 3
    row = choice.achieved["poor_quality"]
    assert poor[truth].mean() == pytest.approx(row.sensitivity)
    assert 1 - poor[~truth].mean() == pytest.approx(row.specificity) and poor[~truth].mean() <= 0.25
    for i, name in enumerate(REASONS):
        given, has = outputs["explanations"][:, i] >= runtime.spec.thresholds[name], photos.reasons[:, i] == 1
        assert given[has].mean() == pytest.approx(choice.achieved[name].sensitivity)
        assert given[~has].mean() <= 0.25
        assert choice.temperatures[name].nll[1] <= choice.temperatures[name].nll[0]


def test_again_gives_the_same_bytes(written: tuple[Path, Choice], photos: LabelledPhotos, tmp_path: Path) -> None:
    """From the calibrated file, in its own place: temperatures are fitted to the weights, not on top of the old."""
    path = tmp_path / "own.safetensors"
    path.write_bytes(written[0].read_bytes())
    new, choice = choose_thresholds(ThresholdsConfig(path, BUDGET), photos)
    assert path.read_bytes() == written[0].read_bytes() and new.path == path
    assert choice.before == choice.achieved == written[1].achieved
    assert list(tmp_path.iterdir()) == [path]


def test_without_fitting_the_temperatures_stay(
    checkpoint: Path, written: tuple[Path, Choice], photos: LabelledPhotos, tmp_path: Path
) -> None:
    plain, choice = choose_thresholds(
        ThresholdsConfig(checkpoint, YOUDEN, tmp_path / "a.safetensors", fit=False), photos
    )
    assert plain.temperatures is None
    assert all(fit.temperature == 1 and fit.nll[0] == fit.nll[1] for fit in choice.temperatures.values())
    kept, _ = choose_thresholds(ThresholdsConfig(written[0], YOUDEN, tmp_path / "b.safetensors", fit=False), photos)
    assert kept.temperatures == load_checkpoint(written[0])[0].temperatures is not None


def test_the_clinics_file_says_the_same_as_the_checkpoint(written: tuple[Path, Choice]) -> None:
    new, _ = load_checkpoint(written[0])
    assert apply_thresholds(spec(), written[0].parent / "own.json") == new.spec
    assert new.spec != spec()


def test_a_bar_over_the_photos(checkpoint: Path) -> None:
    totals: list[int] = []
    ticks: list[int] = []

    def progress(description: str, total: int) -> Any:
        from contextlib import nullcontext

        totals.append(total)
        return nullcontext(lambda: ticks.append(1))

    logits = compute_logits(load_checkpoint(checkpoint)[1], labelled(33).pixels, progress)
    assert logits.quality.shape == (33, 4) and logits.explanations.shape == (33, 5)
    assert totals == [2] == [len(ticks)]


def test_overconfident_logits_are_cooled_by_what_they_were_heated() -> None:
    logits, photos = synthetic(4000)
    temperatures = fit_temperatures(logits, photos, spec())
    assert temperatures.quality == pytest.approx(2, rel=0.1)
    assert list(temperatures.explanations) == list(REASONS)
    assert all(value == pytest.approx(2, rel=0.15) for value in temperatures.explanations.values())


def test_ppv_is_that_of_the_photos_that_pass_and_of_the_reasons_that_are_told() -> None:
    logits, photos = synthetic()
    quality, reasons = probabilities(logits)
    new, kept = choose_spec(spec(), quality, reasons, photos, Criterion(kind="ppv", value=0.85))
    passing = decide(quality, new) != 3
    assert kept == () and 0 < passing.sum() < len(passing)
    assert (photos.quality != 3)[passing].mean() >= 0.85 > (photos.quality != 3).mean()
    for i, name in enumerate(REASONS):
        assert photos.reasons[reasons[:, i] >= new.thresholds[name], i].mean() >= 0.85


def test_no_reasons_threshold_is_under_the_floor() -> None:
    """Scores of 0.06 and 0.002 would be parted at 0.031."""
    logits, photos = synthetic()
    quality, reasons = probabilities(logits)
    reasons[:, 3] = np.where(photos.reasons[:, 3] > 0, 0.06, 0.002)
    new, _ = choose_spec(spec(), quality, reasons, photos, Criterion(kind="retake_budget", value=0.03))
    assert new.thresholds["low_resolution"] == FLOOR == 0.2
    assert min(new.thresholds.values()) >= FLOOR
    assert new.poor_quality_threshold is not None and max(new.thresholds.values()) > FLOOR


def test_a_reason_that_nobody_has_or_everybody_has_keeps_its_threshold() -> None:
    logits, photos = synthetic()
    flags = photos.reasons.copy()
    flags[:, 1], flags[:, 2] = 0, 1
    photos = dataclasses.replace(photos, reasons=flags)
    old = spec().model_copy(update={"thresholds": {**spec().thresholds, "bad_light": 0.3}})
    new, kept = choose_spec(old, *probabilities(logits), photos, BUDGET)
    assert kept == ("bad_light", "blurry")
    assert (new.thresholds["bad_light"], new.thresholds["blurry"]) == (0.3, 0.5)
    assert new.thresholds["too_far_away"] != 0.5
    temperatures = fit_temperatures(logits, photos, old)
    assert temperatures.explanations["bad_light"] == temperatures.explanations["blurry"] == 1


def test_without_poor_photos_the_most_probable_label_goes_on_deciding() -> None:
    logits, photos = synthetic()
    photos = dataclasses.replace(photos, quality=photos.quality % 3)
    new, kept = choose_spec(spec(), *probabilities(logits), photos, BUDGET)
    assert kept == ("poor_quality",) and new.poor_quality_threshold is None
    everything_alike = dataclasses.replace(photos, reasons=np.zeros_like(photos.reasons))
    with pytest.raises(DatasetError, match="nothing to choose"):
        choose_spec(spec(), *probabilities(logits), everything_alike, BUDGET)


def test_a_criterion_out_of_reach_says_how_near_one_can_come() -> None:
    logits, photos = synthetic()
    quality, reasons = probabilities(logits)
    reasons[:, 4] = 0.5  # it cannot be told: its best PPV is its share of the photos
    share = float(photos.reasons[:, 4].mean())
    with pytest.raises(DatasetError, match=r"too_far_away: at most 0\.\d{3}") as caught:
        choose_spec(spec(), quality, reasons, photos, Criterion(kind="ppv", value=0.9))
    reachable = float(str(caught.value).rsplit("--ppv ", 1)[1].split(",")[0])
    assert share - 0.001 < reachable <= share
    choose_spec(spec(), quality, reasons, photos, Criterion(kind="ppv", value=reachable))
    quality[:10] = [0, 0, 0, 1]
    good = dataclasses.replace(photos, quality=np.where(np.arange(400) < 10, 0, photos.quality))
    with pytest.raises(DatasetError, match=r"poor_quality: at least 0\.0") as caught:
        choose_spec(spec(), quality, reasons, good, Criterion(kind="retake_budget", value=0.0))
    reachable = float(str(caught.value).rsplit("--retake-budget ", 1)[1].split(",")[0])
    choose_spec(spec(), quality, reasons, good, Criterion(kind="retake_budget", value=reachable))


def test_nothing_is_written_where_nothing_was_chosen(checkpoint: Path, photos: LabelledPhotos, tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    path.write_bytes(checkpoint.read_bytes())
    alike = dataclasses.replace(photos, quality=photos.quality * 0, reasons=photos.reasons * 0)
    with pytest.raises(DatasetError):
        choose_thresholds(ThresholdsConfig(path, BUDGET, thresholds_out=tmp_path / "own.json"), alike)
    assert path.read_bytes() == checkpoint.read_bytes() and list(tmp_path.iterdir()) == [path]


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    for own, images in ((table, None), (None, tmp_path)):
        with pytest.raises(DatasetError, match="go together"):
            Sources(annotations=own, images=images)
    with pytest.raises(DatasetError, match="two sources"):
        Sources(tmp_path, table, tmp_path).single()
    with pytest.raises(CheckpointError, match="no such file"):  # before any photo is read
        choose_from_sources(
            ThresholdsConfig(tmp_path / "none.safetensors", YOUDEN), Sources(annotations=table, images=tmp_path)
        )


# The command -----------------------------------------------------------------------------------------------------

Source = Callable[..., LabelledPhotos]


@pytest.fixture
def own(checkpoint: Path, tmp_path: Path) -> Path:
    path = tmp_path / "own.safetensors"
    path.write_bytes(checkpoint.read_bytes())
    return path


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Give noise in place of synthetic photos, which take half a minute, and note what was asked for."""
    asked: list[tuple[Any, ...]] = []

    def give(
        split: Split, sources: Sources, count: int, *, settings: PhotoSettings, progress: Progress = silent
    ) -> LabelledPhotos:
        assert settings.side == 224
        asked.append((count, split, sources.photos))
        return labelled(count)

    monkeypatch.setattr(module, "load_held_out", give)
    return asked


def test_the_command_replaces_the_checkpoint_and_prints(own: Path, drawn: list[tuple[Any, ...]]) -> None:
    before = digest(own)
    result = CliRunner().invoke(
        app, ["thresholds", "--checkpoint", str(own), "--retake-budget", "0.1", "--samples", "36"]
    )
    assert result.exit_code == 0, result.output
    assert drawn == [(36, "val", None)]
    assert digest(own) != before
    new, _ = load_checkpoint(own)
    for words in ("a retake budget of 0.1", "36 validation photos", "poor quality", "low resolution", "temperature"):
        assert words in result.stdout
    assert f"– → {new.spec.poor_quality_threshold:.3f}" in result.stdout
    assert "imageqx export" in result.stderr


def test_the_checkpoint_is_read_once(
    own: Path, drawn: list[tuple[Any, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, read = [], checkpoint_file.read_safetensors

    def count(path: Path) -> Any:
        reads.append(path)
        return read(path)

    monkeypatch.setattr(checkpoint_file, "read_safetensors", count)
    choose_from_sources(ThresholdsConfig(own, YOUDEN, tmp_path / "new.safetensors"), samples=36)
    assert reads == [own]


def test_the_commands_json_is_json(own: Path, drawn: list[tuple[Any, ...]], tmp_path: Path) -> None:
    out, clinic = tmp_path / "new.safetensors", tmp_path / "clinic.json"
    options = ["--youden", "--samples", "36", "--no-temperature", "--photos", str(tmp_path), "--json"]
    paths = ["--checkpoint", str(own), "--out", str(out), "--thresholds-out", str(clinic)]
    result = CliRunner().invoke(app, ["thresholds", *paths, *options])
    assert result.exit_code == 0, result.output
    body = json.loads(result.stdout)
    assert drawn == [(36, "val", tmp_path)]
    assert body["sha256"] == digest(out) and body["criterion"]["kind"] == "youden"
    assert body["before"]["blurry"]["threshold"] == 0.5
    assert body["achieved"]["blurry"]["threshold"] == json.loads(clinic.read_text())["reasons"]["blurry"]
    assert load_checkpoint(out)[0].temperatures is None


def test_the_command_reads_a_tables_validation_split(own: Path, tmp_path: Path) -> None:
    photos = labelled(12)
    with (tmp_path / "ratings.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "rater", "evaluation", "reasons", "split"])
        for index, pixels in enumerate(photos.pixels):
            Image.fromarray(pixels).save(tmp_path / f"{index}.png")
            poor = index % 2 == 0
            reasons = ";".join(name for i, name in enumerate(REASONS) if poor and (index // 2 + i) % 2)
            split = "val" if index < 8 else ("train", "test")[index % 2]
            rows.writerow([f"{index}.png", "a", "poor_quality" if poor else "no_skin", reasons, split])
    options = ["--annotations", str(tmp_path / "ratings.csv"), "--images", str(tmp_path), "--youden", "--json"]
    result = CliRunner().invoke(app, ["thresholds", "--checkpoint", str(own), *options])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["photos"] == 8


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "only one"),
        (("--youden", "--ppv", "0.9"), "only one"),
        (("--retake-budget", "1.5"), "not a share"),
        (("--youden", "--checkpoint", "none.safetensors"), "none.safetensors"),
    ],
)
def test_mistakes_get_one_clear_message(cli: Cli, options: tuple[str, ...], words: str) -> None:
    result = cli("thresholds", *options)
    assert result.returncode == 1
    assert words in result.stderr and "Traceback" not in result.stderr
