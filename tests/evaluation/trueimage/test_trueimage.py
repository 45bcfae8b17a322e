"""The classical features do what they are named after, and their rows stand in an evaluation's tables."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score, roc_auc_score

from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.data.skin import Placement
from imageqx_export.data.synthetic import draw_background, draw_scene
from imageqx_export.errors import DatasetError, UnknownNameError
from imageqx_export.evaluation.diagnostic.rates import choose_youden_threshold
from imageqx_export.evaluation.stage import evaluate
from imageqx_export.evaluation.trueimage import baseline
from imageqx_export.evaluation.trueimage.classifier import fit_classifier
from imageqx_export.evaluation.trueimage.features import FEATURES, find_skin, measure_features
from tests.evaluation.fakes import FakeRuntime, answers, labelled

Photo = NDArray[np.uint8]


def scene(seed: int, tone: int | None = 2, side: int = 224) -> Photo:
    return draw_scene(np.random.default_rng(seed), "lesion", Placement(0.5, 0.5, 0.4), side, tone)


def feature(photo: Photo, name: str) -> float:
    return float(measure_features(photo[None])[0, FEATURES.index(name)])


@pytest.mark.parametrize("seed", range(3))
def test_each_feature_goes_where_its_name_says(seed: int) -> None:
    sharp = scene(seed)
    blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 3), np.uint8)
    for name in ("blur_laplacian", "blur_skin_lower", "blur_skin_middle", "blur_skin_upper", "blur_fourier"):
        assert feature(blurred, name) < feature(sharp, name) - 0.5, name
    dark, bright = (sharp * 0.2).astype(np.uint8), np.minimum(sharp.astype(int) * 3, 255).astype(np.uint8)
    assert feature(dark, "light_dark") > feature(sharp, "light_dark") + 0.3
    assert feature(bright, "light_bright") > feature(sharp, "light_bright") + 0.3
    assert feature(dark, "light_mean") < feature(sharp, "light_mean") < feature(bright, "light_mean")
    far = np.asarray(np.clip(draw_background(np.random.default_rng(1), 224), 0, 255) * [0.3, 0.6, 1], np.uint8)
    far[80:140, 80:140] = cv2.resize(sharp, (60, 60), interpolation=cv2.INTER_AREA)
    assert feature(far, "zoom_skin") < 0.3 < feature(sharp, "zoom_skin")
    assert feature(far, "zoom_skin_middle") > feature(far, "zoom_skin")


@pytest.mark.parametrize("tone", range(6))
def test_skin_of_every_type_is_found_and_grass_is_not(tone: int) -> None:
    place = Placement(0.5, 0.5, 0.9)
    scenes = [draw_scene(np.random.default_rng(k), "lesion", place, 96, tone) for k in range(4)]
    assert np.mean([find_skin(one).mean() for one in scenes]) > 0.5
    grass = np.full((64, 64, 3), (60, 140, 50), np.uint8)
    assert not find_skin(grass).any()


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (60, 140, 50)])
def test_a_photo_of_one_colour_has_features(color: tuple[int, int, int]) -> None:
    photo = np.full((448, 448, 3), color, np.uint8)
    assert np.isfinite(measure_features(photo[None])).all()
    assert measure_features(np.empty((0, 448, 448, 3), np.uint8)).shape == (0, len(FEATURES))


def test_the_classifier_learns_and_takes_youdens_threshold() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(0, 1, (400, len(FEATURES)))
    truth = features[:, 0] - features[:, 3] + rng.normal(0, 0.5, 400) > 0
    fitted = fit_classifier(features[:300], truth[:300])
    scores = fitted.probabilities(features)
    assert roc_auc_score(truth[300:], scores[300:]) > 0.9
    assert fitted.threshold == choose_youden_threshold(truth[:300], scores[:300])
    with pytest.raises(DatasetError, match="no threshold can be chosen"):
        fit_classifier(features, np.ones(400, bool))


def photos_that_features_can_tell() -> LabelledPhotos:
    """Return scenes of which every fourth is blurred, and called poor and blurry."""
    made = labelled(3, 48)
    scenes = np.stack([scene(k, None, 64) for k in range(48)])
    poor = made.quality == 3
    scenes[poor] = np.stack([cv2.GaussianBlur(one, (0, 0), 4) for one in scenes[poor]])
    reasons = np.zeros((48, 5), np.float32)
    reasons[poor, 2] = 1
    return LabelledPhotos(scenes, made.quality, reasons, made.fitzpatrick, made.names, "48 scenes")


def test_its_rows_stand_in_every_table(tmp_path: Path) -> None:
    train = photos_that_features_can_tell()
    numbered = labelled(3, 48)
    scenes = train.pixels.copy()
    scenes[:, 0, 0, :2] = numbered.pixels[:, 0, 0, :2]  # by which the fake runtime knows them
    photos = LabelledPhotos(scenes, train.quality, train.reasons, train.fitzpatrick, train.names, "the same")
    runtime = FakeRuntime(answers(numbered, 1))
    found = evaluate(runtime, photos, tmp_path / "out", model_name="fake", train=train)
    assert found.baseline is not None and list(found.baseline.rows) == [
        "poor_quality",
        "blurry",
    ]  # others have no photo
    body = json.loads((tmp_path / "out" / "evaluation.json").read_text())["baseline"]
    row, poor = body["rows"]["poor_quality"], photos.quality == 3
    one = found.baseline.rows["poor_quality"]
    assert row["f1"] == pytest.approx(f1_score(poor, one.probabilities >= one.threshold))
    assert row["auc"] == pytest.approx(roc_auc_score(poor, one.probabilities)) and row["auc"] > 0.9
    low, middle, high = found.baseline.milliseconds
    assert 0 < low <= middle <= high and body["milliseconds"]["median"] == middle
    text = (tmp_path / "out" / "evaluation.md").read_text()
    tables = {block.splitlines()[0]: block for block in text.split("\n## ")}
    wanted = {
        "Table 3. The model, per class": "TrueImage: poor quality |",
        "Table 4. The model, per reason": "TrueImage: blurry",
        "Ranking and reliability": "TrueImage: blurry",
        "By skin type": "TrueImage: poor quality: AUC",
    }
    for title, words in wanted.items():
        assert words in tables[title], title
    assert f"{middle:.1f} ms a photo" in text
    for block in text.split("\n\n"):
        if block.startswith("|"):
            assert len({line.count("|") for line in block.splitlines()}) == 1, block


def test_without_it_nothing_says_so(tmp_path: Path) -> None:
    photos = labelled(0, 12)
    evaluate(FakeRuntime(answers(photos, 1)), photos, tmp_path / "out", model_name="fake")
    assert "baseline" not in (tmp_path / "out" / "evaluation.json").read_text()
    assert "TrueImage" not in (tmp_path / "out" / "evaluation.md").read_text()


def test_another_baseline_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="brisque"):
        baseline.refuse_unknown("brisque")
    baseline.refuse_unknown(None)
