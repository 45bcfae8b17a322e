"""Print what versions of runtimes make of artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imageqx_export.cli.show.console import join, out, print_json, style
from imageqx_export.cli.show.tables import Table

if TYPE_CHECKING:
    from imageqx_export.compat.versions.grid import Grid
    from imageqx_export.compat.versions.model import RuntimeReport, RuntimeResult

COLORS = {"right": "green", "read": "green", "wrong": "bold red", "failed": "bold red", "refused": "yellow"}


def show_runtimes(report: RuntimeReport, *, as_json: bool) -> None:
    """Print a table a format, every reason once, and what the budget wants and does not get."""
    from imageqx_export.compat.versions.grid import lay_out

    if as_json:
        print_json({"passed": report.passed, **report.model_dump(mode="json")})
        return
    for grid in lay_out(report.results):
        out.print(_make_table(grid, report.images))
    for text, places in group_problems(report.results).items():
        out.print(f"{text}\n  {'; '.join(places)}", soft_wrap=True, highlight=False)
    recorded = sum(row.recorded for row in report.results)
    if recorded:
        out.print(style(f"{recorded} of {len(report.results)} rows are the record's (--again asks them, too)", "dim"))
    if report.broken:
        out.print(style("must hold, by the budget of runtimes, and does not:", "bold red"), highlight=False)
        for row in report.broken:
            out.print(f"  {row.artifact} on {name_place(row)}: {row.verdict}", soft_wrap=True, highlight=False)


def _make_table(grid: Grid, images: int) -> Table:
    from imageqx_export.compat.versions.grid import shorten_artifact

    title = f"{grid.suffix} on {images} pictures: largest |Δ| against PyTorch"
    table = Table(title=title, title_justify="left")
    table.add_column("runtime")
    for name in grid.artifacts:
        table.add_column(shorten_artifact(name), justify="right")
    for line in grid.lines:
        cells = [style(cell.text, COLORS.get(cell.verdict, "dim")) if cell else join("") for cell in line.cells]
        table.add_row(line.place, *cells)
    return table


def name_place(row: RuntimeResult) -> str:
    """Return where a file was run, such as ``"litert 2.3.0 reference"`` or ``"onnxruntime 1.31.1 on cortex-a53"``."""
    variant = "" if row.variant in ("default", "reader") else f" {row.variant}"
    machine = "" if row.machine == "x86-64" else f" on {row.machine}"
    return f"{row.runtime} {row.version}{variant}{machine}"


def group_problems(rows: Sequence[RuntimeResult]) -> dict[str, list[str]]:
    """Return each reason with the files and places that it holds for; wrong numbers stand in the table."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.problem and row.max_abs is None:
            where = name_place(row) if row.verdict == "unavailable" else f"{row.artifact} on {name_place(row)}"
            places = found.setdefault(f"{row.verdict}: {row.problem}", [])
            if where not in places:
                places.append(where)
    return found
