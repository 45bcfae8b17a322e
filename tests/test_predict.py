"""Verdicts, hints and pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imageqx_export.artifact import ModelSpec, TensorSpec
from imageqx_export.data.samples import Samples
from imageqx_export.errors import PhotoError
from imageqx_export.networks.imageqx_spec import HINTS, LABELS, REASONS, spec
from imageqx_export.overlay import blend, draw_attention
from imageqx_export.predict import judge_photos, verdict
from imageqx_export.runtimes import Outputs, Pixels
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


def judged(quality: list[float], explanations: list[float], model: ModelSpec | None = None) -> list[str]:
    rows = {"quality": np.array([quality], np.float32), "explanations": np.array([explanations], np.float32)}
    return list(verdict(Path("x.jpg"), rows, 0, model or spec()).hints)


def test_the_worst_reason_comes_first() -> None:
    hints = judged([0.1, 0.1, 0.1, 0.7], [0.1, 0.6, 0.9, 0.2, 0.7])
    assert hints == [HINTS["blurry"], HINTS["too_far_away"], HINTS["bad_light"]]
    assert HINTS["blurry"] == "Hold the phone still and tap to focus"


def test_worse_is_measured_from_each_reasons_own_threshold() -> None:
    model = spec().model_copy(update={"thresholds": {**spec().thresholds, "blurry": 0.88}})
    assert judged([0, 0, 0, 1], [0.1, 0.6, 0.9, 0.2, 0.7], model)[0] == HINTS["too_far_away"]


def test_a_good_photo_gets_no_hint_and_a_poor_one_always_does() -> None:
    assert judged([0.9, 0, 0, 0.1], [0.9] * 5) == []
    assert judged([0, 0, 0.1, 0.9], [0.1, 0.2, 0.3, 0.4, 0.05]) == [HINTS["low_resolution"]]


def test_labels_and_probabilities_keep_their_places(tmp_path: Path) -> None:
    Image.new("RGB", (50, 40), "red").save(tmp_path / "a.png")
    ((result, maps),) = judge_photos([tmp_path / "a.png"], FakeRuntime([0.2, 0.5, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4, 0.5]))
    assert result.label == "no_skin"
    assert not result.retake
    assert result.probabilities == pytest.approx(dict(zip(LABELS, [0.2, 0.5, 0.2, 0.1], strict=True)))
    by_name = {reason.name: reason.probability for reason in result.reasons}
    assert by_name == pytest.approx(dict(zip(REASONS, [0.1, 0.2, 0.3, 0.4, 0.5], strict=True)))
    assert maps.shape == (5, 7, 7)


def test_one_bad_photo_stops_before_anything_is_judged(tmp_path: Path) -> None:
    Image.new("RGB", (50, 40)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no picture")
    with pytest.raises(PhotoError, match=r"b\.png"):
        judge_photos([tmp_path / "a.png", tmp_path / "b.png"], FakeRuntime([1, 0, 0, 0], [0] * 5))


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
        rows = judge_photos([tmp_path / "a.png"], FakeRuntime([0, 0, 0, 1], explanations))
        draw_attention(rows, spec(), tmp_path / "why.png")
        with Image.open(tmp_path / "why.png") as sheet:
            sizes.append(sheet.size)
    assert sizes[0][0] == 3 * 8 + 2 * 320
    assert sizes[1][0] == 5 * 8 + 4 * 320
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


# With the real artifacts ----------------------------------------------------------------------------------------


def photos(folder: Path) -> list[Path]:
    """Painted photos as files, and not square."""
    paths = []
    for index, sample in enumerate(Samples(77)[i] for i in range(6)):
        path = folder / f"{index}.jpg"
        Image.fromarray(sample.image).resize((400, 300)).save(path, quality=95)
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
        rows = json.loads(result.stdout)
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
    assert "empty.jpg" in result.stderr
    assert "Traceback" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["empty.jpg"]
