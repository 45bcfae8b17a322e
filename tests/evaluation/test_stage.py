"""The stage, on a fake model: what is written, what is refused, and that nothing depends on who is measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import f1_score, roc_auc_score

from imageqx_export.data.annotations import Rating
from imageqx_export.errors import ArtifactError, DatasetError, ImageQXError
from imageqx_export.evaluation import report, running
from imageqx_export.evaluation.agreement import measure_agreement
from imageqx_export.evaluation.scores import measure
from imageqx_export.evaluation.stage import FILES, assess, evaluate
from imageqx_export.networks.imageqx.spec import LABELS, REASONS, spec
from tests.evaluation.fakes import FakeRuntime, answers, labelled

PHOTOS = labelled(0, 70)
OUTPUTS = answers(PHOTOS, 1)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "evaluation"
    evaluate(FakeRuntime(OUTPUTS), PHOTOS, out, model_name="fake.onnx", agreement=measure_agreement(ratings()))
    return out


def ratings() -> Iterator[Rating]:
    """Three raters on 40 photos; the third disagrees with most."""
    for k in range(40):
        for rater in range(3):
            label = LABELS[(k + (rater == 2 and k % 3 > 0)) % 4]
            reasons = ("blurry",) if label == "poor_quality" else ()
            yield Rating(f"{k}.jpg", f"rater {rater}", "L57.0" if label == "lesion" else label, reasons)


def body(out: Path) -> Any:
    return json.loads((out / "evaluation.json").read_text())


def test_the_folder_has_everything(written: Path) -> None:
    assert sorted(path.name for path in written.iterdir()) == sorted(FILES)
    for path in written.glob("*.png"):
        with Image.open(path) as picture:
            assert min(picture.size) > 400
            assert len(set(picture.convert("L").resize((64, 64)).get_flattened_data())) > 10, path.name
    text = (written / "evaluation.md").read_text()
    assert all(f"({path.name})" in text for path in written.glob("*.png"))
    assert [path.name for path in written.parent.iterdir()] == ["evaluation"]


def test_the_numbers_are_scikit_learns(written: Path) -> None:
    got = body(written)
    decided = OUTPUTS["quality"].argmax(1)
    ticked = OUTPUTS["explanations"] >= 0.5
    assert (got["model"], got["source"], got["photos"]) == ("fake.onnx", "photos of noise", 70)
    assert got["quality_macro_f1"] == pytest.approx(f1_score(PHOTOS.quality, decided, average="macro"))
    assert got["explanations_macro_f1"] == pytest.approx(f1_score(PHOTOS.reasons, ticked, average="macro"))
    for k, name in enumerate(LABELS):
        assert got["quality"][name]["f1"] == pytest.approx(f1_score(PHOTOS.quality == k, decided == k))
    for k, name in enumerate(REASONS):
        truth, scores = PHOTOS.reasons[:, k], OUTPUTS["explanations"][:, k]
        assert got["explanations"][name]["auc"] == pytest.approx(roc_auc_score(truth, scores))
    assert np.array(got["confusion"]).sum() == 70
    assert set(got["skin"]) >= {"I–III", "IV–VI"}
    assert sum(got["skin"][name]["photos"] for name in ("I–III", "IV–VI")) == 70


def test_the_json_is_sorted_and_without_nan(written: Path) -> None:
    text = (written / "evaluation.json").read_text()
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
    assert "NaN" not in text and "Infinity" not in text


def test_the_markdown_has_whole_tables_and_the_jsons_numbers(written: Path) -> None:
    text = (written / "evaluation.md").read_text()
    got = body(written)
    for title in ("Table 1", "Table 2", "Table 3", "Table 4", "By skin type"):
        assert f"## {title}" in text
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(blocks) == 6
    for lines in blocks:
        assert len({line.count("|") for line in lines}) == 1, lines
        assert set(lines[1]) <= set("|-:")
    low, high = got["quality"]["lesion"]["f1_ci"]
    assert f"{got['quality']['lesion']['f1']:.2f} ({low:.2f}–{high:.2f})" in text


def test_raters_stand_beside_the_model(written: Path) -> None:
    got, known = body(written)["raters"], measure_agreement(ratings())
    assert got["quality"]["lesion"]["f1"] == pytest.approx(known.labels["lesion"].mean)
    assert got["quality"]["lesion"]["pairs"] == 3
    assert got["explanations"]["bad_light"] == {"expert_level": None, "f1": None, "f1_sd": None, "pairs": 0}
    for name in LABELS:
        row, mine = known.labels[name], body(written)["quality"][name]["f1"]
        assert row.mean is not None and row.sd is not None
        assert got["quality"][name]["expert_level"] == (mine >= row.mean - row.sd)
    text = (written / "evaluation.md").read_text()
    assert f"{known.labels['lesion'].mean:.2f} ± {known.labels['lesion'].sd:.2f}" in text
    assert "expert level" in text


def test_the_same_model_under_another_name_scores_the_same(written: Path) -> None:
    other, _ = assess(FakeRuntime(OUTPUTS), PHOTOS, model_name="other.tflite", agreement=measure_agreement(ratings()))
    assert {**report.to_json(other), "model": "fake.onnx"} == body(written)


def test_a_second_call_replaces_the_first_with_the_same_bytes(tmp_path: Path, written: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "evaluation.json").write_text("an earlier one")
    evaluate(
        FakeRuntime(OUTPUTS), PHOTOS, tmp_path / "b", model_name="fake.onnx", agreement=measure_agreement(ratings())
    )
    for name in FILES:
        assert (tmp_path / "b" / name).read_bytes() == (written / name).read_bytes(), name


def test_another_model_scores_differently(written: Path) -> None:
    other, _ = assess(FakeRuntime(answers(PHOTOS, 2)), PHOTOS, model_name="fake.onnx")
    assert report.to_json(other)["quality"] != body(written)["quality"]
    assert report.to_json(other)["raters"] is None
    assert "expert" not in report.to_markdown(other)


def test_thresholds_decide_and_leave_the_curves_alone() -> None:
    strict = spec().model_copy(
        update={"thresholds": {**spec().thresholds, "blurry": 0.95}, "poor_quality_threshold": 0.9}
    )
    usual, other = (measure(PHOTOS, OUTPUTS, model) for model in (spec(), strict))
    poor = OUTPUTS["quality"][:, LABELS.index("poor_quality")] >= 0.9
    assert other.confusion[:, 3].sum() == poor.sum() < usual.confusion[:, 3].sum()
    blurry = other.explanations.row("blurry")
    assert blurry.tp + blurry.fp == (OUTPUTS["explanations"][:, 2] >= 0.95).sum()
    assert other.explanations.row("bad_light") == usual.explanations.row("bad_light")
    assert [row.auc for row in other.curves] == [row.auc for row in usual.curves]
    assert other.reliabilities == usual.reliabilities


def test_photos_are_run_32_at_a_time_in_their_order() -> None:
    runtime = FakeRuntime(OUTPUTS)
    got = running.run(runtime, PHOTOS, "fake")
    assert runtime.batches == [32, 32, 6]
    assert all(np.array_equal(got[name], OUTPUTS[name]) for name in OUTPUTS)


@pytest.mark.parametrize("kind", ["one photo", "all alike", "all wrong"])
def test_degenerate_photos_end_in_a_report(tmp_path: Path, kind: str) -> None:
    photos = labelled(0, 1) if kind == "one photo" else labelled(0, 12, fitzpatrick=False)
    if kind == "all alike":
        photos = replace(photos, quality=np.zeros(12, np.int64), reasons=np.zeros((12, 5), np.float32))
    outputs = answers(photos, 0, skill=-20 if kind == "all wrong" else 2)
    result, _ = assess(FakeRuntime(outputs), photos, model_name="fake")
    got = report.to_json(result)
    if kind != "all wrong":
        evaluate(FakeRuntime(outputs), photos, tmp_path / "out", model_name="fake")
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FILES)
    if kind == "all alike":
        assert got["explanations_macro_f1"] is None and got["explanations"]["blurry"]["auc"] is None
        assert got["quality"]["no_skin"]["recall"] is None and got["quality"]["lesion"]["specificity"] is None
    if kind == "all wrong":
        assert got["quality_macro_f1"] == 0
        assert got["explanations"]["blurry"]["recall"] == 0
    assert "nan" not in report.to_markdown(result).lower().replace("not an", "")


def test_mistakes_are_one_clear_error_and_nothing_is_written(tmp_path: Path) -> None:
    runtime, out = FakeRuntime(OUTPUTS), tmp_path / "out"
    with pytest.raises(DatasetError, match="no photos"):
        evaluate(runtime, labelled(0, 0), out, model_name="fake")
    broken = {**OUTPUTS, "explanations": OUTPUTS["explanations"].copy()}
    broken["explanations"][3, 2] = np.nan
    with pytest.raises(ArtifactError, match=r"1 of 350 are NaN"):
        evaluate(FakeRuntime(broken), PHOTOS, out, model_name="fake")
    other = spec().model_copy(update={"labels": LABELS[::-1]})
    with pytest.raises(ArtifactError, match="another model's labels"):
        evaluate(FakeRuntime(OUTPUTS, other), PHOTOS, out, model_name="fake")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_other_files_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("ten years")
    runtime = FakeRuntime(OUTPUTS)
    with pytest.raises(ImageQXError, match=r"thesis\.txt"):
        evaluate(runtime, PHOTOS, tmp_path, model_name="fake")
    with pytest.raises(ImageQXError, match=r"thesis\.txt"):
        evaluate(runtime, PHOTOS, tmp_path / "thesis.txt", model_name="fake")
    assert runtime.batches == []
    assert (tmp_path / "thesis.txt").read_text() == "ten years"
