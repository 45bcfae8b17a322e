"""Decide, for every artifact and target, what changed between two sides; pure functions of frozen values."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

from imageqx_export.bench.model import BenchRun
from imageqx_export.budgets.limits import size_limit
from imageqx_export.parity.compare import TOLERANCES, ParityReport
from imageqx_export.report.rules.comparable import Found, incomparable, like, missing
from imageqx_export.report.rules.phrasing import FILES, Say, share, signed
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
        current: What is judged.
        rules: The limits.
        history: Other runs; those of one file on the same machine with the same tools measure the A/A noise.
        parity: The comparison of the current artifacts with their checkpoint, or None.

    Returns:
        Per artifact size and parity of the files, then per target and artifact latency, instructions and parity.
    """
    rules = rules or Rules()
    artifacts = tuple(dict.fromkeys((*current.artifacts, *baseline.artifacts)))
    decisions = [decide_size(name, baseline.found(name), current.found(name), rules) for name in artifacts]
    decisions += [] if parity is None else _file_parity(parity)
    for target in dict.fromkeys((*current.targets, *baseline.targets)):
        for name in artifacts:
            before, after = baseline.found(name, target), current.found(name, target)
            if before or after:
                decisions += [
                    decide_latency(name, target, before, after, rules, history),
                    decide_instructions(name, target, before, after, rules),
                    _target_parity(name, target, after),
                ]
    return tuple(decisions)


def decide_size(artifact: str, before: Sequence[Found], after: Sequence[Found], rules: Rules) -> Decision:
    """Compare the exact bytes of one artifact, and hold them against its budget.

    Args:
        artifact: The file's name.
        before: The baseline's runs that have it, on any target.
        after: The current ones.
        rules: The limits.
    """
    old, new = ({m.size_bytes for _, m in side} for side in (before, after))
    say = Say(artifact, FILES, Quantity.SIZE, "bytes", _only(old), _only(new))
    for side, name in ((old, "baseline"), (new, "current")):
        if len(side) > 1:
            return say(Verdict.INSUFFICIENT, f"the {name}'s runs are of several files, of {_list(side)} bytes")
    if not new:
        return say(Verdict.INSUFFICIENT, "the baseline has this artifact, the current runs have not")
    size = new.pop()
    budget = size_limit(artifact, rules.size_budgets)
    if budget is not None and size > budget:
        return say(Verdict.REGRESSION, f"{size - budget:,} bytes over its budget of {budget:,}")
    if not old:
        return say(Verdict.INSUFFICIENT, "not in the baseline: renew it on purpose with make baseline")
    grown = size - old.pop()
    if grown > rules.size_growth:
        allowed = f"{rules.size_growth:,} more are allowed" if rules.size_growth else "no more are allowed"
        return say(Verdict.REGRESSION, f"{signed(grown)} bytes; {allowed}")
    if grown > 0:
        return say(Verdict.OK, f"{signed(grown)} bytes; {rules.size_growth:,} more are allowed")
    return say(Verdict.IMPROVED, f"{signed(grown)} bytes") if grown else say(Verdict.NO_CHANGE, "the same to the byte")


def decide_instructions(
    artifact: str, target: str, before: Sequence[Found], after: Sequence[Found], rules: Rules
) -> Decision:
    """Compare the instructions of one inference; arguments as of :func:`decide_size`."""
    old, new = ([pair for pair in side if pair[1].instructions] for side in (before, after))
    say = Say(artifact, target, Quantity.INSTRUCTIONS, "instructions", _count(old), _count(new))
    if gap := missing(old, new, before, after, "instructions"):
        return say(*gap)
    if problem := incomparable(old, new, same_system=False):
        return say(Verdict.INSUFFICIENT, problem)
    old, new = (like(side, new[-1][0], same_system=False) for side in (old, new))
    say.before, say.after = _count(old), _count(new)
    counts = [m.instructions for _, m in (*old, *new) if m.instructions]
    if len({count.source for count in counts}) > 1:
        return say(Verdict.INSUFFICIENT, f"counted by different tools: {_list({count.source for count in counts})}")
    band, spread = rules.instruction_band, max(count.spread for count in counts)
    change = (say.after or 0.0) / (say.before or math.inf) - 1
    say.numbers.update(band=band, spread=spread, change=change)
    limit, told = share(band), share(change, sign=True, digits=2)
    if spread > band:
        return say(Verdict.INSUFFICIENT, f"repeated counts differ by {share(spread, digits=2)}; the band is {limit}")
    if abs(change) <= band:
        return say(Verdict.NO_CHANGE, f"{told}, within ±{limit}")
    return say(Verdict.REGRESSION if change > 0 else Verdict.IMPROVED, f"{told}, beyond ±{limit}")


def _count(side: Sequence[Found]) -> float | None:
    return statistics.median(m.instructions.count for _, m in side if m.instructions) if side else None


def _file_parity(report: ParityReport) -> list[Decision]:
    rows = []
    for artifact in report.artifacts:
        worst = max((output.max_abs for output in artifact.outputs), default=math.inf)
        say = Say(artifact.path, FILES, Quantity.PARITY, "max |Δ|", None, worst if math.isfinite(worst) else None)
        problems = [*artifact.problems, *(text for output in artifact.outputs for text in output.problems)]
        if artifact.passed:
            rows.append(say(Verdict.OK, f"max |Δ| {worst:.1e} on {report.images} images"))
        else:
            rows.append(say(Verdict.REGRESSION, "; ".join(problems) or "nothing was compared"))
    return rows


def _target_parity(artifact: str, target: str, after: Sequence[Found]) -> Decision:
    """Judge the outputs as they came from the target in the newest run."""
    m = after[-1][1] if after else None
    if m is None or m.max_error is None:
        reason = "this target's outputs were not compared"
        return Say(artifact, target, Quantity.PARITY, "max |Δ|")(Verdict.UNAVAILABLE, reason)
    error, limit = m.max_error, TOLERANCES[m.precision].max_abs
    say = Say(artifact, target, Quantity.PARITY, "max |Δ|", None, error if math.isfinite(error) else None)
    reason = f"max |Δ| {error:.1e} on this target; at most {limit:.0e} is allowed"
    return say(Verdict.OK if error <= limit else Verdict.REGRESSION, reason)


def _only(values: set[int]) -> float | None:
    return float(next(iter(values))) if len(values) == 1 else None


def _list(values: Iterable[int | str]) -> str:
    return ", ".join(f"{v:,}" if isinstance(v, int) else v for v in sorted(values, key=str))
