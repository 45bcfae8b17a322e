"""Show the figures of bench_int8: rows, goals, a table for people and one for docs/int8-peers.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table

from benchmarks.int8_measures import Score, Subject
from imageqx_export.artifact import Format
from imageqx_export.evaluation.accuracy_loss import Loss

MEGABYTE = 1_000_000
Ratio = tuple[float, float, float]


@dataclass(frozen=True)
class Row:
    """The figures of one file; words stand where a figure could not be.

    Attributes:
        subject: The file.
        size_bytes: Its bytes, or None where it could not be made.
        seconds: Lower quartile of the processes' median inferences.
        latency: Its ratio to the fp32 file of the same format: of the lower quartiles; the rounds' least and largest.
        instructions: Per inference on each emulated phone, by its name.
        counted: Their ratios to the fp32 file's.
        score: What it is worth.
    """

    subject: Subject
    size_bytes: int | None
    seconds: float | str | None
    latency: Ratio | None
    instructions: Mapping[str, float | str]
    counted: Mapping[str, float]
    score: Score | str | None


@dataclass(frozen=True)
class Goal:
    """One goal.

    Attributes:
        what: Of which file, on which target.
        got: The ratio; None where there is none.
        limit: The most that it may be.
    """

    what: str
    got: float | None
    limit: float

    @property
    def verdict(self) -> str:
        """``"ok"``, or ``"MISSED"``, which a figure that is missing is too."""
        return "ok" if self.got is not None and self.got <= self.limit else "MISSED"


def check_goals(rows: Mapping[str, Row], limits: Mapping[Format, float], cpus: Mapping[str, float]) -> tuple[Goal, ...]:
    """Hold w8a8 to its goals.

    Args:
        rows: By the files' names.
        limits: Of the latency on this machine, by format; empty where none was measured.
        cpus: Of the instructions on each emulated phone that was asked for; of both formats.
    """
    ours = {format: rows.get(f"{format}_w8a8") for format in (Format.TFLITE, Format.ONNX)}
    found = [
        Goal(f"{format} w8a8: latency × fp32", row.latency[0] if row and row.latency else None, limits[format])
        for format, row in ours.items()
        if format in limits
    ]
    found += [
        Goal(f"{format} w8a8: instructions × fp32 on {cpu}", row.counted.get(cpu) if row else None, limit)
        for cpu, limit in cpus.items()
        for format, row in ours.items()
    ]
    return tuple(found)


def make_table(rows: Mapping[str, Row], title: str) -> Table:
    """Return the table for people."""
    cpus = _list_cpus(rows)
    found = Table(title=title, title_justify="left")
    names = _list_heads(cpus)
    for name in names:
        found.add_column(name, justify="left" if name in names[:3] else "right", no_wrap=name == names[0])
    for row in rows.values():
        found.add_row(*(escape(cell) for cell in _format_cells(row, cpus)))
    return found


def render_markdown(rows: Mapping[str, Row]) -> str:
    """Return the table for docs/int8-peers.md."""
    cpus = _list_cpus(rows)
    names = _list_heads(cpus)
    lines = [
        names,
        ["---", "---", "---", *["---:"] * (len(names) - 3)],
        *(_format_cells(row, cpus) for row in rows.values()),
    ]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def make_body(row: Row) -> dict[str, Any]:
    """Return one row for JSON."""
    subject, score = row.subject, row.score
    found: dict[str, Any] = {
        "name": subject.name,
        "maker": subject.maker,
        "format": str(subject.format),
        "scheme": subject.scheme,
        "trouble": subject.trouble,
        "size_bytes": row.size_bytes,
        "seconds": row.seconds,
        "latency_ratio": row.latency,
        "instructions": dict(row.instructions),
        "instruction_ratio": dict(row.counted),
    }
    if isinstance(score, Score):
        points = {"quality_macro_f1": score.quality, "reasons_macro_f1": score.reasons, "max_abs": score.max_abs}
        return {**found, **points, "lost": score.lost.model_dump(mode="json")}
    return {**found, "accuracy_trouble": score}


def _list_cpus(rows: Mapping[str, Row]) -> list[str]:
    return list(dict.fromkeys(cpu for row in rows.values() for cpu in row.instructions))


def _list_heads(cpus: list[str]) -> list[str]:
    return [
        "format",
        "made by",
        "scheme",
        "MB",
        "latency × fp32",
        *(f"instructions × fp32, {cpu}" for cpu in cpus),
        "labels' macro-F1 (lost)",
        "reasons' macro-F1 (lost)",
        "same label",
        "max |Δ|",
    ]


def _format_cells(row: Row, cpus: list[str]) -> list[str]:
    subject = row.subject
    size = "–" if row.size_bytes is None else f"{row.size_bytes / MEGABYTE:.2f}"
    head = [str(subject.format), subject.maker, subject.scheme, size]
    if subject.trouble is not None:
        return [*head, subject.trouble, *[""] * (len(cpus) + 4)]
    return [*head, _format_latency(row), *(_format_counts(row, cpu) for cpu in cpus), *_format_score(row.score)]


def _format_latency(row: Row) -> str:
    if isinstance(row.seconds, str):
        return row.seconds
    if row.latency is None:
        return "–"
    middle, low, high = row.latency
    return f"{middle:.2f} ({low:.2f}…{high:.2f})"


def _format_counts(row: Row, cpu: str) -> str:
    found = row.instructions.get(cpu)
    if isinstance(found, str):
        return found
    return f"{row.counted[cpu]:.2f}" if cpu in row.counted else "–"


def _format_score(score: Score | str | None) -> tuple[str, str, str, str]:
    if score is None:
        return "–", "–", "–", "–"
    if isinstance(score, str):
        return score, "", "", ""
    lost = score.lost
    return (
        f"{score.quality:.1f} ({_format_loss(lost.quality)})",
        f"{score.reasons:.1f} ({_format_loss(lost.explanations)})",
        f"{lost.agreement:.1f} %",
        f"{score.max_abs:.3f}",
    )


def _format_loss(loss: Loss) -> str:
    return "0" if loss.points == 0 else f"{loss.points:+.2f}"
