"""The model card: says what the model is not, how it was made, and from whose photos."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from imageqx_export import networks
from imageqx_export.artifact import Checkpoint
from imageqx_export.cli import app
from imageqx_export.training.card import write_card
from imageqx_export.training.loop import TrainingConfig
from imageqx_export.training.metrics import score

CONFIG = TrainingConfig(epochs=12, small_epochs=10, samples=64, batch_size=16, learning_rate=2e-4, seed=9)
MANIFEST = """\
file,group,class,source,licence
lesion/a.jpg,p1,lesion,Hospital A,CC-BY-4.0
lesion/b.jpg,p2,lesion,Hospital A,CC-BY-4.0
no_skin/c.jpg,s1,no_skin,Open rooms,CC0-1.0
healthy_skin/d.jpg,p3,healthy_skin,Hands & feet,CC-BY-SA-3.0
healthy_skin/e.jpg,p3,healthy_skin,,
"""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    rng = np.random.default_rng(0)
    metrics = score(
        rng.dirichlet(np.ones(4), 30).astype(np.float32),
        rng.random((30, 5), np.float32),
        rng.integers(0, 4, 30),
        rng.integers(0, 2, (30, 5)).astype(np.float32),
    )
    provenance: dict[str, Any] = {
        "config": asdict(CONFIG),
        "history": [{"epoch": epoch, "loss": 1.0, "quality_macro_f1": 0.5} for epoch in range(1, 13)],
        "photos": {"used": {"lesion": 2, "no_skin": 1, "healthy_skin": 1}, "skipped": {"unreadable": 0}},
        "versions": {"torch": "2.13.0"},
    }
    spec = networks.spec("imageqx")
    path = tmp_path / "imageqx.safetensors"
    return Checkpoint(path=path, sha256="ab" * 32, spec=spec, metrics=metrics, provenance=provenance)


def card(checkpoint: Checkpoint, photos: Path | None) -> str:
    path = checkpoint.path.with_suffix(".md")
    write_card(checkpoint, path, photos)
    return path.read_text(encoding="utf-8")


def tables(text: str) -> list[list[list[str]]]:
    """Return the cells of every table, as GitHub reads them: a table goes on until an empty line."""
    found = []
    for part in text.split("\n\n"):
        lines = part.strip("\n").split("\n")
        if lines[0].startswith("|"):
            assert set(lines[1]) <= set("|-")
            found.append([[cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:])])
    return found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_sources_and_licences(checkpoint: Checkpoint, tmp_path: Path, encoding: str) -> None:
    (tmp_path / "manifest.csv").write_text(MANIFEST, encoding=encoding)
    sources, scores = tables(card(checkpoint, tmp_path))
    assert sources[0] == ["class", "source", "licence", "photos"]
    assert sorted(sources[1:]) == [
        ["healthy_skin", "Hands & feet", "CC-BY-SA-3.0", "1"],
        ["lesion", "Hospital A", "CC-BY-4.0", "2"],
        ["no_skin", "Open rooms", "CC0-1.0", "1"],
    ]
    assert len(scores) == 1 + 4 + 5


def test_it_says_what_the_model_is_not(checkpoint: Checkpoint) -> None:
    text = card(checkpoint, None)
    assert "not a medical device" in text and "not\nvalidated on patients" in text
    assert "ab" * 32 in text and "torch 2.13.0" in text and "{" not in text


def test_the_command_makes_the_same_configuration(checkpoint: Checkpoint) -> None:
    (line,) = [line for line in card(checkpoint, None).splitlines() if line.startswith("imageqx train")]
    command: Any = typer.main.get_command(app)
    words = shlex.split(line)[2:]
    parsed = command.commands["train"].make_context("train", words).params
    config = asdict(CONFIG) | {"init": CONFIG.initialisation}
    shared = [name for name in parsed if name in config and name != "workers"]
    assert len(shared) >= 9 and all(parsed[name] == config[name] for name in shared)
    assert str(parsed["photos"]) == "DIR"


def test_scores_are_the_checkpoints(checkpoint: Checkpoint) -> None:
    (scores,) = tables(card(checkpoint, None))
    metrics: dict[str, Any] = checkpoint.metrics
    rows = {row[0]: row[1:] for row in scores[1:]}
    expected = metrics["quality"] | metrics["explanations"]
    assert rows.keys() == {name.replace("_", " ") for name in expected}
    for name, value in expected.items():
        order = (value["f1"], value["recall"], value["specificity"])
        assert rows[name.replace("_", " ")] == [f"{number:.2f}" for number in order]


def test_photos_without_a_manifest(checkpoint: Checkpoint, tmp_path: Path) -> None:
    text = card(checkpoint, tmp_path)
    assert "no manifest" in text and "2 lesion, 1 no skin, 1 healthy skin" in text


def test_without_photos(checkpoint: Checkpoint) -> None:
    painted = checkpoint.model_copy(update={"provenance": checkpoint.provenance | {"photos": None}})
    text = card(painted, None)
    assert "painted scenes alone" in text and "--photos" not in text
