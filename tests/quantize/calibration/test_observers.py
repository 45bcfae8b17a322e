"""The four observers against numpy, SciPy and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import entropy as divergence

from imageqx_export.quantize.calibration.observers import BINS, OBSERVERS, Histogram, entropy, minmax, mse, percentile
from imageqx_export.quantize.recipe import LEVELS

RANDOM = np.random.default_rng(0)
HEAVY = RANDOM.standard_t(2, 200_000)  # few values far out, as in a network


def histogram(values: NDArray[np.float64]) -> Histogram:
    counts, edges = np.histogram(values, BINS)
    return Histogram(float(edges[0]), float(edges[-1]), counts.astype(np.int64))


def rounded(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    grid = np.linspace(low, high, LEVELS)
    nearest: NDArray[np.float64] = grid[np.abs(values[:, None] - grid[None]).argmin(1)]
    return nearest


def test_minmax_is_the_ends() -> None:
    assert minmax(histogram(HEAVY)) == (HEAVY.min(), HEAVY.max())


@pytest.mark.parametrize("share", [99.0, 99.9, 99.99])
def test_percentile_is_numpys(share: float) -> None:
    values = RANDOM.normal(3, 2, 100_000)
    width = np.ptp(values) / BINS
    want = np.percentile(values, [(100 - share) / 2, 100 - (100 - share) / 2])
    np.testing.assert_allclose(percentile(histogram(values), share), [min(want[0], 0), want[1]], atol=2 * width)


def test_mse_has_a_smaller_error_than_every_range_of_a_grid() -> None:
    values = HEAVY[:3000]
    found = mse(histogram(values))
    error = ((rounded(values, *found) - values) ** 2).mean()
    others = [
        ((rounded(values, a * values.min(), b * values.max()) - values) ** 2).mean()
        for a in np.linspace(0.3, 1, 8)
        for b in np.linspace(0.3, 1, 8)
    ]
    assert error <= 1.05 * min(others)


def test_mse_clips_where_one_value_is_far_out() -> None:
    values = np.concatenate([RANDOM.normal(0, 1, 100_000), [8.0]])
    low, high = mse(histogram(values))
    assert high < 7 and low < -3


def test_entropy_is_no_farther_from_the_distribution_than_the_whole_range() -> None:
    values = np.concatenate([RANDOM.normal(0, 1, 100_000), [60.0]])

    def distance(low: float, high: float) -> float:
        inside = np.clip(values, low, high)
        bins = np.linspace(values.min(), values.max(), BINS + 1)
        p, _ = np.histogram(inside, bins)
        q, _ = np.histogram(rounded(inside[::10], low, high), bins)
        smooth = np.convolve(q, np.ones(15) / 15, "same") + 1e-9  # a level's mass, spread over its neighbourhood
        return float(divergence(p / p.sum(), smooth / smooth.sum()))

    found = entropy(histogram(values))
    assert found[1] < 60
    assert distance(*found) < distance(*minmax(histogram(values)))


@settings(max_examples=25, deadline=None)
@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4), st.lists(st.integers(0, 1000), min_size=8, max_size=8), st.data())
def test_every_range_holds_zero_and_is_not_empty(
    low: float, width: float, counts: list[int], data: st.DataObject
) -> None:
    counts[data.draw(st.integers(0, 7))] += 1
    seen = Histogram(low, low + width, np.repeat(np.array(counts, np.int64), BINS // 8))
    for name, observer in OBSERVERS.items():
        found = observer(seen)
        assert found[0] <= 0 <= found[1] and found[0] < found[1], name
        assert found[0] >= min(low, 0) - 1e-6 * width, name
        assert found[1] <= max(low + width, 0) + 1e-5 * max(width, 1), name
