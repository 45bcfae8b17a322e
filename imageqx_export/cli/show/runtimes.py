"""Print what versions of runtimes make of artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imageqx_export.cli.show.console import join, out, print_json, style
from imageqx_export.cli.show.tables import Table

if TYPE_CHECKING:
    from rich.text import Text

    from imageqx_export.compat.versions.model import RuntimeReport, RuntimeResult

_COLORS = {"right": "green", "read": "green", "wrong": "bold red", "failed": "bold red", "refused": "yellow"}


def show_runtimes(report: RuntimeReport, *, as_json: bool) -> None:
    """Print a table a format, a row a place and a column a file, and every reason once."""
    if as_json:
        print_json({"passed": report.passed, **report.model_dump(mode="json")})
        return
    files: dict[str, list[RuntimeResult]] = {}
    for row in report.results:
        files.setdefault(row.artifact.rpartition(".")[2], []).append(row)
    for kind, rows in files.items():
        out.print(_make_table(kind, rows, report.images))
    for text, places in group_problems(report.results).items():
        out.print(f"{text}\n  {'; '.join(places)}", soft_wrap=True, highlight=False)
    if report.broken:
        text = f"{len(report.broken)} of these must hold, by the budget of runtimes, and do not"
        out.print(style(text, "bold red"), highlight=False)


def _make_table(kind: str, rows: Sequence[RuntimeResult], images: int) -> Table:
    names = list(dict.fromkeys(row.artifact for row in rows))
    table = Table(title=f".{kind} on {images} pictures: largest |Δ|, decisions that differ", title_justify="left")
    table.add_column("runtime")
    # All files of an export begin alike.
    for name in names:
        table.add_column(name.rpartition(".")[0].rpartition("_")[2] or name, justify="right")
    places: dict[str, dict[str, Text]] = {}
    for row in rows:
        places.setdefault(name_place(row), {})[row.artifact] = _cell(row)
    for place, cells in places.items():
        table.add_row(place, *(cells.get(name, "") for name in names))
    return table


def name_place(row: RuntimeResult) -> str:
    """Return where a file was run, such as ``"litert 2.3.0 reference"`` or ``"onnxruntime 1.31.1 on cortex-a53"``."""
    variant = "" if row.variant in ("default", "reader") else f" {row.variant}"
    machine = f" on {row.machine}" if row.machine.startswith("cortex") or row.machine == "i8mm" else ""
    return f"{row.runtime} {row.version}{variant}{machine}"


def _cell(row: RuntimeResult) -> Text:
    color = _COLORS.get(row.verdict, "dim")
    if row.max_abs is None:
        cell = style("same" if row.verdict == "read" else row.verdict, color)
    else:
        cell = style(f"{row.max_abs:.0e}" + (f", {row.differing}" if row.differing else ""), color)
    return join(cell, style("!", "bold red")) if row.must and not row.holds else cell


def group_problems(rows: Sequence[RuntimeResult]) -> dict[str, list[str]]:
    """Return each reason with the files and places that it holds for; those of wrong numbers stand in the table."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.problem and row.max_abs is None:
            whom = name_place(row) if row.verdict == "unavailable" else f"{row.artifact} on {name_place(row)}"
            whom_of = found.setdefault(f"{row.verdict}: {row.problem}", [])
            if whom not in whom_of:
                whom_of.append(whom)
    return found
