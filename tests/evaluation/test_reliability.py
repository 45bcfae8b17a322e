"""Calibration against a loop over the definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imageqx_export.evaluation.intervals import Measure
from imageqx_export.evaluation.reliability import BINS, measure_reliability


def naive(confidence: list[float], right: list[bool]) -> float:
    """Follow Guo et al. 2017, equations 2, 3 and 5: bins ((m − 1) / M, m / M]."""
    total = 0.0
    for m in range(1, BINS + 1):
        inside = [k for k, p in enumerate(confidence) if (m - 1) / BINS < p <= m / BINS or (m == 1 and p == 0)]
        if inside:
            accuracy = sum(right[k] for k in inside) / len(inside)
            total += len(inside) / len(confidence) * abs(accuracy - sum(confidence[k] for k in inside) / len(inside))
    return total


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=1, max_size=60),
    ends=st.lists(st.sampled_from([0.0, 1.0]), max_size=4),
)
def test_the_error_is_the_definitions(rows: list[tuple[float, bool]], ends: list[float]) -> None:
    confidence = [p for p, _ in rows] + ends
    right = [flag for _, flag in rows] + [True] * len(ends)
    got = measure_reliability(np.array(confidence, np.float32), np.array(right), "x")
    assert got.ece.value == pytest.approx(naive(confidence, right))
    assert sum(b.count for b in got.bins) == len(confidence)
    if got.ece.value is not None and got.ece.interval is not None:
        assert 0 <= got.ece.interval[0] <= got.ece.value + 1e-9 <= got.ece.interval[1] + 2e-9 <= 1 + 3e-9


def test_bins_by_hand() -> None:
    got = measure_reliability(np.array([0.98, 0.96, 0.97, 0.5], np.float32), np.array([True, True, False, False]), "x")
    last, middle = got.bins[-1], got.bins[7]
    assert [last.count, last.accuracy.value, last.confidence] == pytest.approx([3, 2 / 3, 0.97])
    assert [middle.low, middle.high] == pytest.approx([7 / 15, 8 / 15])
    assert middle.accuracy.value == 0
    assert got.bins[0].count == 0 and got.bins[0].confidence is None and got.bins[0].accuracy == Measure(None)
    assert got.ece.value == pytest.approx((3 * abs(2 / 3 - 0.97) + 0.5) / 4)


def test_a_calibrated_model_is_no_worse_than_chance_and_an_overconfident_one_is() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(2000).astype(np.float32)
    good = measure_reliability(p, rng.random(2000) < p, "x")
    bad = measure_reliability(p, rng.random(2000) < (0.5 + (p - 0.5) * 0.3), "x")
    assert good.ece.interval is not None and good.ece.interval[0] == 0
    assert good.chance is not None and good.ece.value == pytest.approx(good.chance, rel=0.4)
    assert bad.ece.interval is not None and bad.ece.interval[0] > 0.1
    assert bad.ece.value is not None and bad.ece.interval[0] < bad.ece.value <= bad.ece.interval[1]


def test_no_photos_are_not_measurable() -> None:
    got = measure_reliability(np.empty(0, np.float32), np.empty(0, bool), "x")
    assert (got.ece, got.chance, len(got.bins)) == (Measure(None), None, BINS)
