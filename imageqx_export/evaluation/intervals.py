"""Measured numbers and their 95 % confidence intervals.

Which interval a number gets, and why:

- Proportions (recall, specificity, precision, a bin's accuracy): Wilson 1927, which holds for few photos too.
- F1 of one class: Wilson as well, as F1 = 2J / (1 + J) with J = TP / (TP + FP + FN), and TP is binomial given that sum.
- Macro means and average precision: the percentile bootstrap over photos, with a fixed seed.
- AUC: DeLong, DeLong & Clarke-Pearson 1988, in :func:`auc`.
- Calibration error: see :mod:`imageqx_export.evaluation.reliability`.

All of them take photos as independent of each other; several photos of one patient make them too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Pair = tuple[float, float]

LEVEL = 0.95
ROUNDS = 1000
SEED = 20230406
_NORMAL = 1.959963984540054  # the standard normal's 97.5 % quantile
_CHUNK = 4_000_000  # drawn numbers held at a time: 16 MB


@dataclass(frozen=True)
class Measure:
    """One measured number.

    Args:
        value: The number, or None where the photos do not allow to measure it.
        interval: The 95 % confidence interval's ends, or None where there is none.
    """

    value: float | None
    interval: Pair | None = None


UNMEASURED = Measure(None)


def wilson(successes: int, total: int) -> Measure:
    """Return a proportion with Wilson's score interval (Wilson 1927, without continuity correction).

    Args:
        successes: 0…total.
        total: Trials; none at all gives an unmeasured proportion.

    >>> wilson(81, 263).value
    0.30798479087452474
    >>> [round(end, 4) for end in wilson(81, 263).interval]
    [0.2553, 0.3662]
    """
    from scipy.stats import binomtest

    if total == 0:
        return UNMEASURED
    ends = binomtest(successes, total).proportion_ci(LEVEL, method="wilson")
    return Measure(successes / total, (float(ends.low), float(ends.high)))


def f1(hits: int, wrong: int) -> Measure:
    """Return F1 with the interval of its binomial part.

    F1 = 2 TP / (2 TP + FP + FN) is 2J / (1 + J), rising in J = TP / (TP + FP + FN); J's Wilson interval is mapped.

    Args:
        hits: TP.
        wrong: FP + FN.
    """
    share = wilson(hits, hits + wrong)
    if share.value is None or share.interval is None:
        return UNMEASURED
    low, high = (2 * end / (1 + end) for end in share.interval)
    return Measure(2 * share.value / (1 + share.value), (low, high))


def draw_resamples(photos: int, rounds: int = ROUNDS, seed: int = SEED) -> Iterator[NDArray[np.float32]]:
    """Draw bootstrap samples of photos.

    Args:
        photos: How many photos, N ≥ 1.
        rounds: How many samples.
        seed: The same seed gives the same samples.

    Yields:
        How often each photo was drawn, float32 [B,N], each row's sum N; over all, ``rounds`` rows.
    """
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK // photos)
    for start in range(0, rounds, step):
        count = min(step, rounds - start)
        drawn = rng.integers(0, photos, (count, photos)) + np.arange(count)[:, None] * photos
        counts = np.bincount(drawn.ravel(), minlength=count * photos)
        yield counts.reshape(count, photos).astype(np.float32)


def bootstrap(statistic: Callable[[NDArray[np.float32]], Floats], photos: int, rounds: int = ROUNDS) -> Floats:
    """Return a statistic on bootstrap samples.

    Args:
        statistic: Given weights [B,N], returns [B,K]; NaN where a sample does not allow to measure it.
        photos: N ≥ 1.
        rounds: How many samples.

    Returns:
        float64 [rounds,K].
    """
    return np.concatenate([statistic(weights) for weights in draw_resamples(photos, rounds)])


def percentile(values: Floats) -> Pair | None:
    """Return the percentile interval of bootstrap values [B], or None where it would not mean anything.

    That is where fewer than half the samples could be measured, or where all agree, as they do for a perfect
    score: the interval would have no width, which says nothing about other photos.
    """
    known = values[~np.isnan(values)]
    if 2 * len(known) < len(values) or len(known) == 0:
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return None if high - low < 1e-12 else (float(low), float(high))


def auc(truth: Bools, scores: Floats) -> Measure:
    """Return the area under the ROC curve with DeLong's interval.

    The area is the chance that a positive photo scores higher than a negative one, ties counting half. Its variance:
    DeLong, DeLong & Clarke-Pearson, Biometrics 1988. The interval is normal, cut off at 0 and 1.

    Args:
        truth: Whether the reason holds, bool [N].
        scores: Any number that rises with it, [N].

    Returns:
        Unmeasured without a positive or without a negative photo; no interval with only one of either, or for a
        perfect separation, whose variance is estimated as 0.
    """
    m, n = int(truth.sum()), int((~truth).sum())
    if m == 0 or n == 0:
        return UNMEASURED
    above, below = compute_placements(truth, scores)
    area = float(above.mean())
    if m < 2 or n < 2:
        return Measure(area)
    variance = float(above.var(ddof=1) / m + below.var(ddof=1) / n)
    if variance < 1e-15:
        return Measure(area)
    reach = _NORMAL * variance**0.5
    return Measure(area, (max(0.0, area - reach), min(1.0, area + reach)))


def compute_placements(truth: Bools, scores: Floats) -> tuple[Floats, Floats]:
    """Return DeLong's placement values: per positive photo the share of negatives below it, and the other way round.

    Computed from midranks in O(N log N): Sun & Xu, IEEE Signal Processing Letters 2014. SciPy and scikit-learn have
    neither these nor the variance.

    Args:
        truth: bool [N], M of them true, at least one true and one false.
        scores: Any number that rises with it, [N]; ties count half.

    Returns:
        Of the positives the share of negatives that score lower, float64 [M], and of the negatives the share of
        positives that score higher, float64 [N − M]; the mean of either is the AUC.

    >>> compute_placements(np.array([True, False, True]), np.array([0.9, 0.5, 0.1]))
    (array([1., 0.]), array([0.5]))
    """
    from scipy.stats import rankdata

    positive, negative = scores[truth], scores[~truth]
    m, n = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    above = (ranks[:m] - rankdata(positive)) / n
    return above, 1 - (ranks[m:] - rankdata(negative)) / m
