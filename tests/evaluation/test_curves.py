"""Curves against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import auc, average_precision_score, roc_auc_score

from imageqx_export.evaluation import curves
from imageqx_export.evaluation.curves import trace_curve
from imageqx_export.evaluation.intervals import Measure


def test_areas_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(300) < 0.2
    scores = np.round(rng.normal(0, 1, 300) + truth, 1).astype(np.float32)
    got = trace_curve(truth, scores, "blurry")
    assert (got.photos, got.others) == (truth.sum(), (~truth).sum())
    assert got.auc.value == pytest.approx(roc_auc_score(truth, scores))
    assert got.auc.value == pytest.approx(auc(got.roc[:, 0], got.roc[:, 1]))
    assert got.average_precision.value == pytest.approx(average_precision_score(truth, scores))
    assert got.roc[0].tolist() == [0, 0] and got.roc[-1].tolist() == [1, 1]
    assert got.pr[-1].tolist() == [0, 1]
    for measure in (got.auc, got.average_precision):
        assert measure.interval is not None and measure.value is not None
        assert measure.interval[0] < measure.value < measure.interval[1]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), levels=st.sampled_from([2, 5, 1000]))
def test_resampled_average_precision_is_that_of_the_repeated_photos(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random(25) < 0.4
    scores = rng.integers(0, levels, 25) / levels
    weights = rng.multinomial(25, np.full(25, 1 / 25), 4)
    got = curves._AveragePrecision(truth, scores)(weights.astype(np.float32))[:, 0]
    for row, value in zip(weights, got, strict=True):
        drawn = np.repeat(np.arange(25), row)
        if truth[drawn].any():
            assert value == pytest.approx(average_precision_score(truth[drawn], scores[drawn]))
        else:
            assert np.isnan(value)


@pytest.mark.parametrize("truth", [False, True])
def test_one_kind_of_photo_is_not_measurable(truth: bool) -> None:
    got = trace_curve(np.full(5, truth), np.linspace(0, 1, 5, dtype=np.float32), "x")
    assert got.auc == got.average_precision == Measure(None)
    assert got.roc.shape == got.pr.shape == (0, 2)


def test_a_perfect_ranking_has_no_interval() -> None:
    got = trace_curve(np.arange(10) > 6, np.arange(10, dtype=np.float32), "x")
    assert got.auc == got.average_precision == Measure(1.0)
