"""Draw what was measured, one figure per function. Nothing is drawn through pyplot, so nothing is kept globally."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imageqx_export.decisions import POOR
from imageqx_export.evaluation.curves import Curve
from imageqx_export.evaluation.intervals import Floats, Measure
from imageqx_export.evaluation.reliability import Reliability
from imageqx_export.evaluation.scores import LABEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito's colours, which the colour-blind can tell apart; each with a dash of its own, for print in grey.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#000000")
_DASHES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (3, 1)), ":")
GREY = "#888888"


def to_words(name: str) -> str:
    """Return a name for people.

    >>> to_words("too_far_away")
    'too far away'
    """
    return name.replace("_", " ")


def format_measure(measure: Measure) -> str:
    """Return a number with its interval.

    >>> format_measure(Measure(0.5, (0.25, 0.75))), format_measure(Measure(1.0)), format_measure(Measure(None))
    ('0.50 (0.25–0.75)', '1.00', 'not measurable')
    """
    if measure.value is None:
        return "not measurable"
    if measure.interval is None:
        return f"{measure.value:.2f}"
    low, high = measure.interval
    return f"{measure.value:.2f} ({low:.2f}–{high:.2f})"


def draw_confusion(counts: NDArray[np.int64], labels: Sequence[str], title: str) -> Figure:
    """Draw a confusion matrix: counts, and the share of the row.

    Args:
        counts: int64 [K,K]; rows are the truth.
        labels: Names of the K classes.
        title: The figure's title.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.6, 5.6), layout="constrained")
    axes = figure.subplots()
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*counts.shape):
        share = f"\n{shares[row, column]:.0%}" if totals[row, 0] else ""
        ink = "white" if shares[row, column] > 0.55 else "black"
        axes.text(column, row, f"{counts[row, column]:,}{share}", ha="center", va="center", color=ink, fontsize=11)
    names = [to_words(label) for label in labels]
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), [f"{name}\n({n:,})" for name, n in zip(names, totals[:, 0], strict=True)])
    axes.set_xlabel("decided")
    axes.set_ylabel("truth (photos)")
    axes.set_title(title, fontsize=11)
    for side in axes.spines.values():
        side.set_visible(False)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, label="share of the row")
    bar.outline.set_visible(False)
    return figure


def draw_roc(curves: Sequence[Curve], title: str) -> Figure:
    """Draw ROC curves, with the areas and their 95 % intervals in the legend."""
    figure, axes = make_square(title)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    for k, row in enumerate(curves):
        label = f"{_describe(row)}: AUC {format_measure(row.auc)}"
        points = row.roc if len(row.roc) else np.full((1, 2), np.nan)
        axes.plot(points[:, 0], points[:, 1], label=label, color=COLORS[k % 6], linestyle=_DASHES[k % 6])
    axes.set_xlabel("1 − specificity")
    axes.set_ylabel("recall")
    add_legend(figure)
    return figure


def draw_precision_recall(curves: Sequence[Curve], title: str) -> Figure:
    """Draw precision–recall curves, with the average precisions and their 95 % intervals in the legend."""
    figure, axes = make_square(title)
    for k, row in enumerate(curves):
        label = f"{_describe(row)}: AP {format_measure(row.average_precision)}"
        points = _start_at_first_hit(row.pr) if len(row.pr) else np.full((1, 2), np.nan)
        style = {"color": COLORS[k % 6], "linestyle": _DASHES[k % 6]}
        axes.step(points[:, 0], points[:, 1], where="post", label=label, **style)  # type: ignore[arg-type]
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    add_legend(figure)
    return figure


def _start_at_first_hit(pr: Floats) -> Floats:
    """Begin at the first photo that was found: the convention's point (0, 1) would draw a line that means nothing."""
    found = pr[pr[:, 0] > 0]
    return np.concatenate([found, [[0, found[-1, 1]]]])


def _describe(curve: Curve) -> str:
    kind = " (label)" if curve.name == POOR else ""
    return f"{to_words(curve.name)}{kind}, {curve.photos:,} of {curve.photos + curve.others:,}"


def make_square(title: str) -> tuple[Figure, Axes]:
    """Return a figure with axes from 0 to 1 both ways, and room for a legend below."""
    from matplotlib.figure import Figure

    # Not aspect="equal": a constrained layout then cuts off the title and lays the legend over the axis.
    figure = Figure(figsize=(6.2, 7.2), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_title(title, fontsize=11)
    _make_plain_axes(axes)
    return figure, axes


def _make_plain_axes(axes: Axes) -> None:
    axes.grid(color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def add_legend(figure: Figure) -> None:
    """Put the legend below the axes."""
    figure.legend(loc="outside lower center", frameon=False, fontsize=9.5)


def draw_reliability(reliabilities: Sequence[Reliability], title: str) -> Figure:
    """Draw reliability diagrams, each with the number of photos per bin below it.

    Args:
        reliabilities: Six at most.
        title: The figure's title.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 8.6), layout="constrained")
    grid = figure.add_gridspec(4, 3, height_ratios=(3, 1, 3, 1))
    for k, row in enumerate(reliabilities):
        above, below = 2 * (k // 3), 2 * (k // 3) + 1
        plot = figure.add_subplot(grid[above, k % 3])
        counts = figure.add_subplot(grid[below, k % 3], sharex=plot)
        _draw_bins(plot, row)
        middles = [(b.low + b.high) / 2 for b in row.bins]
        counts.bar(middles, [b.count for b in row.bins], width=1 / len(row.bins), color="#9ecae1", edgecolor="white")
        counts.set_xlabel("highest probability" if row.name == LABEL else "probability")
        if k % 3 == 0:
            plot.set_ylabel("share that is so")
            counts.set_ylabel("photos")
        plot.tick_params(labelbottom=False)
        _make_plain_axes(plot)
        _make_plain_axes(counts)
    figure.suptitle(title, fontsize=11)
    return figure


def _draw_bins(axes: Axes, row: Reliability) -> None:
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    most = max(b.count for b in row.bins)
    for b in row.bins:
        if b.confidence is None or b.accuracy.value is None or b.accuracy.interval is None:
            continue
        axes.plot([b.confidence] * 2, b.accuracy.interval, color=COLORS[0], linewidth=1, alpha=0.5)
        # The area is the number of photos, so that a bin of one photo does not look like one of a thousand.
        axes.scatter([b.confidence], [b.accuracy.value], s=12 + 70 * b.count / most, color=COLORS[0], zorder=3)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    name = "most probable label" if row.name == LABEL else to_words(row.name)
    axes.set_title(f"{name}: ECE {format_measure(row.ece)}", fontsize=10)
