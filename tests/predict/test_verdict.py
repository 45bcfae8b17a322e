"""Verdicts, hints and pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from imageqx_export.artifact import ModelSpec, Outputs, Pixels, TensorSpec
from imageqx_export.cli import app
from imageqx_export.data.held_out import make_synthetic_samples
from imageqx_export.decisions import apply_thresholds, decide
from imageqx_export.errors import ArtifactError, PhotoError, UnknownNameError
from imageqx_export.evaluation.heatmap import blend
from imageqx_export.networks.imageqx.spec import HINTS, LABELS, REASONS, spec
from imageqx_export.predict.overlay import caption_map, draw_attention
from imageqx_export.predict.verdict import make_maps, make_verdict, predict_photos
from imageqx_export.support.files import digest
from tests.binary_spec import binary_spec
from tests.conftest import Cli


class FakeRuntime:
    """Answer the same for every photo."""

    def __init__(self, quality: list[float], explanations: list[float]) -> None:
        self.spec: ModelSpec = spec()
        self.signature: tuple[TensorSpec, ...] = self.spec.outputs
        self.answers = (quality, explanations)

    def run(self, pixels: Pixels) -> Outputs:
        quality, explanations = (np.array([row] * len(pixels), np.float32) for row in self.answers)
        attention = np.random.default_rng(0).random((len(pixels), 5, 7, 7), dtype=np.float32)
        return {"quality": quality, "explanations": explanations, "attention": attention}


def hints_of(quality: list[float], explanations: list[float], model: ModelSpec | None = None) -> list[str]:
    rows = {"quality": np.array([quality], np.float32), "explanations": np.array([explanations], np.float32)}
    return list(make_verdict(Path("x.jpg"), rows, 0, model or spec()).hints)


def test_the_worst_reason_comes_first() -> None:
    hints = hints_of([0.1, 0.1, 0.1, 0.7], [0.1, 0.6, 0.9, 0.2, 0.7])
    assert hints == [HINTS["blurry"], HINTS["too_far_away"], HINTS["bad_light"]]
    assert HINTS["blurry"] == "Hold the phone still and tap to focus"


def test_worse_is_measured_from_each_reasons_own_threshold() -> None:
    model = spec().model_copy(update={"thresholds": {**spec().thresholds, "blurry": 0.88}})
    assert hints_of([0, 0, 0, 1], [0.1, 0.6, 0.9, 0.2, 0.7], model)[0] == HINTS["too_far_away"]


def test_a_good_photo_gets_no_hint_and_a_poor_one_always_does() -> None:
    assert hints_of([0.9, 0, 0, 0.1], [0.9] * 5) == []
    assert hints_of([0, 0, 0.1, 0.9], [0.1, 0.2, 0.3, 0.4, 0.05]) == [HINTS["low_resolution"]]


def test_labels_and_probabilities_keep_their_places(tmp_path: Path) -> None:
    Image.new("RGB", (50, 40), "red").save(tmp_path / "a.png")
    ((result, maps),) = predict_photos(
        [tmp_path / "a.png"], FakeRuntime([0.2, 0.5, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4, 0.5])
    )
    assert result.label == "no_skin"
    assert not result.retake
    assert result.probabilities == pytest.approx(dict(zip(LABELS, [0.2, 0.5, 0.2, 0.1], strict=True)))
    by_name = {reason.name: reason.probability for reason in result.reasons}
    assert by_name == pytest.approx(dict(zip(REASONS, [0.1, 0.2, 0.3, 0.4, 0.5], strict=True)))
    assert maps.shape == (5, 7, 7)


def test_in_python_one_bad_photo_stops_before_anything_is_decided(tmp_path: Path) -> None:
    Image.new("RGB", (50, 40)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no picture")
    with pytest.raises(PhotoError, match=r"b\.png"):
        predict_photos([tmp_path / "a.png", tmp_path / "b.png"], FakeRuntime([1, 0, 0, 0], [0] * 5))


def test_blend_is_clear_at_zero_and_hot_where_the_map_is(tmp_path: Path) -> None:
    photo = Image.new("RGB", (210, 140), (10, 60, 200))
    assert np.array_equal(np.asarray(blend(photo, np.zeros((7, 7), np.float32))), np.asarray(photo))
    heat = np.zeros((7, 7), np.float32)
    heat[1, 5] = 1
    change = np.abs(np.asarray(blend(photo, heat), int) - np.asarray(photo, int)).sum(2)
    row, column = np.unravel_index(change.argmax(), change.shape)
    assert (row // 20, column // 30) == (1, 5)
    assert np.asarray(blend(photo, heat))[row, column, 0] > 150  # red


def test_the_sheet_has_a_tile_per_given_reason(tmp_path: Path) -> None:
    Image.new("RGB", (640, 480), "gray").save(tmp_path / "a.png")
    sizes = []
    for explanations in ([0.1] * 5, [0.9, 0.9, 0.1, 0.1, 0.9]):
        rows = predict_photos([tmp_path / "a.png"], FakeRuntime([0, 0, 0, 1], explanations))
        draw_attention(rows, spec(), tmp_path / "why.png")
        with Image.open(tmp_path / "why.png") as sheet:
            sizes.append(sheet.size)
    assert sizes[0][0] == 3 * 8 + 2 * 320
    assert sizes[1][0] == 5 * 8 + 4 * 320
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_photo_smaller_than_a_region_is_judged_as_it_is_stretched(tmp_path: Path) -> None:
    Image.new("RGB", (9, 7), "gray").save(tmp_path / "tiny.png")
    runtime, seen = FakeRuntime([], []), list[Pixels]()
    runtime.spec = binary_spec()

    def run(pixels: Pixels) -> Outputs:
        seen.append(pixels)
        return {"good": np.full((1, 1), 0.3, np.float32), "regions": np.array([[0.2, 0.9]], np.float32)}

    runtime.run = run  # type: ignore[method-assign]
    ((verdict, maps),) = predict_photos([tmp_path / "tiny.png"], runtime)
    assert seen[0].shape == (1, 40, 64, 3) and maps.shape[0] == 2
    assert verdict.label == "poor_quality" and verdict.hints == ("Look at the left",)


def test_a_region_is_called_bad_only_where_it_is(tmp_path: Path) -> None:
    photo = tmp_path / "a.png"
    Image.new("RGB", (640, 400), "gray").save(photo)
    binary, widths = binary_spec(), []
    for regions in ([0.9, 0.8], [0.1, 0.2]):
        outputs = {"good": np.array([[0.9]], np.float32), "regions": np.array([regions], np.float32)}
        row = make_verdict(photo, outputs, 0, binary), make_maps(outputs, 0, binary)
        draw_attention([row], binary, tmp_path / "why.png")
        with Image.open(tmp_path / "why.png") as sheet:
            widths.append(sheet.width)
    assert widths == [3 * 8 + 2 * 320, 4 * 8 + 3 * 320], "the likeliest alone, or all that are bad"
    assert caption_map(binary, given=True) == "this part is bad"
    assert caption_map(binary, given=False).startswith("not bad")
    assert caption_map(spec(), given=False) == "where the model looks"


def test_a_binary_decision_says_what_its_number_is(tmp_path: Path) -> None:
    """0.59 of 0.6 is poor, though "poor quality 41 %" would read like the contrary."""
    binary, titles = binary_spec(), []
    for good in (0.59, 0.6):
        outputs = {"good": np.array([[good]], np.float32), "regions": np.array([[0.9, 0.8]], np.float32)}
        verdict = make_verdict(tmp_path / "a.png", outputs, 0, binary)
        titles.append(verdict.title)
    assert titles == ["poor quality: good 59.0%, needed 60.0%", "good: good 60.0%, needed 60.0%"]
    assert verdict.meaning == "that at least 2 of 3 raters call it good"
    assert not {"needed", "meaning", "title"} & set(verdict.model_dump()), "JSON stays as it was"
    labels = {"quality": np.array([[0, 0, 0.25, 0.75]], np.float32), "explanations": np.zeros((1, 5), np.float32)}
    assert make_verdict(tmp_path / "a.png", labels, 0, spec()).title == "poor quality 75%"


def with_poor(threshold: float | None) -> ModelSpec:
    return spec().model_copy(update={"poor_quality_threshold": threshold})


@given(seed=st.integers(0, 2**31), threshold=st.none() | st.floats(0, 1, width=32))
def test_a_photo_is_poor_from_the_threshold_on(seed: int, threshold: float | None) -> None:
    quality = np.random.default_rng(seed).dirichlet(np.full(4, 0.4), 20).astype(np.float32)
    decided = decide(quality, with_poor(threshold))
    assert decided.dtype == np.int64
    for row, label in zip(quality.tolist(), decided, strict=True):
        best = max(range(4), key=lambda i: row[i])
        if threshold is None:
            assert label == best
        elif row[3] >= threshold:
            assert label == 3
        else:
            assert label == max(range(3), key=lambda i: row[i])


def test_the_threshold_itself_is_poor() -> None:
    quality = np.array([[0.6, 0.1, 0, 0.3], [0.6, 0.1, 0.01, 0.29], [0.1, 0.2, 0, 0.7]], np.float32)
    assert decide(quality, with_poor(0.3)).tolist() == [3, 0, 3]
    assert decide(quality, with_poor(0.8)).tolist() == [0, 0, 1]  # poor is the likeliest, and still is not said
    assert decide(quality, with_poor(None)).tolist() == [0, 0, 3]


def test_a_verdict_follows_the_threshold() -> None:
    assert hints_of([0.6, 0.1, 0, 0.3], [0.9, 0, 0, 0, 0]) == []
    assert hints_of([0.6, 0.1, 0, 0.3], [0.9, 0, 0, 0, 0], with_poor(0.25)) == [HINTS["bad_framing"]]
    assert hints_of([0.1, 0.1, 0, 0.8], [0.9, 0, 0, 0, 0], with_poor(0.9)) == []


def clinic(folder: Path, body: object) -> Path:
    path = folder / "clinic.json"
    path.write_text(body if isinstance(body, str) else json.dumps(body))
    return path


def test_a_clinics_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    old = with_poor(0.7)
    new = apply_thresholds(old, clinic(tmp_path, {"schema_version": 1, "reasons": {"blurry": 0.55}}))
    assert new.thresholds == {**old.thresholds, "blurry": 0.55} and new.poor_quality_threshold == 0.7
    assert new.model_copy(update={"thresholds": old.thresholds}) == old
    new = apply_thresholds(old, clinic(tmp_path, {"schema_version": 1, "poor_quality": None, "chosen": {"by": "us"}}))
    assert new.poor_quality_threshold is None and new.thresholds == old.thresholds
    new = apply_thresholds(old, clinic(tmp_path, {"schema_version": 1, "poor_quality": 1}))
    assert new == with_poor(1.0)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"schema_version": 1, "poor_quality": NaN}',
        {"schema_version": 3},
        {"schema_version": 1, "poor_quality": 1.5},
        {"schema_version": 1, "poor_quality": "0.5"},
        {"schema_version": 1, "poor_quality": True},
        {"schema_version": 1, "reasons": {"blurry": -0.1}},
        {"schema_version": 1, "reasons": {"blurry": None}},
        {"schema_version": 1, "thresholds": {"blurry": 0.5}},
    ],
)
def test_a_clinics_file_that_is_not_one(tmp_path: Path, body: object) -> None:
    with pytest.raises(ArtifactError, match=r"(?s)not valid.*clinic\.json"):
        apply_thresholds(spec(), clinic(tmp_path, body))


def test_a_clinics_file_that_is_missing_or_knows_another_reason(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no such thresholds file"):
        apply_thresholds(spec(), tmp_path / "none.json")
    with pytest.raises(UnknownNameError, match=r"(?s)clinic\.json.*'out_of_focus'.*bad_framing"):
        apply_thresholds(spec(), clinic(tmp_path, {"schema_version": 1, "reasons": {"out_of_focus": 0.5}}))


def test_predict_takes_a_clinics_file_and_leaves_the_model_alone(checkpoint: Path, tmp_path: Path) -> None:
    samples = make_synthetic_samples(8, 77)
    good = samples.pixels[list(samples.quality).index(LABELS.index("lesion"))]
    Image.fromarray(good).save(tmp_path / "a.png")
    before = digest(checkpoint)
    always = clinic(tmp_path, {"schema_version": 1, "poor_quality": 0.0, "reasons": dict.fromkeys(REASONS, 0.0)})
    rows = []
    for options in ((), ("--thresholds", always)):
        command = ("predict", tmp_path / "a.png", "--artifact", checkpoint, "--json", *options)
        result = CliRunner().invoke(app, [str(part) for part in command])
        assert result.exit_code == 0, result.output
        rows.append(json.loads(result.stdout))
    plain, own = rows
    assert not plain["retake"] and own["retake"] and own["label"] == "poor_quality" and len(own["hints"]) == 5
    assert plain["probabilities"] == own["probabilities"]
    assert digest(checkpoint) == before


# With the real artifacts ----------------------------------------------------------------------------------------


def photos(folder: Path) -> list[Path]:
    """Synthetic photos as files, and not square."""
    paths = []
    for index, image in enumerate(make_synthetic_samples(6, 77).pixels):
        path = folder / f"{index}.jpg"
        Image.fromarray(image).resize((400, 300)).save(path, quality=95)
        paths.append(path)
    return paths


def test_all_runtimes_say_the_same(exported: Path, cli: Cli, checkpoint: Path, tmp_path: Path) -> None:
    files = photos(tmp_path)
    answers: dict[str, NDArray[np.float64]] = {}
    labels = {}
    artifacts = ("imageqx_fp32.onnx", "imageqx_fp16.tflite", "imageqx_fp32.mlpackage", "imageqx_fp16.mlpackage")
    for path in (checkpoint, *(exported / name for name in artifacts)):
        result = cli("predict", *files, "--artifact", path, "--json")
        assert result.returncode == 0, result.stderr
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        labels[path.name] = [row["label"] for row in rows]
        answers[path.name] = np.array([[row["probabilities"][name] for name in LABELS] for row in rows])
        assert all(bool(row["hints"]) == row["retake"] for row in rows)
    assert len(answers) == 5
    reference = answers.pop(checkpoint.name)
    assert len(set(labels[checkpoint.name])) >= 2
    for name, values in answers.items():
        np.testing.assert_allclose(values, reference, atol=1e-4 if "fp32" in name else 5e-3, err_msg=name)


def test_the_command_prints_words_and_draws(cli: Cli, tmp_path: Path) -> None:
    result = cli("predict", photos(tmp_path)[0], "--attention", tmp_path / "why.png")
    assert result.returncode == 0, result.stderr
    assert any(words in result.stdout for words in ("good enough", "take it again", "nothing to judge"))
    with Image.open(tmp_path / "why.png") as sheet:
        assert sheet.format == "PNG"


def test_a_bad_photo_is_one_clear_error_and_no_picture(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    result = cli("predict", tmp_path / "empty.jpg", "--attention", tmp_path / "why.png")
    assert result.returncode == 1
    assert "empty.jpg  not assessed – the photo is empty" in result.stdout
    assert "error: the photo could not be read: " in result.stderr and "empty.jpg" in result.stderr
    assert "Traceback" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["empty.jpg"]
