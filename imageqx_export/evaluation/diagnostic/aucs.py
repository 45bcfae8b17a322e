"""Whether one score ranks the same photos better than another: DeLong's test for paired areas.

The difference of the areas is a mean of paired placement values, so its variance is theirs: DeLong, DeLong &
Clarke-Pearson, Biometrics 1988. Neither SciPy nor scikit-learn has the test, and the packages that do (MLstatkit,
confidenceinterval) are there for little else; the tests hold this file to the first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imageqx_export.errors import DatasetError
from imageqx_export.evaluation.intervals import Bools, Floats, Measure, auc, compute_placements


@dataclass(frozen=True)
class Comparison:
    """Two scores' areas on the same photos.

    Args:
        first: The first score's AUC.
        second: The second's.
        difference: First less second, with its 95 % interval.
        z: The difference over its standard error; None where that is 0.
        p: Two-sided, of no difference; None likewise.
    """

    first: Measure
    second: Measure
    difference: Measure
    z: float | None
    p: float | None


def compare_aucs(truth: Bools, first: Floats, second: Floats) -> Comparison:
    """Compare two scores of the same photos by DeLong's paired test.

    Args:
        truth: Whether each photo is positive, bool [N].
        first: A number per photo that rises with it, [N].
        second: Another such number, [N].

    Raises:
        DatasetError: The photos are fewer than two of either kind, so that no variance can be estimated.
    """
    m, n = int(truth.sum()), int((~truth).sum())
    if min(m, n) < 2:
        raise DatasetError(
            "too few photos to compare two models on",
            expected="at least two that are good and two that are not",
            got=f"{m} good, {n} not",
            remedy="add photos of what is missing",
        )
    (above, below), (above2, below2) = compute_placements(truth, first), compute_placements(truth, second)
    over_positives, over_negatives = above - above2, below - below2
    value = float(over_positives.mean())
    error = float(np.sqrt(over_positives.var(ddof=1) / m + over_negatives.var(ddof=1) / n))
    measured = auc(truth, first), auc(truth, second)
    if error < 1e-12:
        return Comparison(*measured, Measure(value), None, None)
    from scipy.stats import norm

    z, reach = value / error, float(norm.ppf(0.975)) * error
    return Comparison(*measured, Measure(value, (value - reach, value + reach)), z, float(2 * norm.sf(abs(z))))
