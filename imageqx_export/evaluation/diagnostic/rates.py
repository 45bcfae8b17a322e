"""A threshold, and how often a decision by it is right: PPV, TPR, NPV and TNR."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imageqx_export.errors import DatasetError
from imageqx_export.evaluation.intervals import Bools, Floats, Measure, wilson

RATES = ("ppv", "tpr", "npv", "tnr")


@dataclass(frozen=True)
class Rates:
    """The four rates of a yes or no, with Wilson's intervals; good is what is said yes to.

    Args:
        tp: Good photos that pass.
        fp: Bad photos that pass.
        fn: Good photos that are sent back.
        tn: Bad photos that are sent back.
    """

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def photos(self) -> int:
        """How many photos were decided about."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def good(self) -> int:
        """How many of them are good."""
        return self.tp + self.fn

    @property
    def ppv(self) -> Measure:
        """Of the photos that pass, the share that are good: TP / (TP + FP)."""
        return wilson(self.tp, self.tp + self.fp)

    @property
    def tpr(self) -> Measure:
        """Of the good photos, the share that pass: TP / (TP + FN)."""
        return wilson(self.tp, self.tp + self.fn)

    @property
    def npv(self) -> Measure:
        """Of the photos that are sent back, the share that are bad: TN / (TN + FN)."""
        return wilson(self.tn, self.tn + self.fn)

    @property
    def tnr(self) -> Measure:
        """Of the bad photos, the share that are sent back: TN / (TN + FP)."""
        return wilson(self.tn, self.tn + self.fp)


def count_rates(truth: Bools, given: Bools) -> Rates:
    """Count decisions against the truth, bool [N] both.

    >>> count_rates(np.array([True, True, False]), np.array([True, False, False]))
    Rates(tp=1, fp=0, fn=1, tn=1)
    """
    return Rates(
        tp=int((truth & given).sum()),
        fp=int((~truth & given).sum()),
        fn=int((truth & ~given).sum()),
        tn=int((~truth & ~given).sum()),
    )


def predict_values(tpr: float, tnr: float, prevalence: float) -> tuple[float, float]:
    """Return PPV and NPV where the share ``prevalence`` of photos is good, by Bayes' rule.

    Args:
        tpr: In [0, 1].
        tnr: In [0, 1].
        prevalence: In (0, 1).

    >>> [round(value, 3) for value in predict_values(0.9, 0.8, 0.5)]
    [0.818, 0.889]
    """
    hits, false = tpr * prevalence, (1 - tnr) * (1 - prevalence)
    found, missed = tnr * (1 - prevalence), (1 - tpr) * prevalence
    return hits / (hits + false), found / (found + missed)


def choose_youden_threshold(truth: Bools, scores: Floats) -> float:
    """Return the threshold with the highest TPR + TNR − 1 (Youden, Cancer 1950).

    It lies halfway between two photos' scores, so that no photo is on it, and rounding moves none across. Of several
    that are as good, the highest is taken: fewer bad photos pass.

    Args:
        truth: Whether each photo is good, bool [N].
        scores: Probabilities of good, [N].

    Raises:
        DatasetError: All photos are good, or none is, or all have the same score.

    >>> choose_youden_threshold(np.array([False, True, True]), np.array([0.2, 0.5, 0.7]))
    0.35
    """
    from sklearn.metrics import roc_curve

    levels = np.unique(scores)
    if truth.all() or not truth.any() or len(levels) < 2:
        raise DatasetError(
            "no threshold can be chosen",
            expected="good photos and others, with different probabilities",
            got=f"{int(truth.sum())} good of {len(truth)}, {len(levels)} different probabilities",
            remedy="add photos of what is missing",
        )
    false, hits, at = roc_curve(truth, scores, drop_intermediate=False)  # by falling threshold, the first is infinite
    good, bad = int(truth.sum()), int((~truth).sum())
    gain = np.rint(hits * good) * bad - np.rint(false * bad) * good  # in whole numbers, so that equals are equal
    best = at[1:][gain[1:].argmax()]
    place = int(np.searchsorted(levels, best))
    return float(best if place == 0 else (levels[place - 1] + best) / 2)
