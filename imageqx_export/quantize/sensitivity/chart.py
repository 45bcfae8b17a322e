"""Draw what each layer costs: three bar charts, a bar a layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imageqx_export.quantize.sensitivity.layers import LayerLoss
from imageqx_export.support.files import write_aside

_BLUE, _ORANGE = "#0072B2", "#D55E00"  # Okabe & Ito's, which the colour-blind can tell apart
_DPI = 110
_ROW = 0.17  # inches


def draw(rows: Sequence[LayerLoss], path: Path, *, title: str) -> None:
    """Write a PNG: per layer, the SQNR of its output, how far the labels' probabilities move, and the macro-F1 lost.

    Args:
        rows: In the graph's order; the first is drawn at the top.
        path: The file to write.
        title: Above the charts.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 1.6 + _ROW * len(rows)), layout="constrained")
    signal, moved, loss = figure.subplots(1, 3, sharey=True)
    places = range(len(rows))
    signal.barh(places, [row.sqnr_db for row in rows], color=_BLUE)
    signal.set_xlabel("SQNR of the layer's output, dB (more is better)")
    signal.set_yticks(places, [shorten(row.layer) for row in rows], fontsize=6)
    signal.set_ylim(len(rows) - 0.4, -0.6)
    moved.barh(places, [row.mean_abs for row in rows], color=_BLUE)
    moved.locator_params(axis="x", nbins=5)
    moved.set_xlabel("mean |Δ| of the labels' probabilities (less is better)")
    height = 0.4
    loss.barh([y - height / 2 for y in places], [row.quality for row in rows], height, color=_BLUE, label="labels")
    loss.barh(
        [y + height / 2 for y in places], [row.explanations for row in rows], height, color=_ORANGE, label="reasons"
    )
    loss.set_xlabel("macro-F1 lost, points (less is better)")
    loss.axvline(0, color="black", linewidth=0.6)
    loss.legend(loc="lower right", fontsize=8)
    for axes in (signal, moved, loss):
        axes.grid(axis="x", linewidth=0.3)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=10)
    with write_aside(path) as aside:
        # Without the version of matplotlib, so that the same numbers give the same bytes for longer.
        figure.savefig(aside, format="png", dpi=_DPI, facecolor="white", metadata={"Software": None})


def shorten(layer: str) -> str:
    """Return a layer's name for an axis.

    >>> shorten("early.stages.1.0.block.1.fc2:conv")
    'early 1.0.1.fc2'
    """
    return layer.split(":")[0].replace(".stages.", " ").replace("late.", "late ").replace(".block.", ".")
