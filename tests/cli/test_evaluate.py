"""The command as a person runs it: on a rated table, on every kind of file, and with mistakes."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from imageqx_export.cli import app
from imageqx_export.data.annotated import read_labelled, read_labels, write_labels
from imageqx_export.errors import ImageQXError
from imageqx_export.evaluation import report
from imageqx_export.evaluation.raters import measure_split_agreement
from imageqx_export.evaluation.stage import FILES, assess
from imageqx_export.runtimes import load_runtime
from tests.conftest import CHECKPOINT, Cli

LABELS = ("L57.0", "no_skin", "healthy_skin", "poor_quality")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write 12 photos of coloured noise, in the three splits, and two raters' opinions of each."""
    folder = tmp_path_factory.mktemp("rated")
    rng = np.random.default_rng(0)
    with (folder / "ratings.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "rater", "evaluation", "reasons", "patient", "split", "fitzpatrick"])
        for k in range(12):
            noise = rng.integers(0, 256, (6, 8, 3), np.uint8)
            Image.fromarray(noise).resize((200, 150)).save(folder / f"{k}.jpg")
            split = ("train", "val", "test", "test")[k % 4]
            for rater, label in (("anna", LABELS[k % 3]), ("ben", LABELS[k % 4])):
                reasons = "blurry;bad_light" if label == "poor_quality" else ""
                rows.writerow([f"{k}.jpg", rater, label, reasons, f"patient {k}", split, k % 6 + 1])
    return folder


def command(table: Path, *more: str | Path) -> tuple[str | Path, ...]:
    return ("evaluate", "--annotations", table / "ratings.csv", "--images", table, *more)


def test_a_rated_table_gives_a_report(table: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, list(map(str, command(table, CHECKPOINT, "--out", tmp_path / "out", "--json"))))
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert printed == json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FILES)
    assert (printed["model"], printed["photos"]) == ("imageqx.safetensors", 6)
    assert printed["raters"]["quality"]["lesion"]["pairs"] == 1
    assert printed["skin"]["IV–VI"]["photos"] + printed["skin"]["I–III"]["photos"] == 6


def test_a_clinics_thresholds_and_the_validation_split(table: Path, tmp_path: Path) -> None:
    (tmp_path / "clinic.json").write_text('{"schema_version": 1, "poor_quality": 0.0, "reasons": {"blurry": 0.0}}')
    options = ("--split", "val", "--thresholds", tmp_path / "clinic.json", "--out", tmp_path / "out")
    result = CliRunner().invoke(app, list(map(str, command(table, CHECKPOINT, *options))))
    assert result.exit_code == 0, result.output
    assert "Table 3. The model, per class" in result.output and "(0." in result.output
    body = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert body["photos"] == 3
    assert [row[3] for row in body["confusion"]] == [sum(row) for row in body["confusion"]]  # everything is poor
    assert body["explanations"]["blurry"]["specificity"] in (0, None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--split", "train"), "one of test, val"),
        (("--annotations", "t.csv"), "--images"),
        (("--annotations", "t.csv", "--images", ".", "--photos", "."), "two sources"),
        ((CHECKPOINT, "--annotations", "none.csv", "--images", "."), "none.csv"),
        (("none.onnx",), "none.onnx"),
        (("--out", "."), "something else than an evaluation"),
    ],
)
def test_mistakes_are_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str | Path, ...], words: str
) -> None:
    (tmp_path / "mine.txt").touch()
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
    assert isinstance(result.exception, ImageQXError)
    assert words in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_mistake_is_printed_without_a_traceback(cli: Cli) -> None:
    result = cli("evaluate", "--split", "train")
    assert result.returncode == 1
    assert result.stderr.startswith("error: unknown split to evaluate on 'train'")
    assert "Traceback" not in result.stderr


def test_labels_without_raters_give_no_agreement(table: Path, tmp_path: Path) -> None:
    write_labels(read_labels(table / "ratings.csv"), tmp_path / "labels.csv")
    assert measure_split_agreement(tmp_path / "labels.csv", "test") is None
    known = measure_split_agreement(table / "ratings.csv", "test")
    assert known is not None
    assert (known.raters, known.images) == (2, 6)
    text = (table / "ratings.csv").read_text().splitlines(keepends=True)
    (tmp_path / "one.csv").write_text("".join(line for line in text if ",ben," not in line))
    assert measure_split_agreement(tmp_path / "one.csv", "test") is None


def test_artifacts_score_as_their_checkpoint_does(exported: Path, checkpoint: Path, table: Path) -> None:
    photos = read_labelled(table / "ratings.csv", table, "test")
    bodies = {}
    for path in (checkpoint, *(exported / f"imageqx_fp32{end}" for end in (".onnx", ".tflite", ".mlpackage"))):
        bodies[path.name] = report.to_json(assess(load_runtime(path), photos, model_name=path.name)[0])
    reference = bodies.pop(checkpoint.name)
    assert len(bodies) == 3
    for name, body in bodies.items():
        assert body["confusion"] == reference["confusion"], name
        assert numbers(body) == pytest.approx(numbers(reference), abs=1e-4), name


def numbers(body: Mapping[str, Any]) -> list[float]:
    """List the measures of the model, per class and reason, without intervals."""
    rows = [body[group][name] for group in ("quality", "explanations") for name in sorted(body[group])]
    return [value for row in rows for _, value in sorted(row.items()) if isinstance(value, float)]
