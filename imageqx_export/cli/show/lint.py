"""Print what lint found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imageqx_export.cli.show.console import join, out, print_json, style

if TYPE_CHECKING:
    from imageqx_export.lint.model import LintReport

_COLORS = {"error": "bold red", "warning": "yellow", "note": "dim"}


def show_lint(report: LintReport, *, as_json: bool) -> None:
    """Print a line a file and three a finding: what, why with its source, and the mend."""
    if as_json:
        print_json(to_json(report))
        return
    show_findings(report)


def show_findings(report: LintReport) -> None:
    """Print the findings, and how many files have no error."""
    for file in report.files:
        if file.unread is not None:
            out.print(style(f"{file.path}: unreadable: {file.unread}", "bold red"), soft_wrap=True)
            continue
        what = f"{file.operators} operators" if file.operators else file.kind
        mark = "" if file.findings else style("  nothing to say", "green")
        out.print(join(style(file.path, "bold"), f"  {what}", mark), soft_wrap=True, highlight=False)
        for row in file.findings:
            head = join("  ", style(row.level, _COLORS[row.level]), f" {row.rule}: {row.count} × {row.text}")
            out.print(head, soft_wrap=True, highlight=False)
            out.print(style(f"    why:  {row.reason} ({row.source})", "dim"), soft_wrap=True, highlight=False)
            out.print(style(f"    mend: {row.mend}", "dim"), soft_wrap=True, highlight=False)
    passed = sum(file.passed for file in report.files)
    color = "green" if report.passed else "red"
    out.print(style(f"{passed} of {len(report.files)} files have no error", color))


def to_json(report: LintReport) -> dict[str, Any]:
    """Return what ``--json`` prints of it."""
    return {"passed": report.passed, **report.model_dump(mode="json")}
