"""Choose a tensor's range from the histogram of what it held: min–max, percentile, mean squared error, entropy.

Each is a pure function from a :class:`Histogram` to ``(low, high)``. Every range holds 0, so that zero padding and
ReLU's zeros are exact (Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018, section 2.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imageqx_export.quantize.recipe import LEVELS

Range = tuple[float, float]
BINS = 2048
PERCENTILE = 99.99
# Of the full range, which part each candidate keeps.
SHRINKS = np.linspace(0.3, 1.0, 71)


@dataclass(frozen=True, eq=False)
class Histogram:
    """A histogram of a tensor's values over all calibration images.

    Args:
        low: Smallest value.
        high: Largest value.
        counts: int64 [BINS], equal bins from ``low`` to ``high``.
    """

    low: float
    high: float
    counts: NDArray[np.int64]

    @property
    def centres(self) -> NDArray[np.float64]:
        """The bins' middles, float64 [BINS]."""
        width = (self.high - self.low) / len(self.counts)
        return np.asarray(self.low + width * (np.arange(len(self.counts)) + 0.5), np.float64)


def minmax(seen: Histogram) -> Range:
    """Return the whole range: nothing is clipped, and one outlier makes every step wide."""
    return _include_zero(seen.low, seen.high)


def percentile(seen: Histogram, share: float = PERCENTILE) -> Range:
    """Return the range between which ``share`` per cent of the values lie, half of the rest cut off on each side."""
    ranks = np.cumsum(seen.counts) / seen.counts.sum()
    cut = (1 - share / 100) / 2
    width = (seen.high - seen.low) / len(seen.counts)
    first, last = int(np.searchsorted(ranks, cut, side="right")), int(np.searchsorted(ranks, 1 - cut))
    return _include_zero(seen.low + width * first, seen.low + width * (min(last, len(ranks) - 1) + 1))


def mse(seen: Histogram) -> Range:
    """Return the range with the least mean squared error of rounding and clipping, both ends searched in turn."""
    return _search(seen, _measure_squared_error)


def entropy(seen: Histogram) -> Range:
    """Return the range whose quantized distribution has the least Kullback–Leibler divergence from the real one.

    Source: Migacz, "8-bit Inference with TensorRT", GTC 2017, for both ends instead of one.
    """
    return _search(seen, _measure_divergence)


OBSERVERS: dict[str, Callable[[Histogram], Range]] = {
    "minmax": minmax,
    "percentile": percentile,
    "mse": mse,
    "entropy": entropy,
}


def _include_zero(low: float, high: float) -> Range:
    low, high = min(low, 0.0), max(high, 0.0)
    return (low, high) if high > low else (low, low + 1e-6)


def _search(seen: Histogram, cost: Callable[[Histogram, Range], float]) -> Range:
    low, high = minmax(seen)
    for _ in range(2):  # each end, given the other, twice
        highs = [(low, h) for h in high * SHRINKS] if high > 0 else [(low, high)]
        high = min(highs, key=lambda r: cost(seen, r))[1]
        lows = [(v, high) for v in low * SHRINKS] if low < 0 else [(low, high)]
        low = min(lows, key=lambda r: cost(seen, r))[0]
        if (low, high) == minmax(seen):
            break
    return _include_zero(float(low), float(high))


def _measure_squared_error(seen: Histogram, within: Range) -> float:
    low, high = within
    step = (high - low) / (LEVELS - 1)
    x = seen.centres
    levels = np.clip(np.rint((x - low) / step), 0, LEVELS - 1)
    return float((seen.counts * (low + levels * step - x) ** 2).sum())


def _measure_divergence(seen: Histogram, within: Range) -> float:
    low, high = within
    step = (high - low) / (LEVELS - 1)
    levels = np.clip(np.rint((seen.centres - low) / step), 0, LEVELS - 1).astype(np.int64)
    inside = (seen.centres >= low - step / 2) & (seen.centres <= high + step / 2)
    held = seen.counts > 0
    # P: what is outside is added to the outermost bin inside. Q: each level's mass, spread evenly over its bins.
    p = np.where(inside, seen.counts, 0).astype(np.float64)
    if not inside.any():
        return float("inf")
    first, last = np.flatnonzero(inside)[[0, -1]]
    p[first] += seen.counts[:first].sum()
    p[last] += seen.counts[last + 1 :].sum()
    mass = np.bincount(levels[inside], weights=seen.counts[inside], minlength=LEVELS)
    bins = np.bincount(levels[inside & held], minlength=LEVELS)
    q = np.where(inside & held, mass[levels] / np.maximum(bins[levels], 1), 0.0)
    if q.sum() == 0:
        return float("inf")
    p, q = p / p.sum(), q / q.sum()
    both = p > 0
    return float((p[both] * np.log(p[both] / np.maximum(q[both], 1e-12))).sum())
