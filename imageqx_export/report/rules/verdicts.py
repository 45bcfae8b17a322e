"""What can be decided, by which limits, and how a decision is written down."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from imageqx_export.bench.model import Schedule
from imageqx_export.support.frozen import Frozen

FULL = Schedule()
"""What a run must have done at least, to decide anything about latency."""


class Quantity(StrEnum):
    """A quantity that is compared."""

    SIZE = "size"
    INSTRUCTIONS = "instructions"
    LATENCY = "latency"
    PARITY = "parity"


class Verdict(StrEnum):
    """The outcome of a comparison; only the first three are passes."""

    OK = "ok"
    IMPROVED = "improved"
    NO_CHANGE = "no change"
    REGRESSION = "regression"
    SUSPICIOUS = "suspicious"
    INSUFFICIENT = "insufficient data"
    UNAVAILABLE = "unavailable"


PASSES = (Verdict.OK, Verdict.IMPROVED, Verdict.NO_CHANGE)
UNDECIDED = (Verdict.SUSPICIOUS, Verdict.INSUFFICIENT)
MARKS = {
    Verdict.OK: "✓",
    Verdict.NO_CHANGE: "✓",
    Verdict.IMPROVED: "▼",
    Verdict.REGRESSION: "▲",
    Verdict.SUSPICIOUS: "?",
    Verdict.INSUFFICIENT: "?",
    Verdict.UNAVAILABLE: "–",
}
"""A sign beside the word: ▼ is less, which is better, of everything that is compared; ▲ is more."""


class Rules(Frozen):
    """The limits that decisions depend on: the one place for them.

    Args:
        size_growth: Bytes that a file may grow beyond the baseline's, ≥ 0.
        size_budgets: The most bytes that a file may have, by its name; a file without one may have any number.
        instruction_band: Relative change of an instruction count that is none.
        alpha: Significance of the Mann–Whitney U test, two-sided.
        slow_down: The smallest relative slow-down that counts.
        seen: The relative slow-down that a run must be able to see before it says "no change".
        level: One-sided: how seldom (1 − this) a run of the same file may move by more than the A/A noise.
        margin: How much of the A/A noise a move may lack of ``slow_down``; 0 puts the limit on the point estimate.
        unrest: The most by which the faster quarter of a run's processes may differ, relative; beyond, it is no run.
        repeats: Current runs that must show a slow-down.
        baseline_runs: Runs of the baseline from which the A/A noise is measured, ≥ 2.
    """

    size_growth: int = Field(default=0, ge=0)
    size_budgets: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    instruction_band: float = Field(default=0.005, gt=0)
    alpha: float = Field(default=0.01, gt=0, lt=1)
    slow_down: float = Field(default=0.05, gt=0)
    seen: float = Field(default=0.10, gt=0)
    level: float = Field(default=0.95, gt=0.5, lt=1)
    margin: float = Field(default=1.0, ge=0, le=1)
    unrest: float = Field(default=0.05, gt=0)
    repeats: int = Field(default=2, ge=1)
    baseline_runs: int = Field(default=3, ge=2)


class Decision(Frozen):
    """The outcome for one quantity of one artifact on one target.

    Args:
        artifact: The file's name.
        target: Such as ``"host"``; ``"files"`` for what does not depend on a target.
        quantity: What was compared.
        verdict: What came out.
        reason: Why, in words, with the numbers.
        before: The baseline's value, or None where there is none.
        after: The current one, or None.
        unit: Of both: ``"bytes"``, ``"instructions"``, ``"s"``, ``"max |Δ|"``.
        numbers: What the verdict rests on, by name: p values, thresholds, noise, ….
    """

    artifact: str
    target: str
    quantity: Quantity
    verdict: Verdict
    reason: str
    before: float | None = None
    after: float | None = None
    unit: str = ""
    numbers: dict[str, float] = Field(default_factory=dict)

    @property
    def change(self) -> float | None:
        """Return after / before − 1, or None where one is missing or 0."""
        return None if self.after is None or not self.before else self.after / self.before - 1


def exit_code(decisions: Iterable[Decision]) -> int:
    """Return 1 if anything regressed, else 2 if anything is undecided or nothing was decided, else 0.

    >>> exit_code([])
    2
    """
    verdicts = {decision.verdict for decision in decisions}
    if Verdict.REGRESSION in verdicts:
        return 1
    return 2 if verdicts & set(UNDECIDED) or not verdicts & set(PASSES) else 0
