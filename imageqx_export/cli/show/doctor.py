"""Print what a machine can do."""

from __future__ import annotations

from imageqx_export.cli.show.console import out, print_json, style
from imageqx_export.cli.show.tables import Table
from imageqx_export.doctor.model import Diagnosis, State

_COLORS = {State.READY: "green", State.MISSING: "yellow", State.UNKNOWN: "bold red"}


def show_diagnosis(diagnosis: Diagnosis, *, as_json: bool) -> None:
    """Print a table of the parts and, of each gap, what it stops and what closes it; or all of it as JSON."""
    if as_json:
        print_json({"exports": diagnosis.exports, **diagnosis.model_dump(mode="json")})
        return
    table = Table()
    for name in ("", "part", "", "version or place"):
        table.add_column(name)
    group = ""
    for finding in diagnosis.findings:
        if group and finding.group != group:
            table.add_section()
        head = finding.group if finding.group != group else ""
        group = finding.group
        table.add_row(head, finding.part, style(finding.state.value, _COLORS[finding.state]), finding.detail)
    out.print(table)
    for finding in diagnosis.findings:
        if finding.state is not State.READY:
            text = f"{finding.part}: stops {finding.stops}; {finding.remedy}"
            out.print(text, highlight=False, soft_wrap=True)
    verdict = (
        ("imageqx export can run here", "green") if diagnosis.exports else ("imageqx export cannot run here", "red")
    )
    out.print(style(*verdict))
