"""What each layer costs alone in int8, as ``imageqx quantize --analyze --json`` measured it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from imageqx_export.errors import MeasurementError
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.untrusted import describe, read_json

NOTE = (
    "Each layer alone in int8, all others in float: how far the labels' probabilities move, and the macro-F1 that goes "
    "with it, in points. Of layers that stay float it is what they would cost."
)
MOST = 20
"""Layers that are drawn, those that cost most; all are in report.json."""


class SensitiveLayer(Frozen):
    """One layer.

    Args:
        layer: Its name.
        sqnr_db: Of its output: signal's power over error's, in dB.
        mean_abs: Mean |Δ| of the labels' probabilities.
        quality: The labels' macro-F1 lost, in points.
        explanations: The reasons', or the regions'.
        stays_float: Whether the search left it in float.
    """

    layer: str
    sqnr_db: float
    mean_abs: float = Field(ge=0)
    quality: float
    explanations: float
    stays_float: bool


class SensitivityTable(Frozen):
    """What a recipe's layers cost.

    Args:
        recipe: The recipe's file.
        precision: w8 or w8a8.
        checkpoint_sha256: Whose layers they are.
        kind: What is lost beside labels: ``"reasons"`` or ``"regions"``.
        photos: How many were assessed.
        source: Which.
        holds: Whether the budget holds with the layers that stay float.
        rows: In the graph's order.
    """

    recipe: str
    precision: str
    checkpoint_sha256: str
    kind: str
    photos: int
    source: str
    holds: bool
    rows: tuple[SensitiveLayer, ...]


def read_sensitivity(path: Path) -> SensitivityTable:
    """Read what ``imageqx quantize --analyze --json`` printed.

    Raises:
        MeasurementError: It is something else.
    """
    try:
        body = read_json(path)
        analysis, accuracy = body["analysis"], body["accuracy"] or {}
        floats = set(analysis["float_layers"])
        return SensitivityTable(
            recipe=body["recipe"],
            precision=body["precision"],
            checkpoint_sha256=body["checkpoint_sha256"],
            kind=accuracy.get("kind", "reasons"),
            photos=analysis["photos"],
            source=analysis["source"],
            holds=analysis["holds"],
            rows=tuple(_read_row(row, floats) for row in analysis["layers"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MeasurementError(
            "not an analysis of layers that can be shown",
            where=path,
            expected="what imageqx quantize --analyze --json printed",
            got=describe(error),
            remedy="imageqx quantize --analyze --json > analysis.json",
        ) from error


def _read_row(row: dict[str, Any], floats: set[str]) -> SensitiveLayer:
    names = ("layer", "sqnr_db", "mean_abs", "quality", "explanations")
    return SensitiveLayer(**{name: row[name] for name in names}, stays_float=row["layer"] in floats)


def list_costliest(table: SensitivityTable, most: int = MOST) -> list[SensitiveLayer]:
    """Return the layers that move the labels most, the costliest first."""
    return sorted(table.rows, key=lambda row: -row.mean_abs)[:most]


def list_head(table: SensitivityTable) -> tuple[str, ...]:
    """Return the columns' names."""
    return ("layer", "SQNR, dB", "mean |Δ|", "labels' macro-F1", f"{table.kind}' macro-F1", "stays float")


def list_cells(table: SensitivityTable) -> list[tuple[str, ...]]:
    """Return the costliest layers as text, as long as the head."""
    return [
        (
            row.layer,
            f"{row.sqnr_db:.1f}",
            f"{row.mean_abs:.4f}",
            f"{-row.quality + 0.0:+.2f}",
            f"{-row.explanations + 0.0:+.2f}",
            "yes" if row.stays_float else "",
        )
        for row in list_costliest(table)
    ]


def write_caption(table: SensitivityTable) -> str:
    """Return in a line whose layers they are, and on what they were measured."""
    shown = min(MOST, len(table.rows))
    of = f"the {shown} costliest of {len(table.rows)} layers" if shown < len(table.rows) else f"all {shown} layers"
    held = "the budget holds" if table.holds else "no set of float layers holds the budget"
    whose = f"{table.precision} of checkpoint {table.checkpoint_sha256[:12]}"
    return f"{table.recipe}, {whose}: {of}, on {table.photos:,} photos ({table.source}); {held}"


def render_markdown(tables: Sequence[SensitivityTable], escape: Callable[[str], str]) -> list[str]:
    """Return the lines of a Markdown report; none without a table."""
    if not tables:
        return []
    lines = ["<details><summary>What each layer costs in int8</summary>", "", NOTE, ""]
    for table in tables:
        head = list_head(table)
        lines += [escape(write_caption(table)), ""]
        lines += ["| " + " | ".join(escape(cell) for cell in head) + " |", "|---|" + "--:|" * (len(head) - 1)]
        lines += ["| " + " | ".join(escape(cell) for cell in row) + " |" for row in list_cells(table)]
        lines += [""]
    return [*lines, "</details>", ""]
