"""Draw what the costliest layers cost alone in int8: a bar a layer, hollow where it stays float."""

from __future__ import annotations

from imageqx_export.report.render.rows import finish_rows, make_rows
from imageqx_export.report.render.svg import SERIES, apply_style, write_inline
from imageqx_export.report.sensitivity import SensitivityTable, list_costliest

_HEIGHT = 0.62


def draw_sensitivity(table: SensitivityTable, name: str) -> str | None:
    """Return the plot of the mean |Δ| of the labels' probabilities, by layer.

    Args:
        table: As the report has it.
        name: Unique on the page.

    Returns:
        None where there is no layer.
    """
    rows = list_costliest(table)
    if not rows:
        return None
    with apply_style():
        figure, axes = make_rows(len(rows), 0.24)
        for label, stays_float, fill in (("in int8", False, SERIES[0]), ("stays float", True, "none")):
            places = [place for place, row in enumerate(rows) if row.stays_float == stays_float]
            if places:
                moved = [rows[place].mean_abs for place in places]
                axes.barh(places, moved, _HEIGHT, facecolor=fill, edgecolor=SERIES[0], linewidth=1.2, label=label)
        axes.locator_params(axis="x", nbins=5)
        names = [shorten_layer(row.layer) for row in rows]
        finish_rows(figure, axes, names, "mean |Δ| of the labels' probabilities", 2)
        title = "What each layer costs alone in int8"
        return write_inline(figure, name, title, f"{title}, the costliest first: the numbers are in the table below.")


def shorten_layer(layer: str) -> str:
    """Return a layer's name for an axis.

    >>> shorten_layer("early.stages.1.0.block.1.fc2:conv")
    'early 1.0.1.fc2'
    """
    return layer.split(":")[0].replace(".stages.", " ").replace("late.", "late ").replace(".block.", ".")
