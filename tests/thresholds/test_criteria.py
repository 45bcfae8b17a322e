"""Thresholds: each is the best of all that there are, by counting, and Youden's by scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, roc_curve

from imageqx_export.errors import ImageQXError
from imageqx_export.thresholds.criteria import (
    Criterion,
    Unreachable,
    choose_threshold,
    list_cuts,
    make_criterion,
    measure,
)

Array = NDArray[Any]
YOUDEN = Criterion(kind="youden")
# Few different scores, so that ties abound, and 0 and 1 themselves.
SCORES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]), st.booleans()), min_size=2, max_size=30
).filter(lambda rows: 0 < sum(has for _, has in rows) < len(rows))
EXAMPLE = (
    np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], np.float32),
    np.array([0, 0, 1, 0, 1, 0, 1, 1], bool),
)


def budget(value: float) -> Criterion:
    return Criterion(kind="retake_budget", value=value)


def ppv(value: float) -> Criterion:
    return Criterion(kind="ppv", value=value)


def arrays(rows: list[tuple[float, bool]]) -> tuple[Array, Array]:
    return np.array([score for score, _ in rows], np.float32), np.array([has for _, has in rows])


def found(rule: Criterion, scores: Array, truth: Array, *, passing: bool = False) -> float:
    value = choose_threshold(rule, scores, truth, passing=passing)
    assert isinstance(value, float)
    return value


def every_threshold(scores: Array) -> Array:
    """Give a threshold for each way to cut, found without the code under test; in [0, 1], as a spec's must be."""
    candidates = np.unique(np.concatenate([[0.0, 1.0], scores, np.nextafter(scores, np.float32(2))])).astype(np.float32)
    return candidates[candidates <= 1]


def test_by_hand() -> None:
    scores, truth = EXAMPLE
    assert found(budget(0.25), scores, truth) == pytest.approx(0.45)  # of 4 good photos, only 0.6 is sent back
    assert found(budget(0.24), scores, truth) == pytest.approx(0.65)
    assert found(budget(0.0), scores, truth) == pytest.approx(0.65)
    assert found(budget(1.0), scores, truth) == 0
    assert found(ppv(0.75), scores, truth) == pytest.approx(0.45)  # 0.5, 0.7, 0.8 of 0.5, 0.6, 0.7, 0.8
    assert found(ppv(0.76), scores, truth) == pytest.approx(0.65)
    assert found(ppv(0.75), scores, truth, passing=True) == pytest.approx(0.45)  # 0.1, 0.2, 0.4 good of four
    assert found(ppv(1.0), scores, truth, passing=True) == pytest.approx(0.25)
    assert found(ppv(0.5), scores, truth, passing=True) == pytest.approx(0.9)  # half are good: nobody need be asked
    # sensitivity + specificity − 1 is 0.5 at 0.25 (1 + 0.5), at 0.45 (0.75 + 0.75) and at 0.65 (0.5 + 1)
    assert found(YOUDEN, scores, truth) == pytest.approx(0.65)


@settings(max_examples=150, deadline=None)
@given(rows=SCORES, share=st.sampled_from([0.0, 0.1, 0.25, 1 / 3, 0.5, 0.9, 1.0]))
def test_the_retake_budget_is_kept_and_used_up(rows: list[tuple[float, bool]], share: float) -> None:
    scores, truth = arrays(rows)
    kept = [t for t in every_threshold(scores) if (scores[~truth] >= t).mean() <= share]
    value = choose_threshold(budget(share), scores, truth)
    if not kept:
        assert value == Unreachable(float((scores[~truth] >= 1).mean()))
        return
    assert isinstance(value, float) and 0 <= value <= 1
    assert (scores[~truth] >= value).mean() <= share
    assert (scores >= value).sum() == max((scores >= t).sum() for t in kept)  # no lower one keeps it


@settings(max_examples=150, deadline=None)
@given(rows=SCORES, share=st.sampled_from([0.1, 0.25, 1 / 3, 0.5, 0.9, 1.0]), passing=st.booleans())
def test_the_ppv_is_reached_by_as_few_and_as_many(rows: list[tuple[float, bool]], share: float, passing: bool) -> None:
    scores, truth = arrays(rows)

    def reached(threshold: float) -> float:
        chosen = scores < threshold if passing else scores >= threshold
        return float((truth != passing)[chosen].mean()) if chosen.any() else -1.0

    good = [t for t in every_threshold(scores) if reached(t) >= share]
    value = choose_threshold(ppv(share), scores, truth, passing=passing)
    if not good:
        best = max(reached(t) for t in every_threshold(scores))
        assert value == Unreachable(max(0.0, best))
        return
    assert isinstance(value, float)
    assert reached(value) >= share
    sent = [int((scores >= t).sum()) for t in good]
    assert (scores >= value).sum() == (min(sent) if passing else max(sent))


@settings(max_examples=150, deadline=None)
@given(rows=SCORES)
def test_youden_is_scikit_learns(rows: list[tuple[float, bool]]) -> None:
    scores, truth = arrays(rows)
    alarms, hits, thresholds = roc_curve(truth, scores, drop_intermediate=False)
    allowed = thresholds <= 1  # its first is infinite: nothing is found
    if scores.max() < 1:
        allowed[0] = True
    value = found(YOUDEN, scores, truth)
    row = measure(scores >= np.float32(value), truth, value)
    assert row.sensitivity is not None and row.specificity is not None
    best = (hits - alarms)[allowed].max()
    assert row.sensitivity + row.specificity - 1 == pytest.approx(best, abs=1e-12)
    ties = [t for t, j in zip(thresholds[allowed], (hits - alarms)[allowed], strict=True) if j > best - 1e-12]
    assert (scores >= value).sum() == (scores >= max(ties)).sum()  # the highest of equally good ones


def test_a_cut_lies_clear_of_the_photos_on_both_sides() -> None:
    thresholds, hits, alarms = list_cuts(*EXAMPLE)
    assert thresholds.tolist() == pytest.approx([0, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.9])
    assert hits.tolist() == [4, 4, 4, 3, 3, 2, 2, 1, 0]
    assert alarms.tolist() == [4, 3, 2, 2, 1, 1, 0, 0, 0]


def test_neighbours_in_float32_are_told_apart() -> None:
    low = np.float32(0.3)
    high = np.nextafter(low, np.float32(1))
    value = found(YOUDEN, np.array([low, high], np.float32), np.array([False, True]))
    assert np.float32(value) == high
    top = np.nextafter(np.float32(1), np.float32(0))
    assert found(budget(0), np.array([top, 0.1], np.float32), np.array([False, True])) == 1  # the only cut above it


def test_good_photos_with_a_score_of_one_use_up_any_budget() -> None:
    scores, truth = np.array([1, 1, 0.5, 0.2], np.float32), np.array([False, True, False, True])
    assert choose_threshold(budget(0.1), scores, truth) == Unreachable(0.5)
    assert choose_threshold(ppv(0.9), np.ones(2, np.float32), np.array([True, False]), passing=True) == Unreachable(0.0)


def test_measures_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    given_, truth = rng.random(60) < 0.4, rng.random(60) < 0.6
    (tn, fp), (fn, tp) = confusion_matrix(truth, given_)
    row = measure(given_, truth, 0.4)
    assert (row.positives, row.negatives, row.threshold) == (tp + fn, tn + fp, 0.4)
    assert row.sensitivity == pytest.approx(tp / (tp + fn))
    assert row.specificity == pytest.approx(tn / (tn + fp))
    assert row.ppv == pytest.approx(tp / (tp + fp))
    assert row.npv == pytest.approx(tn / (tn + fn))
    nothing = measure(np.zeros(3, bool), np.zeros(3, bool), None)
    assert (nothing.sensitivity, nothing.ppv, nothing.specificity, nothing.npv) == (None, None, 1, 1)


def test_one_criterion_and_only_one() -> None:
    assert make_criterion(retake_budget=0.0) == Criterion(kind="retake_budget", value=0.0)
    assert make_criterion(ppv=0.9) == Criterion(kind="ppv", value=0.9)
    assert make_criterion(youden=True) == YOUDEN
    for arguments in ({}, {"retake_budget": 0.1, "ppv": 0.9}, {"ppv": 0.9, "youden": True}):
        with pytest.raises(ImageQXError, match="only one"):
            make_criterion(**arguments)  # type: ignore[arg-type]  # mixed on purpose
    for arguments in ({"retake_budget": 1.1}, {"retake_budget": -0.1}, {"ppv": 0.0}, {"ppv": float("nan")}):
        with pytest.raises(ImageQXError, match="not a share"):
            make_criterion(**arguments)  # type: ignore[arg-type]
