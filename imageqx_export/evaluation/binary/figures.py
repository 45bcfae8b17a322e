"""Draw what was measured of a binary decision, one figure per function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imageqx_export.evaluation.curves import Curve
from imageqx_export.evaluation.diagnostic.rates import Rates
from imageqx_export.evaluation.diagnostic.slope import Recalibration
from imageqx_export.evaluation.figures import (
    COLORS,
    GREY,
    add_legend,
    draw_confusion,
    draw_roc,
    format_measure,
    make_square,
)
from imageqx_export.evaluation.reliability import Reliability

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_operating_point(curves: list[Curve], rates: Rates, threshold: float, title: str) -> Figure:
    """Draw ROC curves, the first the model's, with the point that its threshold chooses."""
    figure = draw_roc(curves, title)
    axes = figure.axes[0]
    if rates.tnr.value is not None and rates.tpr.value is not None:
        axes.plot(
            [1 - rates.tnr.value],
            [rates.tpr.value],
            "o",
            color=COLORS[0],
            markersize=9,
            markeredgecolor="white",
            zorder=4,
        )
        axes.annotate(
            f"threshold {threshold:.3f}",
            (1 - rates.tnr.value, rates.tpr.value),
            xytext=(14, -14),
            textcoords="offset points",
            fontsize=10,
        )
    axes.set(xlabel="bad photos that pass (1 − TNR)", ylabel="good photos that pass (TPR)")
    return figure


def draw_calibration(row: Reliability, fitted: Recalibration, title: str) -> Figure:
    """Draw how often photos of each probability were good, with Wilson's intervals, and the logistic curve."""
    figure, axes = make_square(title)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, label="true probabilities")
    most = max(b.count for b in row.bins)
    for b in row.bins:
        if b.confidence is None or b.accuracy.value is None or b.accuracy.interval is None:
            continue
        axes.plot([b.confidence] * 2, b.accuracy.interval, color=COLORS[0], linewidth=1, alpha=0.5)
        # The area is the number of photos, so that a bin of one photo does not look like one of a thousand.
        axes.scatter([b.confidence], [b.accuracy.value], s=16 + 120 * b.count / most, color=COLORS[0], zorder=3)
    probabilities = np.linspace(0.002, 0.998, 200)
    curve = fitted.curve(probabilities)
    if curve is not None:
        slope, intercept = format_measure(fitted.slope), format_measure(fitted.intercept)
        label = f"logistic fit: slope {slope}, intercept {intercept}"
        axes.plot(probabilities, curve, color=COLORS[3], linestyle="--", label=label)
    axes.set(xlabel="probability of good", ylabel="share of photos that are good")
    add_legend(figure)
    return figure


def draw_decisions(rates: Rates, title: str) -> Figure:
    """Draw what was decided against what is true."""
    counts = np.array([[rates.tp, rates.fn], [rates.fp, rates.tn]], np.int64)
    return draw_confusion(counts, ("good", "poor"), title)


def draw_votes(votes: NDArray[np.int64], title: str) -> Figure:
    """Draw the raters' votes against those that the ranks expect, [5,5]."""
    figure = draw_confusion(votes, [str(k) for k in range(len(votes))], title)
    figure.axes[0].set(xlabel="votes that the ranks expect, rounded", ylabel="votes for good, of four (photos)")
    return figure
