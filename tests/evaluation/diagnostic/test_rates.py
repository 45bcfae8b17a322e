"""The paper's own counts and rates through the formulas, thresholds by brute force, and other prevalences."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import classification_report

from imageqx_export.errors import DatasetError
from imageqx_export.evaluation.diagnostic.prevalence import Spread, resample_to_prevalence
from imageqx_export.evaluation.diagnostic.rates import choose_youden_threshold, count_rates, predict_values
from imageqx_export.evaluation.intervals import Measure

# Jeong et al., JID Innovations 2024; 4: 100285: photos per number of raters of four who said good.
TEST, EXTERNAL, TRAIN = (25, 26, 26, 39, 64), (18, 27, 54, 57, 144), (133, 107, 133, 222, 305)


def _predict(counts: tuple[int, ...], votes: int, tpr: float, tnr: float) -> tuple[float, float, float, float]:
    """Return the lowest and the highest PPV, then NPV, that rates printed with three digits allow."""
    share = sum(counts[votes:]) / sum(counts)
    ends = [predict_values(tpr + a, tnr + b, share) for a, b in product((-5e-4, 5e-4), repeat=2)]
    ppv, npv = zip(*ends, strict=True)
    return min(ppv), max(ppv), min(npv), max(npv)


def _allows(printed: float, low: float, high: float) -> bool:
    return low < printed + 5e-4 and high > printed - 5e-4


@pytest.mark.parametrize(
    ("counts", "tpr", "tnr", "ppv", "npv"), [(TEST, 0.829, 0.784, 0.906, 0.645), (EXTERNAL, 0.827, 0.800, 0.959, 0.450)]
)
def test_the_papers_values_follow_from_two_of_four_alone(
    counts: tuple[int, ...], tpr: float, tnr: float, ppv: float, npv: float
) -> None:
    fits = {}
    for votes in (1, 2, 3, 4):
        low, high, low_npv, high_npv = _predict(counts, votes, tpr, tnr)
        fits[votes] = _allows(ppv, low, high) and _allows(npv, low_npv, high_npv)
    assert fits == {1: False, 2: True, 3: False, 4: False}


def test_the_papers_counts_give_its_rates() -> None:
    """Of 129 good and 51 other photos, 107 and 11 pass: the only whole numbers that give the printed TPR and TNR."""
    truth = np.arange(180) < sum(TEST[2:])
    passed = np.concatenate([np.arange(129) < 107, np.arange(51) < 11])
    rates = count_rates(truth, passed)
    assert (rates.good, rates.photos) == (129, 180)
    assert round(rates.tpr.value or 0, 3) == 0.829
    assert round(rates.tnr.value or 0, 3) == 0.784
    assert round(rates.npv.value or 0, 3) == 0.645
    assert rates.ppv.value == pytest.approx(0.906, abs=1e-3)  # 107 / 118 = 0.9068: the paper cuts where it might round
    more_than_half = count_rates(np.arange(180) < sum(TEST[3:]), passed)
    assert more_than_half.ppv.value != pytest.approx(0.906, abs=1e-2)


def test_rates_are_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    truth, passed = rng.random(300) < 0.7, rng.random(300) < 0.6
    rates = count_rates(truth, passed)
    rows = classification_report(truth, passed, output_dict=True)
    assert rates.ppv.value == pytest.approx(rows["True"]["precision"])
    assert rates.tpr.value == pytest.approx(rows["True"]["recall"])
    assert rates.npv.value == pytest.approx(rows["False"]["precision"])
    assert rates.tnr.value == pytest.approx(rows["False"]["recall"])
    assert rates.tpr.value is not None and rates.tnr.value is not None
    assert predict_values(rates.tpr.value, rates.tnr.value, rates.good / 300) == pytest.approx(
        (rates.ppv.value, rates.npv.value)
    )


def test_rates_without_a_denominator_are_not_measured() -> None:
    rates = count_rates(np.array([True, True]), np.array([True, True]))
    assert rates.npv == rates.tnr == Measure(None)
    assert rates.ppv.value == rates.tpr.value == 1


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(4, 40), levels=st.sampled_from([3, 8, 10**6]))
def test_youdens_threshold_is_the_best_of_all(seed: int, count: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.arange(count) % 3 > 0
    scores = rng.integers(0, levels, count) / levels
    if len(np.unique(scores)) < 2:
        return
    chosen = choose_youden_threshold(truth, scores)

    def youden(threshold: float) -> float:
        return float((scores[truth] >= threshold).mean() - (scores[~truth] >= threshold).mean())

    best = max(youden(level) for level in np.unique(scores))
    assert youden(chosen) == pytest.approx(best)
    above = [level for level in np.unique(scores) if level >= chosen][1:]
    assert all(youden(level) < best - 1e-9 for level in above)  # of several that are as good, the highest
    assert chosen not in scores or chosen == scores.min()


@pytest.mark.parametrize(
    ("truth", "scores"),
    [([True, True], [0.1, 0.2]), ([False, False], [0.1, 0.2]), ([True, False], [0.5, 0.5])],
)
def test_no_threshold_without_two_kinds_of_photos(truth: list[bool], scores: list[float]) -> None:
    with pytest.raises(DatasetError, match="no threshold can be chosen"):
        choose_youden_threshold(np.array(truth), np.array(scores))


def test_draws_have_the_prevalence_that_was_asked_for() -> None:
    """TPR, TNR and AUC stay what they are; PPV and NPV become what Bayes' rule says."""
    rng = np.random.default_rng(2)
    truth = np.arange(600) < 510
    scores = rng.normal(0, 1, 600) + 1.6 * truth
    rates = count_rates(truth, scores >= 0.7)
    share = sum(TRAIN[2:]) / sum(TRAIN)
    found = resample_to_prevalence(truth, scores, 0.7, share)
    assert (found.draws, found.prevalence) == (200, share)
    for name in ("tpr", "tnr"):
        spread: Spread = getattr(found, name)
        whole = getattr(rates, name).value
        assert spread.mean == pytest.approx(whole, abs=0.02)
        number = 600 * (share if name == "tpr" else 1 - share)
        assert spread.sd == pytest.approx((whole * (1 - whole) / number) ** 0.5, rel=0.2)
    assert rates.tpr.value is not None and rates.tnr.value is not None
    ppv, npv = predict_values(rates.tpr.value, rates.tnr.value, share)
    assert found.ppv.mean == pytest.approx(ppv, abs=0.01)
    assert found.npv.mean == pytest.approx(npv, abs=0.03)
    assert rates.ppv.value is not None and rates.ppv.value > ppv + 0.03  # the photos themselves have more good ones
    assert found == resample_to_prevalence(truth, scores, 0.7, share)


def test_draws_of_one_kind_are_refused() -> None:
    with pytest.raises(DatasetError, match="another prevalence"):
        resample_to_prevalence(np.ones(5, bool), np.linspace(0, 1, 5), 0.5, 0.7)
    with pytest.raises(DatasetError, match="to draw 0 good ones"):
        resample_to_prevalence(np.array([True, False]), np.array([0.1, 0.9]), 0.5, 0.01)


def test_what_no_draw_allows_is_not_measured() -> None:
    found = resample_to_prevalence(np.array([True, False] * 4), np.full(8, 0.2), 0.9, 0.5, draws=5)
    assert found.ppv == Spread(None, None)
    assert found.auc == Spread(0.5, 0.0)
