"""Print how an export stands beside its budgets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from imageqx_export.cli.show.console import join, out, style
from imageqx_export.cli.show.tables import Table

if TYPE_CHECKING:
    from imageqx_export.budgets.check import ArtifactBudget, BudgetReport
    from imageqx_export.evaluation.accuracy_loss import Accuracy, Budget, Loss

_FIGURES = ("labels'\nmacro-F1", "{}'\nmacro-F1", "F1 of the\nworst {}", "same\nlabel", "calibration\nerror")


def to_json(report: BudgetReport) -> dict[str, Any]:
    """Return what ``--json`` prints of it."""
    return {"passed": report.passed, **report.model_dump(mode="json")}


def show_budgets(report: BudgetReport) -> None:
    """Print the table: bytes, and points lost against fp32 with 95 % intervals; broken budgets in words."""
    table = Table(title="budgets", title_justify="left")
    table.add_column("artifact", no_wrap=True)
    table.add_column("bytes", justify="right")
    if report.samples:
        table.caption_justify = "left"
        table.caption = (
            f"points lost against {report.reference} (the calibration error: grown by), 95 % intervals, and budgets; "
            f"{report.source}"
        )
        kinds = {row.accuracy.kind for row in report.artifacts if row.accuracy is not None} or {"reasons"}
        kind = kinds.pop()
        for name, word in zip(_FIGURES, ("", kind, kind.removesuffix("s"), "", ""), strict=True):
            table.add_column(name.format(word), justify="right")
    table.add_column("")
    for row in report.artifacts:
        limit = "no limit" if row.size_limit is None else f"≤ {row.size_limit:,}"
        figures = _make_cells(row) if report.samples else ()
        mark = style("OVER", "bold red") if row.problems else style("ok", "green")
        table.add_row(row.path, f"{row.size_bytes:,}\n{limit}", *figures, mark)
    out.print(table)
    for row in report.artifacts:
        for problem in row.problems:
            out.print(join(style("OVER", "bold red"), f" {row.path}: {problem}"), soft_wrap=True, highlight=False)
    within = sum(not row.problems for row in report.artifacts)
    color = "green" if report.passed else "red"
    out.print(style(f"{within} of {len(report.artifacts)} artifacts keep their budgets", color))


def _make_cells(row: ArtifactBudget) -> tuple[str, ...]:
    if row.budget is None:
        return ("",) * len(_FIGURES)
    if row.accuracy is None:
        return ("–",) * len(_FIGURES)
    if row.measured_on != row.path:
        return (f"as its\n{Path(row.measured_on or '').suffix}", *("",) * (len(_FIGURES) - 1))
    return _format_figures(row.accuracy, row.budget)


def _format_figures(found: Accuracy, budget: Budget) -> tuple[str, ...]:
    worst = max(found.reasons, key=lambda name: found.reasons[name].points, default=None)
    reason = "–"
    if worst is not None:
        reason = f"{_format_loss(found.reasons[worst])}\n≤ {budget.reason_f1:g}\n{worst.replace('_', ' ')}"
    return (
        f"{_format_loss(found.quality)}\n≤ {budget.macro_f1:g}",
        f"{_format_loss(found.explanations)}\n≤ {budget.macro_f1:g}",
        reason,
        f"{found.agreement:.1f} %\n\n≥ {budget.agreement:g} %",
        f"{found.label_ece:+.2f}\n\n≤ {budget.ece:g}",
    )


def _format_loss(loss: Loss) -> str:
    return f"{loss.points:+.2f}\n" + ("" if loss.interval is None else "{:+.1f}…{:+.1f}".format(*loss.interval))
