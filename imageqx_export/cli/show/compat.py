"""Print what accelerators make of artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imageqx_export.cli.show.console import join, out, print_json, style
from imageqx_export.cli.show.tables import Table

if TYPE_CHECKING:
    from imageqx_export.compat.model import AcceleratorResult, CompatReport, Recorded

_COLORS = {"right": "green", "wrong": "bold red", "unproved": "bold red", "refused": "yellow"}


def show_compat(report: CompatReport, *, as_json: bool) -> None:
    """Print the controls, a row a file and chip, and every reason."""
    if as_json:
        print_json({"passed": report.passed, **report.model_dump(mode="json")})
        return
    for control in report.controls:
        mark = style("found wrong", "green") if control.found else style("NOT found wrong", "bold red")
        line = f" control on {control.target} {control.chip}: {control.what}: {control.got}"
        out.print(join(mark, line), soft_wrap=True, highlight=False)
    table = Table(
        title=f"accelerators, on {report.images} {report.source} pictures; none of it on silicon", title_justify="left"
    )
    for name in ("artifact", "accelerator", "answer"):
        table.add_column(name, no_wrap=True)
    for name in ("operators", "labels", "max |Δ|", "DRAM MB", "est. ms"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in report.results:
        color = _COLORS.get(row.verdict, "dim")
        table.add_row(row.artifact, f"{row.target} {row.chip}", style(row.verdict, color), *figures(row))
    for known in report.recorded:
        table.add_row(known.artifact, f"{known.target} {known.chip}", *recall(known))
    out.print(table)
    if report.recorded:
        asked = len(report.results) + len(report.recorded)
        out.print(style(f"{len(report.recorded)} of {asked} rows are the record's (--again asks them, too)", "dim"))
    for row in report.results:
        for text in explain(row):
            out.print(text, soft_wrap=True, highlight=False)
    for tool in dict.fromkeys(row.tool for row in report.results if row.tool):
        out.print(style(tool, "dim"), highlight=False)


def figures(row: AcceleratorResult) -> tuple[str, str, str, str, str]:
    """Return a row's numbers: operators, labels, the largest difference, traffic and estimate; empty where unknown."""
    label = row.get_label()
    worst = max((output.max_abs for output in row.outputs), default=None)
    return (
        f"{row.coverage.accelerated}/{row.coverage.total}" if row.coverage else "",
        f"{label.decisions - label.differing}/{label.decisions}" if label else "",
        f"{worst:.1e}" if worst is not None else "",
        f"{row.dram_bytes / 1e6:.1f}" if row.dram_bytes is not None else "",
        f"{row.estimated_seconds * 1e3:.1f}" if row.estimated_seconds else "",
    )


def recall(row: Recorded) -> tuple[Any, ...]:
    """Return the cells of a row that a record has: the verdict, and those numbers that it keeps."""
    proof = row.proof
    labels = "" if proof.labels is None else f"{proof.labels}/{proof.images}"
    worst = "" if proof.max_abs is None else f"{proof.max_abs:.1e}"
    return style(proof.verdict, _COLORS.get(proof.verdict, "dim")), "all" if proof.whole else "", labels, worst, "", ""


def explain(row: AcceleratorResult) -> list[str]:
    """Return why a row is as it is, in words: what was refused, what is wrong, how single operators compare."""
    head, lines = f"{row.artifact} on {row.target} {row.chip}", []
    for refusal in row.coverage.refused if row.coverage else ():
        count = f"{refusal.count} × " if refusal.count else ""
        lines.append(f"{head}: left to the CPU: {count}{refusal.operator}: {refusal.reason or 'no reason given'}")
    lines += [f"{head}: {problem}" for problem in row.problems]
    if row.steps is not None:
        share = row.steps.differing / row.steps.values
        lines.append(
            f"{head}: {row.steps.operators} operators alone, fed with the CPU's integers: {share:.1%} of "
            f"{row.steps.values:,} values differ, by {row.steps.worst} step at most"
        )
    return lines
