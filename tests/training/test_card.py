"""The model card: says what the model is not, how it was made, from whose photos, and what it scores."""

from __future__ import annotations

import shlex
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from imageqx_export.artifact import Checkpoint
from imageqx_export.cli import app
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.networks.imageqx.spec import LABELS, REASONS, spec
from imageqx_export.thresholds.criteria import Criterion, measure
from imageqx_export.thresholds.stage import Choice
from imageqx_export.thresholds.temperature import TemperatureFit
from imageqx_export.training.card import write_card
from imageqx_export.training.config import TrainingConfig
from imageqx_export.training.metrics import score
from imageqx_export.training.seeds import summarise
from imageqx_export.training.targets import make_config
from imageqx_export.training.targets.labels import TARGETS

CONFIG = TrainingConfig(epochs=12, small_epochs=10, samples=64, batch_size=16, learning_rate=2e-4, seed=9)
SKIPPED = {"unreadable": 2, "under 96 px": 0}
SIDES = {
    side: {"lesion": 2, "healthy_skin": 1, "no_skin": count} for count, side in enumerate(("train", "val", "test"))
}
SYNTHETIC: dict[str, Any] = {"validation": "4 scenes", "synthetic_scenes": 2048}
PHOTOS: dict[str, Any] = {**SYNTHETIC, "photos": {**SIDES, "skipped": SKIPPED}}
RATED: dict[str, Any] = {**SYNTHETIC, "rated": {"photos": 4321, "table": "ratings.csv"}}
MANIFEST = """\
file,group,class,source,licence
lesion/a.jpg,p1,lesion,Hospital A,CC-BY-4.0
lesion/b.jpg,p2,lesion,Hospital A,CC-BY-4.0
no_skin/c.jpg,s1,no_skin,Open rooms,CC0-1.0
healthy_skin/d.jpg,p3,healthy_skin,Hands & feet,CC-BY-SA-3.0
healthy_skin/e.jpg,p3,healthy_skin,,
"""


def choice(criterion: Criterion) -> Choice:
    """Thresholds of which low resolution's was kept, as no photo has it."""
    rng = np.random.default_rng(5)
    rows = {}
    for i, name in enumerate(("poor_quality", *REASONS)):
        truth = np.zeros(20, bool) if name == "low_resolution" else rng.random(20) < 0.5
        rows[name] = measure(rng.random(20) < 0.5, truth, 0.3 + i / 100)
    fits = {
        name: TemperatureFit(temperature=1 + i / 7, nll=(0.5, 0.4), ece=(0.1, 0.05))
        for i, name in enumerate(("quality", *REASONS))
    }
    return Choice(
        criterion=criterion,
        photos=20,
        source="20 val samples",
        before=rows,
        achieved=rows,
        kept=("low_resolution",),
        temperatures=fits,
    )


def made(
    folder: Path,
    data: dict[str, Any],
    seeds: tuple[int, ...] = (9,),
    chosen: Criterion | None = None,
    config: TrainingConfig = CONFIG,
) -> Checkpoint:
    """Make a checkpoint's facts, as the stage does."""
    rng = np.random.default_rng(len(seeds))
    truth, flags = rng.integers(0, 4, 30), rng.integers(0, 2, (30, 5)).astype(np.float32)
    photos = LabelledPhotos(
        np.zeros((30, 1, 1, 3), np.uint8), truth, flags, truth, ("",) * 30, "30 test samples: scenes"
    )
    scores = [{"test": score(rng.integers(0, 4, 30), rng.random((30, 5)) < 0.5, truth, flags, spec())} for _ in seeds]
    provenance: dict[str, Any] = {
        "config": asdict(config),
        "history": [{"epoch": epoch, "loss": 1.0, "quality_macro_f1": 0.5} for epoch in range(1, 13)],
        "data": data,
        "versions": {"torch": "2.13.0", "torchvision": "0.28.0"},
    }
    path = folder / "imageqx.safetensors"
    base = Checkpoint(path=path, sha256="ab" * 32, spec=spec(), metrics={}, provenance=provenance)
    runs = [base.model_copy(update={"provenance": {"config": {"seed": seed}}}) for seed in seeds]
    provenance = {**provenance, "seeds": summarise(runs, scores, {"test": photos}, TARGETS).model_dump(mode="json")}
    if chosen is not None:
        provenance["thresholds"] = choice(chosen).provenance()
    return base.model_copy(update={"provenance": provenance})


def card(checkpoint: Checkpoint, photos: Path | None = None) -> str:
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
        else:
            assert not any(line.startswith("|") for line in lines), "a table that is part of a paragraph"
    return found


def commands(text: str) -> list[dict[str, Any]]:
    """Parse the card's commands as typer does; an option that does not exist raises."""
    lines = [line for line in text.splitlines() if line.startswith("imageqx train")]
    group: Any = typer.main.get_command(app)
    return [group.commands["train"].make_context("train", shlex.split(line)[2:]).params for line in lines]


@pytest.mark.parametrize("data", [SYNTHETIC, PHOTOS, RATED, {**PHOTOS, "rated": RATED["rated"]}])
@pytest.mark.parametrize("seeds", [(9,), (0, 1, 2, 3, 4)])
@pytest.mark.parametrize(
    "chosen",
    [None, Criterion(kind="retake_budget", value=0.05), Criterion(kind="youden"), Criterion(kind="ppv", value=0.9)],
)
def test_every_kind_of_run_has_a_card(
    tmp_path: Path, data: dict[str, Any], seeds: tuple[int, ...], chosen: Criterion | None
) -> None:
    text = card(made(tmp_path, data, seeds, chosen))
    assert "{" not in text.replace("{seed}", "") and "None" not in text and "\n\n\n\n" not in text
    assert len(tables(text)) == (1 if chosen is None else 2)
    assert ("Threshold 0.5." in text) == (chosen is None)
    assert ("runs with seeds 0, 1, 2, 3, 4" in text) == (len(seeds) > 1)
    assert ("nothing about agreement with dermatologists" in text) == ("rated" not in data)
    assert ("4321 photos of `ratings.csv`" in text) == ("rated" in data)
    assert ("synthetic scenes alone" in text) == (data is SYNTHETIC)
    (parsed,) = commands(text)
    assert str(parsed["photos"]) == ("DIR" if "photos" in data else "None")
    assert str(parsed["annotations"]) == ("ratings.csv" if "rated" in data else "None")
    assert parsed["retake_budget"] == (0.05 if chosen and chosen.kind == "retake_budget" else None)


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        TrainingConfig(),
        replace(
            CONFIG, soft_labels=True, initialisation="lite0", restart_epochs=3, restart_factor=2, arithmetic="bf16"
        ),
        replace(
            CONFIG,
            photo_share=0.25,
            rated_share=0.5,
            synthetic_scenes=99,
            ema_decay=0.0,
            label_smoothing=0.1,
            weight_decay=0.0,
        ),
    ],
)
@pytest.mark.parametrize("seeds", [1, 3])
def test_the_command_makes_the_same_configuration(tmp_path: Path, config: TrainingConfig, seeds: int) -> None:
    first = config.seed
    best = replace(config, seed=first + seeds - 1)
    text = card(made(tmp_path, PHOTOS, tuple(range(first, first + seeds)), config=best))
    (parsed,) = commands(text)
    options = {f.name: parsed["init" if f.name == "initialisation" else f.name] for f in fields(config)}
    assert make_config(**options) == config
    assert parsed["seeds"] == seeds


def test_a_checkpoint_of_an_earlier_version_has_the_same_card(tmp_path: Path) -> None:
    checkpoint = made(tmp_path, PHOTOS, config=replace(CONFIG, synthetic_scenes=99))
    provenance: dict[str, Any] = checkpoint.provenance
    old = {{"synthetic_scenes": "painted"}.get(name, name): value for name, value in provenance["config"].items()}
    assert old["painted"] == 99 and "synthetic_scenes" not in old
    earlier = checkpoint.model_copy(update={"provenance": {**provenance, "config": old}})
    assert card(earlier) == card(checkpoint)


def test_a_command_with_an_unknown_option_does_not_parse() -> None:
    """Of the tests above: what they would say of a wrong card."""
    with pytest.raises(Exception, match="No such option"):
        commands("imageqx train --workers 3")


def test_a_run_that_goes_on_from_another_has_both_commands(tmp_path: Path) -> None:
    first = made(tmp_path, PHOTOS).provenance
    config = replace(CONFIG, initialisation="first.safetensors", epochs=3)
    checkpoint = made(tmp_path, RATED, config=config)
    checkpoint = checkpoint.model_copy(update={"provenance": {**checkpoint.provenance, "origin": first}})
    before, after = commands(card(checkpoint))
    assert str(before["out"]) == after["init"] == "first.safetensors"
    assert (before["epochs"], after["epochs"]) == (12, 3)
    assert (before["photos"] is None, after["photos"] is None) == (False, True)


def test_it_says_what_the_model_is_not(tmp_path: Path) -> None:
    text = card(made(tmp_path, SYNTHETIC))
    assert "not a medical device" in text and "not\nvalidated on patients" in text
    assert "ab" * 32 in text and "torch 2.13.0" in text and "torchvision 0.28.0" in text


@pytest.mark.parametrize("seeds", [(9,), (9, 10, 11)])
def test_scores_are_those_of_the_provenance(tmp_path: Path, seeds: tuple[int, ...]) -> None:
    checkpoint = made(tmp_path, PHOTOS, seeds)
    provenance: dict[str, Any] = checkpoint.provenance
    reached = provenance["seeds"]["tests"]["test"]
    (cells,) = tables(card(checkpoint))
    assert cells[0] == ["", "F1", "recall", "specificity"]
    names = [name.replace("_", " ") for name in (*LABELS, "**mean**", *REASONS, "**mean**")]
    assert [row[0] for row in cells[1:]] == names
    rows = [reached["rows"][name] for name in LABELS] + [reached["macro"]["quality"]]
    rows += [reached["rows"][name] for name in REASONS] + [reached["macro"]["explanations"]]
    for row, expected in zip(cells[1:], rows, strict=True):
        for cell, key in zip(row[1:], ("f1", "recall", "specificity"), strict=True):
            mean, _, sd = cell.partition(" ± ")
            assert float(mean) == pytest.approx(expected[key]["mean"], abs=5.1e-4)
            assert (sd == "") == (len(seeds) == 1) == (expected[key]["sd"] is None)
            assert sd == "" or float(sd) == pytest.approx(expected[key]["sd"], abs=5.1e-4)


def test_thresholds_are_those_of_the_provenance(tmp_path: Path) -> None:
    checkpoint = made(tmp_path, PHOTOS, chosen=Criterion(kind="retake_budget", value=0.05))
    provenance: dict[str, Any] = checkpoint.provenance
    text, record = card(checkpoint), provenance["thresholds"]
    assert "(20 photos; retake budget 0.05)" in text
    _, cells = tables(text)
    assert [row[0] for row in cells[1:]] == ["poor quality", *(name.replace("_", " ") for name in REASONS)]
    for row in cells[1:]:
        name = row[0].replace(" ", "_")
        values, fit = record["achieved"][name], record["temperatures"]["quality" if name == "poor_quality" else name]
        assert row[1] == f"{values['threshold']:.3f}" and row[4] == f"{fit['temperature']:.2f}"
        for cell, key in ((row[2], "sensitivity"), (row[3], "specificity")):
            assert cell == ("–" if values[key] is None else f"{values[key]:.2f}")
    assert cells[5][2] == "–", "no photo is of low resolution"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_sources_and_licences(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "manifest.csv").write_text(MANIFEST, encoding=encoding)
    sources, _ = tables(card(made(tmp_path, PHOTOS), tmp_path))
    assert sources[0] == ["class", "source", "licence", "photos"]
    assert sorted(sources[1:]) == [
        ["healthy skin", "Hands &amp; feet", "CC-BY-SA-3.0", "1"],  # as Markdown and HTML write it
        ["lesion", "Hospital A", "CC-BY-4.0", "2"],
        ["no skin", "Open rooms", "CC0-1.0", "1"],
    ]


def test_photos_without_a_manifest(tmp_path: Path) -> None:
    text = card(made(tmp_path, PHOTOS), tmp_path)
    assert "no manifest" in text and "test 2 lesion, 1 healthy skin, 2 no skin." in text
    assert "left out (2 unreadable, 0 under 96 px)" in text
