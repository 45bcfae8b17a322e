"""The thresholds stage: what is written into the checkpoint, what stays, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from imageqx_export.artifact import Temperatures
from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.data.sources import Sources
from imageqx_export.decisions import apply_thresholds, decide
from imageqx_export.errors import CheckpointError, DatasetError
from imageqx_export.networks.imageqx.spec import REASONS, spec
from imageqx_export.runtimes import load_runtime
from imageqx_export.support.files import digest
from imageqx_export.thresholds.criteria import Criterion
from imageqx_export.thresholds.stage import (
    Choice,
    ThresholdsConfig,
    choose_from_sources,
    choose_thresholds,
    compute_logits,
)
from tests.thresholds.fakes import COUNT, labelled

Array = NDArray[Any]
BUDGET = Criterion(kind="retake_budget", value=0.25)
YOUDEN = Criterion(kind="youden")


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
