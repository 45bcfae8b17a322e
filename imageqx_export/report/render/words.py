"""Say numbers in words that people read: in Markdown, on the page and in the terminal alike."""

from __future__ import annotations

from collections.abc import Callable

from imageqx_export.report.model import Pair, Report, Row
from imageqx_export.report.rules.phrasing import FILES, share, signed
from imageqx_export.report.rules.verdicts import MARKS, Decision, Quantity, Verdict

NOTHING = "–"
LEGEND = (
    "✓ no worse",
    "▼ better",
    "▲ worse",
    "? cannot be decided",
    "– not available",
    "without a mark: shown, not judged",
)
HEADLINES = {0: "Nothing regressed", 1: "Something regressed", 2: "Something could not be decided"}


def seconds(value: float | None) -> str:
    """Return a time with three figures or more.

    >>> seconds(0.0123456), seconds(0.000123456), seconds(None)
    ('12.35 ms', '123.5 µs', '–')
    """
    if value is None:
        return NOTHING
    if value >= 1:
        return f"{value:.2f} s"
    return f"{value * 1e3:.2f} ms" if value >= 1e-3 else f"{value * 1e6:.1f} µs"


def size(value: float | None) -> str:
    """Return exact bytes."""
    return NOTHING if value is None else f"{value:,.0f}"


def megabytes(value: float | None) -> str:
    """Return bytes in MB of 1,000,000."""
    return NOTHING if value is None else f"{value / 1e6:.2f} MB"


def count(value: float | None) -> str:
    """Return a count of instructions in millions."""
    return NOTHING if value is None else f"{value / 1e6:,.2f} M"


def small(value: float | None) -> str:
    """Return a difference of outputs."""
    return NOTHING if value is None else f"{value:.1e}"


def percent(change: float | None) -> str:
    """Return a relative change.

    >>> percent(0.0512), percent(-0.00001), percent(None)
    ('+5.1 %', '±0.0 %', '')
    """
    if change is None:
        return ""
    return share(change, sign=True) if abs(change) >= 0.0005 else "±0.0 %"


def bytes_change(pair: Pair) -> str:
    """Return a change to the byte, or nothing where there is none to tell."""
    if pair.before is None or pair.after is None:
        return ""
    return signed(pair.after - pair.before) if pair.after != pair.before else "±0"


def short(name: str) -> str:
    """Return a tensor's name without the modules' paths that litert-torch writes before each part of it.

    >>> short("torch.nn.modules.container.Sequential_late/torch.nn.modules.conv.Conv2d_0;1"), short("late.4.0.weight")
    ('Sequential_late/Conv2d_0;1', 'late.4.0.weight')
    """
    return "/".join(part.rpartition(".")[2] for part in name.split("/")) if "/" in name else name


class Cell:
    """Hold one cell of the table.

    Attributes:
        text: The current value.
        change: Against the baseline, or "".
        mark: A sign, or "" where the number is not judged.
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


def cells(report: Report, row: Row) -> dict[str, Cell]:
    """Return a row's cells by column of :data:`COLUMNS`; p90 is shown and not judged."""

    def judged(quantity: Quantity, target: str = row.target) -> Decision | None:
        return report.decision(row.artifact, target, quantity)

    def cell(pair: Pair, show: Callable[[float | None], str], decision: Decision | None) -> Cell:
        return Cell(show(pair.after), percent(pair.change), decision)

    latency = judged(Quantity.LATENCY)
    return {
        "size": Cell(size(row.size.after), bytes_change(row.size), judged(Quantity.SIZE, FILES)),
        "p50": cell(row.p50, seconds, latency),
        "p90": cell(row.p90, seconds, None),
        "instructions": cell(row.instructions, count, judged(Quantity.INSTRUCTIONS)),
        "parity": _parity(report, row),
    }


def _parity(report: Report, row: Row) -> Cell:
    """Return what the target's outputs say; where nobody compared those, what the files' comparison says."""
    here = report.decision(row.artifact, row.target, Quantity.PARITY)
    if here is None or here.verdict is Verdict.UNAVAILABLE:
        files = report.decision(row.artifact, FILES, Quantity.PARITY)
        if files is not None:
            return Cell(f"{small(files.after)} (file)", "", files)
    return Cell(small(row.max_error.after), "", here)


def headline(report: Report) -> str:
    """Say in a line what came out.

    The counts are of decisions, one a quantity of an artifact on a target.
    """
    counts = {verdict: len(report.having(verdict)) for verdict in Verdict}
    told = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
    return f"{HEADLINES[report.exit_code]}: {told or 'nothing was compared'}"


def troubles(report: Report) -> tuple[Decision, ...]:
    """Return what a reader must look at, the worst first."""
    return report.having(Verdict.REGRESSION) + report.having(Verdict.SUSPICIOUS) + report.having(Verdict.INSUFFICIENT)
