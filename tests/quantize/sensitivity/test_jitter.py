"""Jittered figures against the normal distribution's, and against the plain ones that they steady."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm

from imageqx_export.artifact import Outputs
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.evaluation.accuracy_loss import Accuracy, accuracy
from imageqx_export.networks.imageqx.spec import REASONS, spec
from imageqx_export.quantize.sensitivity.jitter import SPREAD, measure_jittered_accuracy

SPEC = spec().model_copy(update={"poor_quality_threshold": None})


def photos(quality: NDArray[np.int64], reasons: NDArray[np.bool_]) -> LabelledPhotos:
    count = len(quality)
    return LabelledPhotos(
        pixels=np.empty((count, 0, 0, 3), np.uint8),
        quality=quality,
        reasons=reasons.astype(np.float32),
        fitzpatrick=np.zeros(count, np.int64),
        names=tuple(map(str, range(count))),
        source="numbers",
    )


def answers(quality: NDArray[np.float64], reasons: NDArray[np.float64]) -> Outputs:
    return {"quality": quality.astype(np.float32), "explanations": reasons.astype(np.float32)}


def test_the_same_answers_lose_nothing() -> None:
    rng = np.random.default_rng(0)
    same = answers(rng.dirichlet(np.ones(4), 50), rng.random((50, 5)))
    same["explanations"][:2], same["quality"][0] = [[0.0] * 5, [1.0] * 5], [0, 0, 1, 0]  # as float32 rounds them
    seen = photos(rng.integers(0, 4, 50), rng.random((50, 5)) < 0.5)
    found = measure_jittered_accuracy(same, same, seen, SPEC)
    assert (found.quality.points, found.explanations.points, found.agreement, found.mean_abs) == (0, 0, 100, 0)
    assert set(found.reasons) == set(REASONS) and all(loss.points == 0 for loss in found.reasons.values())


def test_a_reason_is_given_as_often_as_the_normal_distribution_says() -> None:
    count = 4000
    every = np.ones((count, 5), bool)
    thresholds = np.array([SPEC.thresholds[name] for name in REASONS])
    above = np.array([0.3, 0.1, 0.0, -0.2, 0.6])  # logits over the threshold, float; the quantized network's: 0.25 less
    quality = np.tile([0.7, 0.1, 0.1, 0.1], (count, 1))
    before, after = (answers(quality, every * expit(logit(thresholds) + above - less)) for less in (0.0, 0.25))
    found = measure_jittered_accuracy(before, after, photos(np.zeros(count, int), every), SPEC)
    given = [norm.cdf((above - less) / SPREAD) for less in (0.0, 0.25)]
    want = [100 * 2 * share / (1 + share) for share in given]  # every photo has it: F1 = 2 TP / (2 TP + FN)
    got = [found.reasons[name].points for name in REASONS]
    assert got == pytest.approx(list(want[0] - want[1]), abs=0.6)  # four standard errors of 96,000 draws
    assert found.explanations.points == pytest.approx((want[0] - want[1]).mean(), abs=0.3)


def test_labels_agree_as_often_as_the_normal_distribution_says() -> None:
    count, less = 4000, 0.2
    first, second = np.log(0.5), np.log(0.4)
    before = np.tile([0.5, 0.4, 1e-6, 1e-6], (count, 1))
    after = before * [np.exp(-less), 1, 1, 1]
    seen = photos(np.zeros(count, int), np.ones((count, 5), bool))
    reasons = np.full((count, 5), 0.5)
    found = measure_jittered_accuracy(answers(before, reasons), answers(after, reasons), seen, SPEC)
    won = [norm.cdf((first - second - lost) / (SPREAD * np.sqrt(2))) for lost in (0.0, less)]
    assert found.agreement == pytest.approx(100 * (1 - (won[0] - won[1])), abs=0.6)


def test_calibration_and_distance_are_the_answers_own() -> None:
    rng = np.random.default_rng(1)
    before, after = (answers(rng.dirichlet(np.ones(4), 80), rng.random((80, 5))) for _ in range(2))
    seen = photos(rng.integers(0, 4, 80), rng.random((80, 5)) < 0.5)
    plain, found = accuracy(before, after, seen, SPEC), measure_jittered_accuracy(before, after, seen, SPEC)
    assert (found.ece, found.mean_abs, found.photos) == (plain.ece, plain.mean_abs, 80)
    assert measure_jittered_accuracy(before, after, seen, SPEC) == found  # nothing is left to chance


def test_few_photos_give_steadier_figures_that_mean_the_same() -> None:
    """1,600 photos in parts of 200: the plain losses scatter twice as much, around the same mean."""
    rng = np.random.default_rng(2)
    count, part = 1600, 200
    labels, reasons = rng.integers(0, 4, count), rng.random((count, 5)) < 0.4
    logits = rng.normal(0, 1, (count, 4)) + 1.5 * np.eye(4)[labels]
    ticks = rng.normal(0, 1, (count, 5)) + 1.5 * (2 * reasons - 1)

    def quantized(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return 0.97 * values + rng.normal(0, 0.05, values.shape)

    before, after = (
        answers(np.exp(a) / np.exp(a).sum(1, keepdims=True), expit(b))
        for a, b in ((logits, ticks), (quantized(logits), quantized(ticks)))
    )

    def losses(measure: Callable[..., Accuracy]) -> NDArray[np.float64]:
        rows = []
        for start in range(0, count, part):
            some = slice(start, start + part)
            outputs = [{name: value[some] for name, value in one.items()} for one in (before, after)]
            found = measure(outputs[0], outputs[1], photos(labels[some], reasons[some]), SPEC)
            rows.append([found.quality.points, *(loss.points for loss in found.reasons.values())])
        return np.array(rows)

    plain, steady = losses(accuracy), losses(measure_jittered_accuracy)
    assert np.sqrt((plain.std(0) ** 2).mean()) > 2 * np.sqrt((steady.std(0) ** 2).mean())
    assert steady.mean(0) == pytest.approx(plain.mean(0), abs=0.5)
