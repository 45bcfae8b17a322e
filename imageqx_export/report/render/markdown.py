"""Write a report as Markdown, for a pull request: one table, then only what needs a look."""

from __future__ import annotations

from imageqx_export.compat.versions.grid import shorten_artifact
from imageqx_export.report import robustness, sensitivity
from imageqx_export.report.model import Breakdown, Report
from imageqx_export.report.render.words import (
    ABSENT,
    COLUMNS,
    LEGEND,
    NO_SILICON,
    PHOTO_NOTE,
    PROOF_COLUMNS,
    RUNTIMES_NOTE,
    build_cells,
    format_change,
    format_seconds,
    list_proofs,
    list_runtimes,
    list_troubles,
    shorten_name,
    write_headline,
)
from imageqx_export.support.escapes import escape_markdown as escape

_MOST_CHANGES = 20


def render_markdown(report: Report) -> str:
    """Return a report as GitHub-flavoured Markdown."""
    lines = [
        f"## {escape(write_headline(report))}",
        "",
        f"{escape(report.current.label)} against {escape(report.baseline.label)}",
    ]
    lines += ["", *_render_table(report), "", " · ".join(LEGEND), ""]
    found = list_troubles(report)
    if found:
        lines += ["### What needs a look", ""]
        lines += [
            f"- {escape(row.artifact)}, {escape(row.target)}, {row.quantity.value}: **{row.verdict.value}**: "
            f"{escape(row.reason)}"
            for row in found
        ]
        lines += [""]
    for breakdown in report.breakdowns:
        lines += _list_changes(breakdown)
    lines += _list_photos(report)
    lines += _list_proofs(report)
    lines += _list_runtimes(report)
    lines += robustness.render_markdown(report.robustness, escape)
    lines += sensitivity.render_markdown(report.sensitivity, escape)
    if report.absent:
        lines += ["<details><summary>Not in this report</summary>", ""]
        lines += [f"- {escape(text)}" for text in report.absent]
        lines += ["", "</details>", ""]
    lines += ["<details><summary>What was compared</summary>", ""]
    for name, side in (("baseline", report.baseline), ("current", report.current)):
        lines += [f"- {name}: {escape(text)}" for text in side.runs]
    lines += ["", "</details>"]
    return "\n".join(lines) + "\n"


def _render_table(report: Report) -> list[str]:
    lines = ["| artifact | target | " + " | ".join(COLUMNS) + " |", "|---|---|" + "--:|" * len(COLUMNS)]
    for row in report.rows:
        values = (escape(str(cell)) for cell in build_cells(report, row).values())
        lines.append(f"| {escape(row.artifact)} | {escape(row.target)} | " + " | ".join(values) + " |")
    return lines


def _list_photos(report: Report) -> list[str]:
    rows = [row for row in report.rows if row.photo.after is not None]
    if not rows:
        return []
    lines = ["<details><summary>From a photo of 12 megapixels to a verdict</summary>", "", PHOTO_NOTE, ""]
    lines += ["| artifact | target | warm | cold |", "|---|---|--:|--:|"]
    for row in rows:
        cells = (
            " ".join(filter(None, (format_seconds(pair.after), format_change(pair.change))))
            for pair in (row.photo, row.photo_cold)
        )
        lines.append("| " + " | ".join(escape(text) for text in (row.artifact, row.target, *cells)) + " |")
    return [*lines, "", "</details>", ""]


def _list_proofs(report: Report) -> list[str]:
    rows = list_proofs(report)
    if not rows:
        return []
    head = ("artifact", *PROOF_COLUMNS)
    lines = ["<details><summary>On phones' accelerators</summary>", "", NO_SILICON, ""]
    lines += ["| " + " | ".join(escape(name) for name in head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(escape(text) for text in row) + " |" for row in rows]
    return [*lines, "", "</details>", ""]


def _list_runtimes(report: Report) -> list[str]:
    lines: list[str] = []
    for grid in list_runtimes(report):
        head = ("runtime", *map(shorten_artifact, grid.artifacts))
        lines += ["", "| " + " | ".join(escape(name) for name in head) + " |", "|---" * len(head) + "|"]
        for line in grid.lines:
            cells = (ABSENT if cell is None else cell.text for cell in line.cells)
            lines.append("| " + " | ".join(map(escape, (line.place, *cells))) + " |")
    if not lines:
        return []
    return ["<details><summary>On versions of runtimes</summary>", "", RUNTIMES_NOTE, *lines, "", "</details>", ""]


def _list_changes(breakdown: Breakdown) -> list[str]:
    changes = breakdown.changes
    if not changes:
        return []
    total = sum(change.change for change in changes)
    name = escape(breakdown.sizes.artifact)
    lines = [f"<details><summary>Where {name} changed by {total:+,} bytes</summary>", ""]
    lines += ["| section | part | before | after | bytes |", "|---|---|--:|--:|--:|"]
    for row in changes[:_MOST_CHANGES]:
        before, after = (f"{n:,}" if n is not None else "–" for n in (row.before, row.after))
        lines.append(
            f"| {escape(row.section)} | {escape(shorten_name(row.name))} | {before} | {after} | {row.change:+,} |"
        )
    rest = changes[_MOST_CHANGES:]
    if rest:
        lines.append(f"| | {len(rest)} other parts | | | {sum(row.change for row in rest):+,} |")
    return [*lines, "", "</details>", ""]
