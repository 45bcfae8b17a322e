"""A binary decision's evaluation: numbers against scikit-learn, what is written, crops, and mistakes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix, roc_auc_score

from imageqx_export.artifact import ModelSpec, Outputs, Pixels
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.errors import ArtifactError, DatasetError, ImageQXError
from imageqx_export.evaluation.binary import report, stage
from imageqx_export.evaluation.binary.crops import crop_photos, read_boxes
from imageqx_export.evaluation.binary.stage import BinaryConfig, assess, evaluate
from imageqx_export.evaluation.diagnostic.truth import find_good
from imageqx_export.preprocess import load_pixels
from tests.binary_spec import binary_spec
from tests.evaluation.fakes import FakeRuntime, labelled

COUNT = 90


def spec() -> ModelSpec:
    """Return the tests' binary spec with four raters, of whom two are enough."""
    made = binary_spec()
    assert made.binary is not None and made.binary.ranks is not None
    ranks = made.binary.ranks.model_copy(update={"raters": 4, "good_when_at_least": 2})
    outputs = tuple(
        one.model_copy(update={"shape": (1, 4)}) if one.name == ranks.output else one for one in made.outputs
    )
    return made.model_copy(update={"binary": made.binary.model_copy(update={"ranks": ranks}), "outputs": outputs})


def photos() -> LabelledPhotos:
    """Return numbered noise with random votes."""
    votes = np.random.default_rng(4).choice(5, COUNT, p=[0.15, 0.1, 0.15, 0.25, 0.35])
    return replace(labelled(2, COUNT), votes=votes)


def answer(made: LabelledPhotos, seed: int = 0, skill: float = 1.0) -> Outputs:
    """Return ranks that rise with the votes, and the probability of good that follows from them."""
    assert made.votes is not None
    rng = np.random.default_rng(seed)
    logits = skill * (made.votes - 1.5)[:, None] + rng.normal(0, 1, (len(made), 1)) - np.arange(4) + 1.5
    ranks = (1 / (1 + np.exp(-logits))).astype(np.float32)
    return {"good": ranks[:, [1]], "ranks": ranks, "regions": ranks[:, [1, 1]]}


PHOTOS = photos()
OUTPUTS = answer(PHOTOS)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "evaluation"
    train = replace(PHOTOS, pixels=PHOTOS.pixels[:, :64, :64], source="90 training photos")
    evaluate(FakeRuntime(OUTPUTS, spec()), PHOTOS, out, BinaryConfig("fake.onnx", train=train))
    return out


def body(out: Path) -> Any:
    return json.loads((out / "evaluation.json").read_text())


def test_the_numbers_are_scikit_learns(written: Path) -> None:
    got, good = body(written), OUTPUTS["good"][:, 0]
    assert PHOTOS.votes is not None
    truth, given = PHOTOS.votes >= 2, good >= np.float32(0.6)
    (tn, fp), (fn, tp) = confusion_matrix(truth, given)
    assert got["confusion"] == {"tp": tp, "fp": fp, "fn": fn, "tn": tn}
    assert (got["photos"], got["good"], got["threshold"]) == (COUNT, int(truth.sum()), 0.6)
    assert got["auc"] == pytest.approx(roc_auc_score(truth, good))
    assert got["ppv"] == pytest.approx(tp / (tp + fp)) and got["npv"] == pytest.approx(tn / (tn + fn))
    assert got["votes_error"] == pytest.approx(np.abs(OUTPUTS["ranks"].sum(1) - PHOTOS.votes).mean())
    assert np.array(got["votes"]).sum(1).tolist() == np.bincount(PHOTOS.votes, minlength=5).tolist()
    assert got["adjusted"]["prevalence"] == pytest.approx(660 / 900)
    assert got["adjusted"]["draws"] == 200
    assert sum(got["skin"][name]["photos"] for name in ("I–III", "IV–VI")) == COUNT
    assert got["against_baseline"]["first_auc"] == got["auc"] and got["baseline"]["fitted_to"] == "90 training photos"


def test_the_folder_has_everything(written: Path) -> None:
    names = {"evaluation.json", "evaluation.md", "roc.png", "confusion.png", "reliability.png", "votes.png"}
    assert {path.name for path in written.iterdir()} == names
    text = (written / "evaluation.md").read_text()
    assert all(f"({path.name})" in text for path in written.glob("*.png"))
    assert "at least 2 of 4 raters" in text and "TrueImage" in text and "73.3 % of photos good" in text
    for block in text.split("\n\n"):
        if block.startswith("|"):
            assert len({line.count("|") for line in block.splitlines()}) == 1, block
    raw = (written / "evaluation.json").read_text()
    assert raw == json.dumps(json.loads(raw), indent=2, sort_keys=True) + "\n"


def test_how_many_votes_are_enough_is_the_specs() -> None:
    votes = np.arange(5)
    assert find_good(votes, spec()).tolist() == [False, False, True, True, True]
    assert find_good(votes, binary_spec()).tolist() == [False, False, False, True, True]  # 2 of 3 are 2.67 of 4


@pytest.mark.parametrize("votes", [0, 4])
def test_photos_of_one_kind_end_in_a_report(tmp_path: Path, votes: int) -> None:
    alike = replace(PHOTOS, votes=np.full(COUNT, votes))
    found = evaluate(FakeRuntime(OUTPUTS, spec()), alike, tmp_path / "out", BinaryConfig("fake"))
    got = report.to_json(found)
    assert got["auc"] is None and got["adjusted"] is None and got["calibration_slope"] is None
    assert "nan" not in report.to_markdown(found).lower()


def test_a_model_with_labels_and_photos_without_votes_are_refused() -> None:
    with pytest.raises(ArtifactError, match="without a yes or no"):
        assess(FakeRuntime(OUTPUTS, spec()), replace(PHOTOS, votes=None), BinaryConfig("fake"))
    with pytest.raises(DatasetError, match="no photos to evaluate on"):
        assess(FakeRuntime(OUTPUTS, spec()), labelled(0, 0), BinaryConfig("fake"))


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(ImageQXError):
        evaluate(FakeRuntime(OUTPUTS, spec()), PHOTOS, tmp_path / "out", BinaryConfig("fake"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


class Brightness:
    """A model that calls bright photos good."""

    def __init__(self) -> None:
        self.spec = spec()
        self.signature = self.spec.outputs

    def run(self, pixels: Pixels) -> Outputs:
        light = pixels.reshape(len(pixels), -1).mean(1, dtype=np.float32)[:, None] / 255
        return {"good": light, "ranks": np.repeat(light, 4, 1), "regions": np.repeat(light, 2, 1)}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[LabelledPhotos, Path]:
    """Write photos whose left half says how good they are, and whose right half is of any brightness."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(8)
    votes = rng.integers(0, 5, 24)
    names = tuple(f"{k}.png" for k in range(24))
    for name, count in zip(names, votes, strict=True):
        picture = np.zeros((40, 80, 3), np.uint8)
        picture[:, :40] = 40 * count + rng.integers(0, 30)
        picture[:, 40:] = rng.integers(0, 255)
        Image.fromarray(picture).save(folder / name)
    pixels = np.stack([load_pixels(folder / name, spec().preprocessing) for name in names])
    return replace(labelled(0, 24), pixels=pixels, names=names, votes=votes), folder


def table(folder: Path, *rows: str) -> Path:
    path = folder / "boxes.csv"
    path.write_text("\n".join(["image,left,top,right,bottom", *rows]) + "\n")
    return path


def test_crops_are_compared_with_whole_photos(pictures: tuple[LabelledPhotos, Path], tmp_path: Path) -> None:
    made, folder = pictures
    boxes = read_boxes(table(tmp_path, *(f"{name},0,0,40,40" for name in made.names[:20])))
    found = assess(Brightness(), made, BinaryConfig("bright", boxes=boxes, images=folder))
    assert found.cropped is not None and found.cropped.photos == 20
    comparison = found.cropped.comparison
    assert (comparison.second.value or 0) > 0.99 > (comparison.first.value or 1) and (comparison.p or 1) < 0.05
    assert "crops around the lesion (20 photos)" in report.to_markdown(found)
    whole = read_boxes(table(tmp_path, *(f"{name},0,0,80,40" for name in made.names)))
    assert np.array_equal(crop_photos(whole, list(made.names), folder, spec().preprocessing), made.pixels)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("0.png,10,0,5,40", "not a box"),
        ("0.png,-1,0,5,40", "not a box"),
        ("0.png,a,0,5,40", "not a box"),
        ("0.png,0,0,1e999,40", "not a box"),
        ("0.png,0,0,81,40", "leaves its photo"),
        ("other.png,0,0,5,5", "no photo that is evaluated has a box"),
    ],
)
def test_bad_boxes_are_refused(pictures: tuple[LabelledPhotos, Path], tmp_path: Path, row: str, words: str) -> None:
    made, folder = pictures

    def compare() -> None:
        boxes = read_boxes(table(tmp_path, row))
        assess(Brightness(), made, BinaryConfig("bright", boxes=boxes, images=folder))

    with pytest.raises(DatasetError, match=words):
        compare()


def test_the_usual_prevalence_is_that_of_the_papers_training_photos() -> None:
    assert pytest.approx((133 + 222 + 305) / (133 + 107 + 133 + 222 + 305)) == stage.PREVALENCE
