"""Precision–recall and ROC curves, and the areas under them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imageqx_export.evaluation.intervals import UNMEASURED, Bools, Floats, Measure, auc, bootstrap, percentile


@dataclass(frozen=True)
class Curve:
    """The curves of how well one probability ranks photos.

    Args:
        name: The reason or class.
        photos: How many photos have it.
        others: How many have it not.
        auc: Area under the ROC curve, with DeLong's interval; unmeasured unless there are photos of both kinds.
        average_precision: Mean precision over the recall, without interpolation, with the bootstrap's interval;
            unmeasured unless there are photos of both kinds.
        roc: False-positive rate and recall, float64 [P,2], from (0, 0) to (1, 1); empty where unmeasured.
        pr: Recall and precision, float64 [P,2], by falling recall, the last is (0, 1); empty where unmeasured.
    """

    name: str
    photos: int
    others: int
    auc: Measure
    average_precision: Measure
    roc: Floats
    pr: Floats


def trace_curve(truth: Bools, scores: NDArray[np.float32], name: str) -> Curve:
    """Trace both curves over every threshold.

    Args:
        truth: Whether the reason holds, bool [N].
        scores: Its probability, [N].
        name: What to call it.
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

    photos, others = int(truth.sum()), int((~truth).sum())
    if photos == 0 or others == 0:
        nothing = np.empty((0, 2))
        return Curve(name, photos, others, UNMEASURED, UNMEASURED, nothing, nothing)
    precise = scores.astype(np.float64)
    fpr, recall, _ = roc_curve(truth, precise)
    precision, recalled, _ = precision_recall_curve(truth, precise)
    sampled = bootstrap(_AveragePrecision(truth, precise), len(truth))[:, 0]
    average = Measure(float(average_precision_score(truth, precise)), percentile(sampled))
    pr = np.stack([recalled, precision], 1)
    return Curve(name, photos, others, auc(truth, precise), average, np.stack([fpr, recall], 1), pr)


class _AveragePrecision:
    """The average precision on resampled photos: Σ (R_i − R_{i−1}) P_i over the distinct scores, falling."""

    def __init__(self, truth: Bools, scores: Floats) -> None:
        self.order = np.argsort(-scores, kind="stable")
        self.truth = truth[self.order]
        self.ends = np.append(np.flatnonzero(np.diff(scores[self.order])), len(scores) - 1)

    def __call__(self, weights: NDArray[np.float32]) -> Floats:
        drawn = weights[:, self.order].astype(np.float64)
        given = drawn.cumsum(1)[:, self.ends]
        hits = (drawn * self.truth).cumsum(1)[:, self.ends]
        precision = np.divide(hits, given, out=np.zeros_like(given), where=given > 0)
        gained = np.diff(hits, axis=1, prepend=0)
        positives = hits[:, -1:]
        total = (precision * gained).sum(1, keepdims=True)
        return np.asarray(np.divide(total, positives, out=np.full_like(total, np.nan), where=positives > 0))
