"""Tables against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score

from imageqx_export.evaluation.tables import build_table, count_confusion, one_hot
from imageqx_export.networks.imageqx.spec import LABELS, REASONS


def test_classes_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 300)
    decided = np.where(rng.random(300) < 0.7, truth, rng.integers(0, 4, 300))
    got = build_table(one_hot(truth, 4), one_hot(decided, 4), LABELS)
    for metric, oracle in (("f1", f1_score), ("recall", recall_score), ("precision", precision_score)):
        expected = oracle(truth, decided, average=None)
        assert [getattr(row, metric).value for row in got.rows] == pytest.approx(expected.tolist())
        assert getattr(got, metric).value == pytest.approx(expected.mean())
    specificity = [recall_score(truth != k, decided != k) for k in range(4)]
    assert [row.specificity.value for row in got.rows] == pytest.approx(specificity)
    assert got.specificity.value == pytest.approx(np.mean(specificity))
    assert count_confusion(truth, decided, 4).tolist() == confusion_matrix(truth, decided).tolist()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 30))
def test_every_photo_is_counted_once_and_every_number_lies_in_its_interval(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    truth, ticked = rng.random((2, count, 5)) < 0.4
    got = build_table(truth, ticked, REASONS)
    for row in got.rows:
        assert row.tp + row.fp + row.fn + row.tn == count
        for measure in (row.recall, row.specificity, row.precision, row.f1):
            if measure.value is not None:
                assert measure.interval is not None
                assert measure.interval[0] - 1e-12 <= measure.value <= measure.interval[1] + 1e-12


def test_the_mean_row_is_the_mean_of_its_rows() -> None:
    """The paper's table 4: its rows' recalls have the mean 0.46; it prints another."""
    found = {"bad_framing": 31, "bad_light": 58, "blurry": 60, "low_resolution": 47, "too_far_away": 35}
    ticked = np.stack([np.arange(200) < count for count in found.values()], 1)
    truth = np.repeat(np.arange(200) < 100, 5).reshape(200, 5)
    got = build_table(truth, ticked, tuple(found))
    assert [row.recall.value for row in got.rows] == [0.31, 0.58, 0.6, 0.47, 0.35]
    assert got.recall.value == pytest.approx(0.462)
    assert got.recall.interval is not None
    assert got.recall.interval[0] < 0.462 < got.recall.interval[1]


def test_what_cannot_be_measured_is_none_and_left_out_of_the_mean() -> None:
    truth = np.array([[1, 0, 1], [1, 0, 1], [0, 0, 1], [0, 0, 1]], bool)
    ticked = np.array([[1, 1, 1], [0, 0, 1], [0, 0, 1], [0, 0, 0]], bool)
    both, never, always = build_table(truth, ticked, ("both", "never", "always")).rows
    assert (both.recall.value, both.specificity.value, both.precision.value) == (0.5, 1, 1)
    assert (never.recall.value, never.f1.value) == (None, None)
    assert (never.specificity.value, never.precision.value) == (0.75, 0)
    assert (always.specificity.value, always.recall.value) == (None, 0.75)
    got = build_table(truth, ticked, ("both", "never", "always"))
    assert got.recall.value == pytest.approx((0.5 + 0.75) / 2)
    assert got.specificity.value == pytest.approx((1 + 0.75) / 2)
    nothing = build_table(np.zeros((3, 1), bool), np.zeros((3, 1), bool), ("x",))
    assert (nothing.recall.value, nothing.precision.value, nothing.f1.value) == (None, None, None)
    assert nothing.specificity.value == 1
