"""Print which thresholds and temperatures were chosen, and what they do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.cli.show.console import note, out, print_json
from imageqx_export.cli.show.tables import Table

if TYPE_CHECKING:
    from imageqx_export.artifact import Checkpoint
    from imageqx_export.thresholds.criteria import Measurement
    from imageqx_export.thresholds.stage import Choice

_WORDS = {"retake_budget": "a retake budget of", "ppv": "a PPV of", "youden": "Youden's index"}


def show_choice(checkpoint: Checkpoint, choice: Choice, thresholds_out: Path | None, *, as_json: bool) -> None:
    """Print a choice: thresholds old → new with what they reach, then temperatures with NLL and ECE before → after."""
    if as_json:
        print_json({"checkpoint": str(checkpoint.path), "sha256": checkpoint.sha256, **choice.model_dump(mode="json")})
    else:
        rule = choice.criterion
        words = _WORDS[rule.kind] + ("" if rule.value is None else f" {rule.value:g}")
        title = f"{checkpoint.path}: by {words}, on {choice.photos:,} validation photos ({choice.source})"
        out.print(title, highlight=False, soft_wrap=True)
        out.print(_make_threshold_table(choice))
        out.print(_make_temperature_table(choice))
    for name in choice.kept:
        note(f"{_format_name(name)} keeps its threshold: these photos all have it, or none has")
    if choice.achieved["poor_quality"].sensitivity == 0:
        note("no photo would be sent back: the photos meet the criterion by themselves, or no score tells them apart")
    if thresholds_out is not None:
        note(f"thresholds: {thresholds_out}")
    note("artifacts of the old checkpoint keep the old thresholds and temperatures: imageqx export writes new ones")


def _make_threshold_table(choice: Choice) -> Table:
    table = Table()
    table.add_column("")
    for name in ("threshold", "sensitivity", "specificity", "PPV", "NPV", "with", "without"):
        table.add_column(name, justify="right")
    for name, new in choice.achieved.items():
        old = choice.before[name]
        shares = ("sensitivity", "specificity", "ppv", "npv")
        cells = (_format_change(_format_share(getattr(old, key)), _format_share(getattr(new, key))) for key in shares)
        row = (
            _format_change(_format_threshold(old), _format_threshold(new)),
            *cells,
            f"{new.positives:,}",
            f"{new.negatives:,}",
        )
        table.add_row(_format_name(name), *row)
    return table


def _make_temperature_table(choice: Choice) -> Table:
    table = Table()
    table.add_column("")
    for name in ("temperature", "NLL", "ECE"):
        table.add_column(name, justify="right")
    for name, fit in choice.temperatures.items():
        nll, ece = (_format_change(*(f"{value:.4f}" for value in pair)) for pair in (fit.nll, fit.ece))
        table.add_row(_format_name(name), f"{fit.temperature:.3f}", nll, ece)
    return table


def _format_name(name: str) -> str:
    return name.replace("_", " ")


def _format_threshold(row: Measurement) -> str:
    return "–" if row.threshold is None else f"{row.threshold:.3f}"


def _format_share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _format_change(old: str, new: str) -> str:
    return f"{old} → {new}"
