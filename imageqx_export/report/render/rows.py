"""The axes of a plot with a row a name: the first on top, values to the right, the legend below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def make_rows(count: int, height: float) -> tuple[Figure, Axes]:
    """Return a figure for so many rows, and its axes.

    Args:
        count: Of the rows.
        height: Of one, in inches.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.4, 1.3 + height * count), layout="constrained")
    return figure, figure.subplots()


def finish_rows(figure: Figure, axes: Axes, names: Sequence[str], label: str, columns: int) -> None:
    """Name the rows and the values, once all is drawn, and put the legend below.

    Args:
        figure: From :func:`make_rows`; likewise the next.
        axes: Their row k is at y = k.
        names: Of the rows.
        label: Of the values.
        columns: Of the legend.
    """
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel(label)
    axes.grid(axis="x", linewidth=0.4)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=columns, fontsize=9.5)
