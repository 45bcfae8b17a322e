"""Count what was decided against what is true: the paper's tables 3 and 4.

Se = TP / (TP + FN), Sp = TN / (TN + FP), F1 = 2 TP / (2 TP + FP + FN); Jalaboi, Winther, Galimzianova 2023. The mean
rows are true means of the rows above them; those that the paper prints do not follow from its rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imageqx_export.evaluation.intervals import UNMEASURED, Bools, Floats, Measure, bootstrap, f1, percentile, wilson


@dataclass(frozen=True)
class Row:
    """One class or one reason, against all others.

    Args:
        name: The class or reason.
        tp: Photos with it that were given it.
        fp: Photos without it that were given it.
        fn: Photos with it that were not given it.
        tn: Photos without it that were not given it.
        recall: TP / (TP + FN); unmeasured without a photo that has it.
        specificity: TN / (TN + FP); unmeasured where every photo has it.
        precision: TP / (TP + FP); unmeasured where it was never given.
        f1: 2 TP / (2 TP + FP + FN); unmeasured without a photo that has it.
    """

    name: str
    tp: int
    fp: int
    fn: int
    tn: int
    recall: Measure
    specificity: Measure
    precision: Measure
    f1: Measure

    @property
    def photos(self) -> int:
        """How many photos have it."""
        return self.tp + self.fn


@dataclass(frozen=True)
class Table:
    """The rows and their macro means, which leave out what could not be measured.

    Args:
        rows: One per class or reason.
        recall: Mean of the rows' recalls.
        specificity: Mean of the rows' specificities.
        precision: Mean of the rows' precisions.
        f1: Mean of the rows' F1.
    """

    rows: tuple[Row, ...]
    recall: Measure
    specificity: Measure
    precision: Measure
    f1: Measure

    def row(self, name: str) -> Row:
        """Return the row of that name."""
        return next(row for row in self.rows if row.name == name)


METRICS = ("recall", "specificity", "precision", "f1")


def one_hot(labels: NDArray[np.int64], classes: int) -> Bools:
    """Return bool [N,classes], true at each photo's label."""
    return np.eye(classes, dtype=bool)[labels]


def count_confusion(truth: NDArray[np.int64], decided: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Count photos, int64 [classes,classes]: rows are the truth, columns what was decided.

    >>> count_confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    flat = np.bincount(truth * classes + decided, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def build_table(truth: Bools, given: Bools, names: tuple[str, ...]) -> Table:
    """Compare what holds with what was given, column by column.

    Args:
        truth: bool [N,K], N ≥ 1.
        given: bool [N,K].
        names: Of the K columns.
    """
    rows = tuple(_make_row(name, truth[:, k], given[:, k]) for k, name in enumerate(names))
    sampled = bootstrap(lambda weights: _average_rows(_make_ratios(truth, given, weights)), len(truth))
    means = {}
    for k, metric in enumerate(METRICS):
        values: list[float] = [m.value for m in (getattr(row, metric) for row in rows) if m.value is not None]
        means[metric] = Measure(float(np.mean(values)), percentile(sampled[:, k])) if values else UNMEASURED
    return Table(rows, **means)


def _make_row(name: str, truth: Bools, given: Bools) -> Row:
    tp, fp = int((truth & given).sum()), int((~truth & given).sum())
    fn, tn = int((truth & ~given).sum()), int((~truth & ~given).sum())
    return Row(
        name,
        tp,
        fp,
        fn,
        tn,
        recall=wilson(tp, tp + fn),
        specificity=wilson(tn, tn + fp),
        precision=wilson(tp, tp + fp),
        f1=f1(tp, fp + fn) if tp + fn else UNMEASURED,
    )


def _make_ratios(truth: Bools, given: Bools, weights: NDArray[np.float32]) -> Floats:
    """Return recall, specificity, precision and F1 of resampled photos, [B,4,K]; NaN where there is no denominator."""
    tp, fp, fn = (weights @ cell.astype(np.float32) for cell in (truth & given, ~truth & given, truth & ~given))
    tn = weights.sum(1, keepdims=True) - tp - fp - fn
    under = np.stack([tp + fn, tn + fp, tp + fp, np.where(tp + fn > 0, 2 * tp + fp + fn, 0)], 1).astype(np.float64)
    over = np.stack([tp, tn, tp, 2 * tp], 1)
    return np.asarray(np.divide(over, under, out=np.full_like(under, np.nan), where=under > 0))


def _average_rows(ratios: Floats) -> Floats:
    """Return the mean of what could be measured, [B,4] of [B,4,K]."""
    known = ~np.isnan(ratios)
    count = known.sum(2)
    total = np.where(known, ratios, 0).sum(2)
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))
