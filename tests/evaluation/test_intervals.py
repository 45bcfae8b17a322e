"""Intervals against published ones, definitions written out, and simulated data sets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import beta, norm
from sklearn.metrics import average_precision_score, roc_auc_score

from imageqx_export.evaluation import intervals, tables
from imageqx_export.evaluation.curves import trace_curve
from imageqx_export.evaluation.intervals import Measure, auc, bootstrap, draw_resamples, f1, percentile, wilson
from imageqx_export.evaluation.reliability import measure_reliability

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    # Newcombe, Statistics in Medicine 1998; 17: 857–872, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_newcombes_table(successes: int, total: int, low: float, high: float) -> None:
    measure = wilson(successes, total)
    assert measure.value == successes / total
    assert measure.interval == pytest.approx((low, high), abs=5e-5)


def test_no_trials_are_not_measurable() -> None:
    assert wilson(0, 0) == f1(0, 0) == Measure(None, None)


@settings(max_examples=100, deadline=None)
@given(hits=st.integers(0, 500), wrong=st.integers(0, 500))
def test_f1_lies_in_its_interval(hits: int, wrong: int) -> None:
    measure = f1(hits, wrong)
    if hits + wrong == 0:
        assert measure.value is None
        return
    assert measure.value == pytest.approx(2 * hits / (2 * hits + wrong))
    assert measure.value is not None and measure.interval is not None
    low, high = measure.interval
    assert -1e-12 <= low <= measure.value <= high + 1e-12 <= 1 + 2e-12
    assert high - low > 0  # a perfect score on few photos is not certain


def delong(truth: Bools, scores: Floats) -> tuple[float, float]:
    """Compute the area and its variance from all pairs, as the paper of 1988 defines them."""
    positive, negative = scores[truth][:, None], scores[~truth][None, :]
    pairs = (positive > negative) + 0.5 * (positive == negative)
    variance = pairs.mean(1).var(ddof=1) / len(positive) + pairs.mean(0).var(ddof=1) / negative.size
    return float(pairs.mean()), float(variance)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(6, 60), levels=st.sampled_from([3, 10, 10**6]))
def test_auc_is_delongs_with_ties(seed: int, count: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.arange(count) % 3 == 0
    scores = rng.integers(0, levels, count) / levels
    area, variance = delong(truth, scores)
    measure = auc(truth, scores)
    assert measure.value == pytest.approx(area)
    assert measure.value == pytest.approx(roc_auc_score(truth, scores))
    if variance < 1e-12:
        assert measure.interval is None
        return
    assert measure.interval is not None
    reach = norm.ppf(0.975) * variance**0.5
    assert measure.interval == pytest.approx((max(0, area - reach), min(1, area + reach)))


def test_auc_has_the_bootstraps_width() -> None:
    rng = np.random.default_rng(3)
    truth = rng.random(400) < 0.3
    scores = rng.normal(0, 1, 400) + truth
    drawn = [rng.integers(0, 400, 400) for _ in range(500)]
    spread = np.std([roc_auc_score(truth[places], scores[places]) for places in drawn])
    interval = auc(truth, scores).interval
    assert interval is not None
    assert (interval[1] - interval[0]) / 2 / norm.ppf(0.975) == pytest.approx(spread, rel=0.1)


def test_auc_that_cannot_be_measured() -> None:
    scores = np.array([0.1, 0.2, 0.7, 0.9])
    assert auc(np.zeros(4, bool), scores) == auc(np.ones(4, bool), scores) == Measure(None)
    assert auc(np.array([False, False, False, True]), scores) == Measure(1.0)  # one positive has no variance
    assert auc(np.array([False, False, True, True]), scores) == Measure(1.0)  # nor has a perfect separation
    assert auc(np.array([True, True, False, False]), scores) == Measure(0.0)


def test_resamples_draw_every_photo_equally_and_again_the_same() -> None:
    weights = np.concatenate(list(draw_resamples(40, 500)))
    assert weights.shape == (500, 40)
    assert (weights.sum(1) == 40).all()
    assert weights.mean() == 1
    assert abs(weights.mean(0) - 1).max() < 0.2
    assert weights.var() == pytest.approx(1 - 1 / 40, rel=0.05)  # multinomial
    assert np.array_equal(weights, np.concatenate(list(draw_resamples(40, 500))))
    assert not np.array_equal(weights, np.concatenate(list(draw_resamples(40, 500, seed=1))))


def test_resamples_do_not_depend_on_how_many_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bootstrap(lambda w: w[:, :1].astype(float), 30, rounds=50)
    monkeypatch.setattr(intervals, "_CHUNK", 100)
    assert np.array_equal(whole, bootstrap(lambda w: w[:, :1].astype(float), 30, rounds=50))


def test_percentile_of_what_could_be_measured() -> None:
    values = np.arange(1001) / 1000
    assert percentile(values) == pytest.approx((0.025, 0.975))
    assert percentile(np.where(values < 0.1, np.nan, values)) == pytest.approx((0.1225, 0.9775))
    assert percentile(np.where(values < 0.6, np.nan, values)) is None
    assert percentile(np.full(10, np.nan)) is None
    assert percentile(np.ones(10)) is None


# Coverage: of simulated data sets, the share whose interval holds the truth ---------------------------------------

SETS = 300


def covered(simulate: Callable[[np.random.Generator], Measure], truth: float, sets: int = SETS) -> float:
    rng = np.random.default_rng(5)
    return holding([simulate(rng) for _ in range(sets)], truth)


def holding(measures: list[Measure], truth: float) -> float:
    pairs = [measure.interval for measure in measures]
    return sum(pair is not None and pair[0] <= truth <= pair[1] for pair in pairs) / len(pairs)


def ranked(rng: np.random.Generator, count: int) -> tuple[Bools, Floats]:
    truth = rng.random(count) < 0.3
    return truth, rng.normal(0, 1, count) + 1.2 * truth


def test_auc_covers() -> None:
    truth = norm.cdf(1.2 / 2**0.5)
    assert 0.90 <= covered(lambda rng: auc(*ranked(rng, 100)), truth) <= 0.99


def test_average_precision_covers() -> None:
    truth = average_precision_score(*ranked(np.random.default_rng(0), 200_000))
    share = covered(lambda rng: trace_curve(*_as_scores(ranked(rng, 150)), "x").average_precision, truth, 200)
    assert 0.90 <= share <= 0.99


def _as_scores(pair: tuple[Bools, Floats]) -> tuple[Bools, NDArray[np.float32]]:
    return pair[0], pair[1].astype(np.float32)


def test_f1_and_macro_f1_cover() -> None:
    shares, hit, false = np.array([0.3, 0.1]), np.array([0.8, 0.5]), np.array([0.1, 0.05])
    exact = 2 * shares * hit / (shares * hit + (1 - shares) * false + shares)

    def draw(rng: np.random.Generator) -> tables.Table:
        truth = rng.random((150, 2)) < shares
        given = rng.random((150, 2)) < np.where(truth, hit, false)
        return tables.build_table(truth, given, ("common", "rare"))

    rng = np.random.default_rng(5)
    drawn = [draw(rng) for _ in range(SETS)]
    for k, name in enumerate(("common", "rare")):
        assert 0.90 <= holding([table.row(name).f1 for table in drawn], exact[k]) <= 0.99, name
    assert 0.90 <= holding([table.f1 for table in drawn], exact.mean()) <= 0.99


def test_an_interval_that_is_too_narrow_would_be_noticed() -> None:
    def narrow(rng: np.random.Generator) -> Measure:
        measure = auc(*ranked(rng, 100))
        assert measure.value is not None and measure.interval is not None
        low, high = (measure.value + (end - measure.value) * 0.6 for end in measure.interval)
        return Measure(measure.value, (low, high))

    assert covered(narrow, norm.cdf(1.2 / 2**0.5)) < 0.9


@pytest.mark.parametrize(("sharpness", "least"), [(1.0, 0.9), (2.5, 0.8)])
def test_calibration_error_covers_approximately(sharpness: float, least: float) -> None:
    def draw(rng: np.random.Generator, count: int) -> tuple[NDArray[np.float32], Bools]:
        logit = rng.normal(0, 1.5, count)
        right = rng.random(count) < 1 / (1 + np.exp(-logit))
        return (1 / (1 + np.exp(-logit * sharpness))).astype(np.float32), right

    confidence, right = draw(np.random.default_rng(0), 500_000)
    bins = np.ceil(confidence * 15).astype(int)
    truth = np.abs(np.bincount(bins, weights=right - confidence.astype(float))).sum() / len(right)
    assert least <= covered(lambda rng: measure_reliability(*draw(rng, 400), "x").ece, truth, 100) <= 1


def test_wilson_is_close_to_the_exact_interval() -> None:
    interval = wilson(40, 200).interval
    assert interval == pytest.approx((beta.ppf(0.025, 40, 161), beta.ppf(0.975, 41, 160)), abs=0.01)
