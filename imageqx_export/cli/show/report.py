"""Print what changed, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.cli.show.console import join, note, out, print_json, style
from imageqx_export.cli.show.tables import Table
from imageqx_export.report.render import words
from imageqx_export.report.rules.verdicts import Verdict

if TYPE_CHECKING:
    from imageqx_export.report.model import Report
    from imageqx_export.report.sides import Baseline

_COLORS = {
    Verdict.REGRESSION: "bold red",
    Verdict.SUSPICIOUS: "yellow",
    Verdict.INSUFFICIENT: "yellow",
    Verdict.IMPROVED: "green",
    Verdict.OK: "green",
    Verdict.NO_CHANGE: "green",
    Verdict.UNAVAILABLE: "dim",
}


def show_report(report: Report, folder: Path, *, as_json: bool) -> None:
    """Print the table, and what needs a look; or the whole report as JSON."""
    if as_json:
        print_json(report.model_dump(mode="json"))
        return
    table = Table(title=f"{report.current.label} against {report.baseline.label}", title_justify="left")
    table.add_column("artifact")
    table.add_column("target")
    for name in words.COLUMNS:
        table.add_column(name, justify="right")
    for row in report.rows:
        cells = []
        for cell in words.build_cells(report, row).values():
            color = None if cell.verdict is None else _COLORS[cell.verdict]
            cells.append(style(cell, color) if color else str(cell))
        table.add_row(row.artifact, row.target, *cells)
    out.print(table)
    out.print(style(" · ".join(words.LEGEND), "dim"), highlight=False)
    for decision in words.list_troubles(report):
        where = f"{decision.artifact}, {decision.target}, {decision.quantity}"
        color = _COLORS[decision.verdict]
        text = join(style(decision.verdict, color), f" {where}: {decision.reason}")
        out.print(text, soft_wrap=True, highlight=False)
    color = {0: "green", 1: "bold red", 2: "yellow"}[report.exit_code]
    out.print(style(words.write_headline(report), color), soft_wrap=True, highlight=False)
    note(f"{folder}/: report.md, report.json, report.html")


def show_baseline(baseline: Baseline, path: Path, *, as_json: bool) -> None:
    """Print what the baseline now is."""
    if as_json:
        print_json(
            {
                "file": str(path),
                "runs": [{"run_id": run.run_id, "target": run.target, "commit": run.commit} for run in baseline.runs],
                "artifacts": [sizes.artifact for sizes in baseline.sizes],
            }
        )
        return
    for run in baseline.runs:
        out.print(f"{run.target}  {run.run_id}  commit {run.commit[:18]}", highlight=False)
    note(f"{path}: {len(baseline.runs)} runs; commit it on purpose")
