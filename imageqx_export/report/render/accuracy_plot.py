"""Draw how well each label and each reason is told: a mark an artifact, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from imageqx_export.report.model import Accuracy, NamedScore
from imageqx_export.report.render.rows import finish_rows, make_rows
from imageqx_export.report.render.svg import SERIES, apply_style, write_inline

_MARKERS: Final = ("o", "s", "^", "D", "v", "P")
_SPREAD: Final = 0.56
"""Of the distance between two names, what the marks of one take."""


def draw_accuracies(accuracies: Sequence[Accuracy]) -> str | None:
    """Return the plot of each name's F1 and 95 % interval.

    Args:
        accuracies: As the report has them; of more than six artifacts, the first six are drawn.

    Returns:
        None where no evaluation says more than a mean.
    """
    shown = [row for row in accuracies if any(score.f1 is not None for score in row.scores)][: len(_MARKERS)]
    names = list(dict.fromkeys(score.name for row in shown for score in row.scores))
    if not names:
        return None
    with apply_style():
        figure, axes = make_rows(len(names), 0.34)
        for k, row in enumerate(shown):
            offset = _SPREAD * ((k + 0.5) / len(shown) - 0.5)
            known = [(score, score.f1) for score in row.scores if score.f1 is not None]
            axes.errorbar(
                [f1 for _, f1 in known],
                [names.index(score.name) + offset for score, _ in known],
                xerr=list(zip(*(_measure_arms(score, f1) for score, f1 in known), strict=True)),
                fmt=_MARKERS[k],
                markersize=5,
                color=SERIES[k],
                label=row.artifact,
            )
        axes.set_xlim(0, 1.02)
        finish_rows(figure, axes, [name.replace("_", " ") for name in names], "F1, with its 95 % interval", 2)
        title = "How well each label and each reason is told"
        if len(shown) < len(accuracies):
            axes.set_title(f"{len(shown)} of {len(accuracies)} evaluations: the table has all", fontsize=9.5)
        return write_inline(figure, "accuracy", title, f"{title}, by artifact: F1 in [0, 1] with its 95 % interval.")


def _measure_arms(score: NamedScore, f1: float) -> tuple[float, float]:
    """Return how far an interval reaches to the left and to the right of its F1."""
    low, high = score.interval or (f1, f1)
    return max(0.0, f1 - low), max(0.0, high - f1)
