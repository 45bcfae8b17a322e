"""Numbers in words that people read: in Markdown, on the page and in the terminal alike."""

from __future__ import annotations

from collections.abc import Callable

from imageqx_export.compat.versions.grid import Grid, lay_out
from imageqx_export.report.model import Pair, Report, Row
from imageqx_export.report.rules.phrasing import FILES, format_share, format_signed
from imageqx_export.report.rules.verdicts import MARKS, Decision, Quantity, Verdict

ABSENT = "–"
LEGEND = (
    "✓ no worse",
    "▼ better",
    "▲ worse",
    "? cannot be decided",
    "– not available",
    "without a mark: shown, not compared",
)
HEADLINES = {0: "Nothing regressed", 1: "Something regressed", 2: "Something could not be decided"}


def format_seconds(value: float | None) -> str:
    """Return a time with three figures or more.

    >>> format_seconds(0.0123456), format_seconds(0.000123456), format_seconds(None)
    ('12.35 ms', '123.5 µs', '–')
    """
    if value is None:
        return ABSENT
    if value >= 1:
        return f"{value:.2f} s"
    return f"{value * 1e3:.2f} ms" if value >= 1e-3 else f"{value * 1e6:.1f} µs"


def format_bytes(value: float | None) -> str:
    """Return exact bytes."""
    return ABSENT if value is None else f"{value:,.0f}"


def format_megabytes(value: float | None) -> str:
    """Return bytes in MB of 1,000,000."""
    return ABSENT if value is None else f"{value / 1e6:.2f} MB"


def format_count(value: float | None) -> str:
    """Return a count of instructions in millions."""
    return ABSENT if value is None else f"{value / 1e6:,.2f} M"


def format_difference(value: float | None) -> str:
    """Return a difference of outputs."""
    return ABSENT if value is None else f"{value:.1e}"


def format_change(change: float | None) -> str:
    """Return a relative change.

    >>> format_change(0.0512), format_change(-0.00001), format_change(None)
    ('+5.1 %', '±0.0 %', '')
    """
    if change is None:
        return ""
    return format_share(change, sign=True) if abs(change) >= 0.0005 else "±0.0 %"


def format_bytes_change(pair: Pair) -> str:
    """Return a change to the byte, or nothing where there is none to tell."""
    if pair.before is None or pair.after is None:
        return ""
    return format_signed(pair.after - pair.before) if pair.after != pair.before else "±0"


def shorten_name(name: str) -> str:
    """Return a tensor's name without the modules' paths that litert-torch writes before each part of it.

    >>> shorten_name("torch.nn.modules.container.Sequential_late/torch.nn.modules.conv.Conv2d_0;1")
    'Sequential_late/Conv2d_0;1'
    >>> shorten_name("late.4.0.weight")
    'late.4.0.weight'
    """
    return "/".join(part.rpartition(".")[2] for part in name.split("/")) if "/" in name else name


class Cell:
    """One cell of the table.

    Attributes:
        text: The current value.
        change: Against the baseline, or "".
        mark: A sign, or "" where the number is without a decision.
        verdict: What the sign means, or None.
        reason: Why, in words.
    """

    def __init__(self, text: str, change: str, decision: Decision | None) -> None:
        self.text, self.change = text, change
        self.verdict: Verdict | None = None if decision is None else decision.verdict
        self.mark = "" if decision is None else MARKS[decision.verdict]
        self.reason = "" if decision is None else decision.reason

    def __str__(self) -> str:
        return " ".join(dict.fromkeys(part for part in (self.text, self.change, self.mark) if part))


COLUMNS = ("size", "p50", "p90", "instructions", "parity")


def build_cells(report: Report, row: Row) -> dict[str, Cell]:
    """Return a row's cells by column of :data:`COLUMNS`; p90 is shown and without a decision."""

    def find_decision(quantity: Quantity, target: str = row.target) -> Decision | None:
        return report.decision(row.artifact, target, quantity)

    def cell(pair: Pair, show: Callable[[float | None], str], decision: Decision | None) -> Cell:
        return Cell(show(pair.after), format_change(pair.change), decision)

    latency = find_decision(Quantity.LATENCY)
    return {
        "size": Cell(format_bytes(row.size.after), format_bytes_change(row.size), find_decision(Quantity.SIZE, FILES)),
        "p50": cell(row.p50, format_seconds, latency),
        "p90": cell(row.p90, format_seconds, None),
        "instructions": cell(row.instructions, format_count, find_decision(Quantity.INSTRUCTIONS)),
        "parity": _build_parity_cell(report, row),
    }


def _build_parity_cell(report: Report, row: Row) -> Cell:
    """Return what the target's outputs say; where nobody compared those, what the files' comparison says."""
    here = report.decision(row.artifact, row.target, Quantity.PARITY)
    if here is None or here.verdict is Verdict.UNAVAILABLE:
        files = report.decision(row.artifact, FILES, Quantity.PARITY)
        if files is not None:
            return Cell(f"{format_difference(files.after)} (file)", "", files)
    return Cell(format_difference(row.max_error.after), "", here)


PROOF_COLUMNS = ("accelerator", "answer", "operators", "labels", "max |Δ|", "by")
RUNTIMES_NOTE = (
    "Largest difference from the checkpoint's outputs on the golden pictures, and how many decisions differ. A version "
    "that runs to another gave the same in all between."
)
PHOTO_NOTE = (
    "A JPEG's bytes to pixels, inference and decision; cold is the first of a process, the file's load included."
)
NO_SILICON = "Compilers and simulators say this; no chip has confirmed it."


def list_proofs(report: Report) -> list[tuple[str, ...]]:
    """Return a row of words an artifact and answer of an accelerator: the artifact, then :data:`PROOF_COLUMNS`."""
    rows: list[tuple[str, ...]] = []
    for one in report.proved:
        for proof in one.proofs:
            labels = ABSENT if proof.labels is None else f"{proof.labels} of {proof.images}"
            share = ABSENT if proof.verdict == "refused" else "all" if proof.whole else "in part"
            chips = f"{proof.target} {', '.join(proof.chips)}"
            rows.append(
                (one.artifact, chips, proof.verdict, share, labels, format_difference(proof.max_abs), proof.tool)
            )
    return rows


def list_runtimes(report: Report) -> list[Grid]:
    """Return what the files gave on versions of runtimes, a table a format."""
    return lay_out(report.runtimes.rows) if report.runtimes else []


def write_headline(report: Report) -> str:
    """Say in a line what came out.

    The counts are of decisions, one a quantity of an artifact on a target.
    """
    counts = {verdict: len(report.having(verdict)) for verdict in Verdict}
    told = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
    return f"{HEADLINES[report.exit_code]}: {told or 'nothing was compared'}"


def list_troubles(report: Report) -> tuple[Decision, ...]:
    """Return what a reader must look at, the worst first."""
    return report.having(Verdict.REGRESSION) + report.having(Verdict.SUSPICIOUS) + report.having(Verdict.INSUFFICIENT)
