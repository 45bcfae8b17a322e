"""Write a check of robustness down: one table, as text, Markdown and JSON."""

from __future__ import annotations

from typing import Any

from imageqx_export.data.synthetic import MILD, STRONG
from imageqx_export.data.vocabulary import REASONS
from imageqx_export.evaluation.figures import to_words
from imageqx_export.evaluation.grids import Grid, format_cell
from imageqx_export.evaluation.report import describe_measures
from imageqx_export.evaluation.robustness.check import RANGES
from imageqx_export.evaluation.robustness.result import Cell, KindResult, Robustness
from imageqx_export.support.escapes import escape_markdown

HEAD = ("kind", "strong is", "photos", "mild called poor", "mild keeps label", "strong called poor", "first hint right")
CLEAN, EVERY = "as it is", "every kind"
NOTE = (
    f"Mild: severities {RANGES[0][0]:g} to {RANGES[0][1]:g}, still good (the limit is {MILD:g}); strong: "
    f"{RANGES[1][0]:g} to {RANGES[1][1]:g}, poor from {STRONG:g} on. What is called poor should be little of the mild, "
    "much of the strong, and little of what is harmless. In brackets 95 % intervals (Wilson). The degradations are "
    "those that training draws, so that other faults may fare worse. The last rows take a reason's kinds together, a "
    "photo as often as there are kinds: their intervals count it so often."
)


def build_table(found: Robustness) -> Grid:
    """Return the one table: a row for the photos as they are per class, then one per kind, then one per reason."""
    rows = [_render_clean(name, cell) for name, cell in found.clean.items()]
    rows += [_render_row(one.kind.name, describe_aim(one), one.mild, one.strong) for one in found.kinds]
    rows += [_render_row(EVERY, to_words(name), *cells) for name, cells in found.pool_reasons().items()]
    return Grid("Called poor, per kind of degradation", HEAD, tuple(rows))


def _render_clean(name: str, cell: Cell) -> tuple[str, ...]:
    title = CLEAN if name == "all" else f"{CLEAN}: {to_words(name)}"
    return (title, "", f"{cell.photos:,}", format_cell(cell.poor), format_cell(cell.kept), "", "")


def _render_row(name: str, aim: str, mild: Cell, strong: Cell) -> tuple[str, ...]:
    shares = (mild.poor, mild.kept, strong.poor, strong.hinted)
    return (name, aim, f"{mild.photos:,}", *map(format_cell, shares))


def describe_aim(one: KindResult) -> str:
    """Return the reason that a kind's strong version gives, or that it is harmless."""
    return "harmless" if one.kind.reason is None else to_words(REASONS[one.kind.reason])


def to_json(found: Robustness) -> dict[str, Any]:
    """Return a check as JSON-able values; a measure ``x`` has its 95 % interval beside it as ``x_ci``."""
    return {
        "schema_version": 1,
        "model": found.model,
        "source": found.source,
        "photos": found.photos,
        "severities": {"mild": list(RANGES[0]), "strong": list(RANGES[1])},
        "thresholds": _describe_thresholds(found),
        "clean": {name: _describe_cell(cell) for name, cell in found.clean.items()},
        "kinds": [
            {
                "name": one.kind.name,
                "words": one.kind.words,
                "reason": None if one.kind.reason is None else REASONS[one.kind.reason],
                "mild": _describe_cell(one.mild),
                "strong": _describe_cell(one.strong),
            }
            for one in found.kinds
        ],
        "reasons": {
            name: {"mild": _describe_cell(mild), "strong": _describe_cell(strong)}
            for name, (mild, strong) in found.pool_reasons().items()
        },
    }


def _describe_thresholds(found: Robustness) -> dict[str, Any]:
    if found.spec.binary is not None:
        return {"good": found.spec.binary.threshold}
    return {"poor_quality": found.spec.poor_quality_threshold, "reasons": found.spec.thresholds}


def _describe_cell(cell: Cell) -> dict[str, Any]:
    measures = {"poor": cell.poor, "label_kept": cell.kept, "first_hint_right": cell.hinted}
    return {"photos": cell.photos, **describe_measures(measures)}


def to_markdown(found: Robustness) -> str:
    """Return a check as Markdown that shows the picture beside it."""
    grid = build_table(found)
    lines = [f"# Robustness of {escape_markdown(found.model)}", ""]
    lines += [f"{found.photos:,} photos: {escape_markdown(found.source)}.", "", NOTE, ""]
    lines += ["| " + " | ".join(grid.head) + " |", "|---|---|" + "--:|" * (len(grid.head) - 2)]
    lines += ["| " + " | ".join(escape_markdown(cell) for cell in row) + " |" for row in grid.rows]
    lines += ["", "![A photo of each kind, mild and strong, with its verdict](robustness.png)", ""]
    return "\n".join(lines)
