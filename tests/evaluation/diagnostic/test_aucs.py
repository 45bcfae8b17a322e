"""DeLong's paired test against another implementation, all pairs written out, and simulated sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from imageqx_export.errors import DatasetError
from imageqx_export.evaluation.diagnostic.aucs import compare_aucs
from imageqx_export.evaluation.diagnostic.slope import fit_recalibration
from imageqx_export.evaluation.intervals import Measure

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


def _example() -> tuple[Bools, Floats, Floats]:
    i = np.arange(60)
    truth = (i * 7 % 10) < 6
    return truth, ((i * 37 % 101) + 40 * truth) / 200, np.round(((i * 53 % 89) + 25 * truth) / 140, 1)


def test_the_paired_test_is_mlstatkits() -> None:
    """Golden: MLstatkit 0.1.91's ``Delong_test(truth, first, second)`` on the same numbers, ties included."""
    found = compare_aucs(*_example())
    assert found.z == pytest.approx(0.12685497716899638, abs=1e-9)  # it subtracts the other way round
    assert found.p == pytest.approx(0.8990551816815711, abs=1e-9)
    assert found.first.value == pytest.approx(0.814236111111111)
    assert found.first.interval == pytest.approx((0.70766041291445, 0.9208118093077721))
    assert found.second.value == pytest.approx(0.8049768518518517)
    assert found.second.interval == pytest.approx((0.6983701479221123, 0.9115835557815912))
    low, high = found.difference.interval or (0, 0)
    assert ((high - low) / 2 / 1.959963984540054) ** 2 == pytest.approx(0.005327671835194983)


def _by_pairs(truth: Bools, scores: Floats) -> NDArray[np.float64]:
    positive, negative = scores[truth][:, None], scores[~truth][None, :]
    return np.asarray((positive > negative) + 0.5 * (positive == negative), np.float64)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(8, 60), levels=st.sampled_from([4, 10**6]))
def test_the_variance_is_that_of_1988(seed: int, count: int, levels: int) -> None:
    """S10 and S01 are the covariances of the placement values; L S Lᵀ for L = (1, −1)."""
    rng = np.random.default_rng(seed)
    truth = np.arange(count) % 3 == 0
    first, second = rng.integers(0, levels, (2, count)) / levels
    pairs = [_by_pairs(truth, scores) for scores in (first, second)]
    s10 = np.cov([p.mean(1) for p in pairs]) / truth.sum()
    s01 = np.cov([p.mean(0) for p in pairs]) / (~truth).sum()
    contrast = np.array([1, -1])
    variance = contrast @ (s10 + s01) @ contrast
    found = compare_aucs(truth, first, second)
    assert found.difference.value == pytest.approx(pairs[0].mean() - pairs[1].mean())
    if variance > 1e-12:
        assert found.z == pytest.approx((pairs[0].mean() - pairs[1].mean()) / variance**0.5)


def test_equal_models_are_told_apart_as_often_as_the_level_says() -> None:
    rng = np.random.default_rng(4)
    truth = np.arange(120) < 60
    told = 0
    for _ in range(400):
        common = rng.normal(0, 1, 120) + truth
        told += (compare_aucs(truth, common + rng.normal(0, 1, 120), common + rng.normal(0, 1, 120)).p or 1) < 0.05
    assert 0.02 < told / 400 < 0.09
    better = rng.normal(0, 1, 120) + 2 * truth
    assert (compare_aucs(truth, better, rng.normal(0, 1, 120)).p or 1) < 1e-4


def test_the_same_scores_do_not_differ() -> None:
    truth, first, _ = _example()
    found = compare_aucs(truth, first, first**3)  # the same order
    assert (found.difference, found.z, found.p) == (Measure(0.0), None, None)


def test_one_photo_of_a_kind_is_too_few() -> None:
    with pytest.raises(DatasetError, match="1 good, 3 not"):
        compare_aucs(np.array([True, False, False, False]), np.arange(4.0), np.arange(4.0))


def test_the_slope_is_statsmodels() -> None:
    """Golden: statsmodels 0.15.0's ``Logit(truth, add_constant(logit(p))).fit()``."""
    truth, probabilities, _ = _example()
    found = fit_recalibration(truth, probabilities)
    assert found.intercept.value == pytest.approx(1.68490875, abs=1e-5)
    assert found.intercept.interval == pytest.approx((0.73239475, 2.63742274), abs=1e-5)
    assert found.slope.value == pytest.approx(1.82734484, abs=1e-5)
    assert found.slope.interval == pytest.approx((0.790167, 2.86452268), abs=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_slope_is_the_temperature_that_was_put_in(temperature: float) -> None:
    rng = np.random.default_rng(5)
    logits = rng.normal(0.5, 1.5, 20_000)
    truth = rng.random(20_000) < 1 / (1 + np.exp(-logits))
    found = fit_recalibration(truth, 1 / (1 + np.exp(-logits / temperature)))
    assert found.slope.value == pytest.approx(temperature, rel=0.05)
    assert found.intercept.value == pytest.approx(0, abs=0.06)
    curve = found.curve(np.array([0.5]))
    assert curve is not None and curve[0] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("truth", [[True] * 4, [False, False, True, True]])
def test_the_slope_of_what_is_parted_is_not_measured(truth: list[bool]) -> None:
    found = fit_recalibration(np.array(truth), np.array([0.0, 0.2, 0.7, 1.0]))
    assert found.slope == found.intercept == Measure(None)
    assert found.curve(np.array([0.5])) is None
