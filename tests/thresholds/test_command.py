"""imageqx thresholds: the checkpoint that it replaces, what it prints, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from imageqx_export import checkpoint as checkpoint_file
from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.cli import app
from imageqx_export.data.labels import LabelledPhotos, Split
from imageqx_export.data.settings import PhotoSettings
from imageqx_export.data.sources import Sources
from imageqx_export.networks.imageqx.spec import REASONS
from imageqx_export.support.files import digest
from imageqx_export.support.progress import Progress, silent
from imageqx_export.thresholds import stage
from imageqx_export.thresholds.criteria import Criterion
from imageqx_export.thresholds.stage import ThresholdsConfig, choose_from_sources
from tests.conftest import Cli
from tests.thresholds.fakes import labelled

YOUDEN = Criterion(kind="youden")


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

    monkeypatch.setattr(stage, "load_held_out", give)
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
