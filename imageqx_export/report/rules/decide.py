"""Decide, for every artifact and target, what changed between two sides; pure functions of frozen values."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

from imageqx_export.bench.model import BenchRun
from imageqx_export.budgets.limits import size_limit
from imageqx_export.parity.compare import TOLERANCES, ParityReport
from imageqx_export.report.rules.comparable import MeasuredRun, explain_incomparable, explain_missing, select_like
from imageqx_export.report.rules.phrasing import FILES, Draft, format_share, format_signed
from imageqx_export.report.rules.timed import decide_latency
from imageqx_export.report.rules.verdicts import Decision, Quantity, Rules, Verdict
from imageqx_export.report.sides import Side


def decide(
    baseline: Side,
    current: Side,
    rules: Rules | None = None,
    *,
    history: Sequence[BenchRun] = (),
    parity: ParityReport | None = None,
) -> tuple[Decision, ...]:
    """Compare two sides.

    Args:
        baseline: What to compare with.
        current: What is compared with it.
        rules: The limits.
        history: Other runs; those of one file on the same machine with the same tools measure the A/A noise.
        parity: The comparison of the current artifacts with their checkpoint, or None.

    Returns:
        Per artifact size and parity of the files, then per target and artifact latency, instructions and parity.
    """
    rules = rules or Rules()
    artifacts = tuple(dict.fromkeys((*current.artifacts, *baseline.artifacts)))
    decisions = [decide_size(name, baseline.find(name), current.find(name), rules) for name in artifacts]
    decisions += [] if parity is None else _decide_file_parity(parity)
    for target in dict.fromkeys((*current.targets, *baseline.targets)):
        for name in artifacts:
            before, after = baseline.find(name, target), current.find(name, target)
            if before or after:
                decisions += [
                    decide_latency(name, target, before, after, rules, history),
                    decide_instructions(name, target, before, after, rules),
                    _decide_target_parity(name, target, after),
                ]
    return tuple(decisions)


def decide_size(artifact: str, before: Sequence[MeasuredRun], after: Sequence[MeasuredRun], rules: Rules) -> Decision:
    """Compare the exact bytes of one artifact, and hold them against its budget.

    Args:
        artifact: The file's name.
        before: The baseline's runs that have it, on any target.
        after: The current ones.
        rules: The limits.
    """
    old, new = ({m.size_bytes for _, m in side} for side in (before, after))
    draft = Draft(artifact, FILES, Quantity.SIZE, "bytes", _take_only(old), _take_only(new))
    for side, name in ((old, "baseline"), (new, "current")):
        if len(side) > 1:
            return draft.decide(Verdict.INSUFFICIENT, f"the {name}'s runs are of several files, of {_join(side)} bytes")
    if not new:
        return draft.decide(Verdict.INSUFFICIENT, "the baseline has this artifact, the current runs have not")
    size = new.pop()
    budget = size_limit(artifact, rules.size_budgets)
    if budget is not None and size > budget:
        return draft.decide(Verdict.REGRESSION, f"{size - budget:,} bytes over its budget of {budget:,}")
    if not old:
        return draft.decide(Verdict.INSUFFICIENT, "not in the baseline: renew it on purpose with make baseline")
    grown = size - old.pop()
    if grown > rules.size_growth:
        allowed = f"{rules.size_growth:,} more are allowed" if rules.size_growth else "no more are allowed"
        return draft.decide(Verdict.REGRESSION, f"{format_signed(grown)} bytes; {allowed}")
    if grown > 0:
        return draft.decide(Verdict.OK, f"{format_signed(grown)} bytes; {rules.size_growth:,} more are allowed")
    return (
        draft.decide(Verdict.IMPROVED, f"{format_signed(grown)} bytes")
        if grown
        else draft.decide(Verdict.NO_CHANGE, "the same to the byte")
    )


def decide_instructions(
    artifact: str, target: str, before: Sequence[MeasuredRun], after: Sequence[MeasuredRun], rules: Rules
) -> Decision:
    """Compare the instructions of one inference; arguments as of :func:`decide_size`."""
    old, new = ([pair for pair in side if pair[1].instructions] for side in (before, after))
    draft = Draft(artifact, target, Quantity.INSTRUCTIONS, "instructions", _take_count(old), _take_count(new))
    if gap := explain_missing(old, new, before, after, "instructions"):
        return draft.decide(*gap)
    if problem := explain_incomparable(old, new, same_system=False):
        return draft.decide(Verdict.INSUFFICIENT, problem)
    old, new = (select_like(side, new[-1][0], same_system=False) for side in (old, new))
    draft.before, draft.after = _take_count(old), _take_count(new)
    counts = [m.instructions for _, m in (*old, *new) if m.instructions]
    if len({count.source for count in counts}) > 1:
        return draft.decide(
            Verdict.INSUFFICIENT, f"counted by different tools: {_join({count.source for count in counts})}"
        )
    band, spread = rules.instruction_band, max(count.spread for count in counts)
    change = (draft.after or 0.0) / (draft.before or math.inf) - 1
    draft.numbers.update(band=band, spread=spread, change=change)
    limit, told = format_share(band), format_share(change, sign=True, digits=2)
    if spread > band:
        return draft.decide(
            Verdict.INSUFFICIENT, f"repeated counts differ by {format_share(spread, digits=2)}; the band is {limit}"
        )
    if abs(change) <= band:
        return draft.decide(Verdict.NO_CHANGE, f"{told}, within ±{limit}")
    return draft.decide(Verdict.REGRESSION if change > 0 else Verdict.IMPROVED, f"{told}, beyond ±{limit}")


def _take_count(side: Sequence[MeasuredRun]) -> float | None:
    return statistics.median(m.instructions.count for _, m in side if m.instructions) if side else None


def _decide_file_parity(report: ParityReport) -> list[Decision]:
    rows = []
    for artifact in report.artifacts:
        worst = max((output.max_abs for output in artifact.outputs), default=math.inf)
        draft = Draft(artifact.path, FILES, Quantity.PARITY, "max |Δ|", None, worst if math.isfinite(worst) else None)
        problems = [*artifact.problems, *(text for output in artifact.outputs for text in output.problems)]
        if artifact.passed:
            rows.append(draft.decide(Verdict.OK, f"max |Δ| {worst:.1e} on {report.images} images"))
        else:
            rows.append(draft.decide(Verdict.REGRESSION, "; ".join(problems) or "nothing was compared"))
    return rows


def _decide_target_parity(artifact: str, target: str, after: Sequence[MeasuredRun]) -> Decision:
    """Decide on the outputs as they came from the target in the newest run."""
    m = after[-1][1] if after else None
    if m is None or m.max_error is None:
        reason = "this target's outputs were not compared"
        return Draft(artifact, target, Quantity.PARITY, "max |Δ|").decide(Verdict.UNAVAILABLE, reason)
    error, limit = m.max_error, TOLERANCES[m.precision].max_abs
    draft = Draft(artifact, target, Quantity.PARITY, "max |Δ|", None, error if math.isfinite(error) else None)
    reason = f"max |Δ| {error:.1e} on this target; at most {limit:.0e} is allowed"
    return draft.decide(Verdict.OK if error <= limit else Verdict.REGRESSION, reason)


def _take_only(values: set[int]) -> float | None:
    return float(next(iter(values))) if len(values) == 1 else None


def _join(values: Iterable[int | str]) -> str:
    return ", ".join(f"{v:,}" if isinstance(v, int) else v for v in sorted(values, key=str))
