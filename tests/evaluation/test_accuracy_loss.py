"""The figures against scikit-learn, and the budgets on outputs whose losses are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from imageqx_export.artifact import Outputs
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.decisions import decide
from imageqx_export.evaluation.accuracy_loss import Accuracy, Budget, Loss, accuracy, macro_f1, problems
from imageqx_export.networks.imageqx.spec import LABELS, REASONS, spec

PHOTOS = 400
SPEC = spec()
W8, W8A8 = Budget(macro_f1=0.3), Budget(macro_f1=0.5)


@pytest.fixture(scope="module")
def photos() -> LabelledPhotos:
    rng = np.random.default_rng(0)
    return LabelledPhotos(
        pixels=np.empty((PHOTOS, 0, 0, 3), np.uint8),
        quality=rng.integers(0, 4, PHOTOS),
        reasons=(rng.random((PHOTOS, 5)) < 0.3).astype(np.float32),
        fitzpatrick=np.zeros(PHOTOS, np.int64),
        names=tuple(map(str, range(PHOTOS))),
        source="numbers",
    )


def outputs(photos: LabelledPhotos, noise: float) -> Outputs:
    """Return a model's answers, and with ``noise`` the same answers disturbed."""
    skilled, more = np.random.default_rng(1), np.random.default_rng(2)
    logits = skilled.normal(0, 1, (PHOTOS, 4)) + 1.5 * np.eye(4)[photos.quality]
    reasons = skilled.normal(0, 1, (PHOTOS, 5)) + 1.5 * (2 * photos.reasons - 1)
    logits += noise * more.normal(0, 1, logits.shape)
    reasons += noise * more.normal(0, 1, reasons.shape)
    quality = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return {"quality": quality.astype(np.float32), "explanations": (1 / (1 + np.exp(-reasons))).astype(np.float32)}


def given(values: Outputs) -> NDArray[np.bool_]:
    return values["explanations"] >= np.array([SPEC.thresholds[name] for name in REASONS], np.float32)


def test_the_same_outputs_lose_nothing(photos: LabelledPhotos) -> None:
    found = accuracy(outputs(photos, 0), outputs(photos, 0), photos, SPEC)
    assert (found.quality.points, found.explanations.points, found.agreement, found.mean_abs) == (0, 0, 100, 0)
    assert set(found.ece.values()) == {0.0} and found.quality.interval is None
    assert all(problems(found, budget) == () for budget in (W8, W8A8, None))


def test_losses_are_scikit_learns(photos: LabelledPhotos) -> None:
    before, after = outputs(photos, 0), outputs(photos, 1.5)
    found = accuracy(before, after, photos, SPEC)
    truth = photos.reasons >= 0.5
    scores = [f1_score(photos.quality, decide(o["quality"], SPEC), average="macro") for o in (before, after)]
    assert found.quality.points == pytest.approx(100 * (scores[0] - scores[1]), abs=1e-4)
    each = [f1_score(truth, given(o), average=None) for o in (before, after)]
    assert found.explanations.points == pytest.approx(100 * (each[0].mean() - each[1].mean()), abs=1e-4)
    want = dict(zip(REASONS, 100 * (each[0] - each[1]), strict=True))
    assert {name: loss.points for name, loss in found.reasons.items()} == pytest.approx(want, abs=1e-4)
    same = decide(before["quality"], SPEC) == decide(after["quality"], SPEC)
    assert found.agreement == pytest.approx(100 * same.mean())
    assert found.quality.interval is not None
    assert found.quality.interval[0] < found.quality.points < found.quality.interval[1]
    over = problems(found, W8A8)
    assert any("quality macro-F1" in text for text in over) and any("labels agree" in text for text in over)


def test_calibration_is_the_difference_of_two_errors(photos: LabelledPhotos) -> None:
    before = outputs(photos, 0)
    sure = before["quality"] ** 4
    after = {**before, "quality": (sure / sure.sum(1, keepdims=True)).astype(np.float32)}  # same label, too sure

    def error(values: Outputs) -> float:
        top, right = values["quality"].max(1), values["quality"].argmax(1) == photos.quality
        bins = np.minimum((top * 15).astype(int), 14)
        return float(sum(abs(right[bins == b].sum() - top[bins == b].sum()) for b in range(15)) / PHOTOS)

    found = accuracy(before, after, photos, SPEC)
    assert found.label_ece == pytest.approx(100 * (error(after) - error(before)), abs=1e-3)
    assert problems(found, Budget(macro_f1=0.5)) == (
        f"the label's calibration error grew by {found.label_ece:.2f} points > 1",
    )


def test_a_reason_that_no_photo_has_is_left_out(photos: LabelledPhotos) -> None:
    reasons = photos.reasons.copy()
    reasons[:, 2] = 0
    bare = LabelledPhotos(photos.pixels, photos.quality, reasons, photos.fitzpatrick, photos.names, photos.source)
    found = accuracy(outputs(photos, 0), outputs(photos, 1), bare, SPEC)
    assert REASONS[2] not in found.reasons and len(found.reasons) == 4
    others = [0, 1, 3, 4]
    scores = [
        f1_score(reasons[:, others] > 0, given(o)[:, others], average="macro")
        for o in (outputs(photos, 0), outputs(photos, 1))
    ]
    assert found.explanations.points == pytest.approx(100 * (scores[0] - scores[1]), abs=1e-4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"quality": Loss(points=0.31)}, "quality macro-F1 lost 0.31 points > 0.3"),
        ({"explanations": Loss(points=0.4)}, "reasons macro-F1 lost 0.40 points > 0.3"),
        ({"reasons": {"blurry": Loss(points=1.2)}}, "blurry: F1 lost 1.20 points > 1"),
        ({"agreement": 97.9}, "labels agree on 97.90 % < 98 %"),
        ({"ece": {"label": 1.1}}, "the label's calibration error grew by 1.10 points > 1"),
    ],
)
def test_each_limit_of_the_budget_is_held(change: dict[str, object], words: str) -> None:
    good = Accuracy(
        photos=1,
        quality=Loss(points=0.3),
        explanations=Loss(points=-2),
        reasons={"blurry": Loss(points=1)},
        agreement=98,
        ece={"label": 1.0, "blurry": 5.0},
        mean_abs=0,
    )
    assert problems(good, W8) == ()
    assert problems(good.model_copy(update=change), W8) == (words,)


def test_macro_f1_of_labels_is_scikit_learns() -> None:
    rng = np.random.default_rng(3)
    truth, guess = rng.integers(0, 4, 100), rng.integers(0, 4, 100)
    want = f1_score(truth, guess, average="macro")
    assert macro_f1(np.eye(4, dtype=bool)[truth], np.eye(4, dtype=bool)[guess]) == pytest.approx(want)
    assert len(LABELS) == 4


def test_figures_that_say_calibration_for_the_error_are_read() -> None:
    assert Budget.model_validate({"macro_f1": 0.3, "calibration": 2.5}) == Budget(macro_f1=0.3, ece=2.5)
