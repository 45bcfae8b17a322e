"""Which runs can be compared with which, and in what others differ."""

from __future__ import annotations

from collections.abc import Sequence

from imageqx_export.bench.model import BenchRun, Measurement
from imageqx_export.report.rules.verdicts import FULL, Verdict

MeasuredRun = tuple[BenchRun, Measurement]
"""A run and what it measured of one artifact."""


def explain_missing(
    old: Sequence[MeasuredRun],
    new: Sequence[MeasuredRun],
    before: Sequence[MeasuredRun],
    after: Sequence[MeasuredRun],
    what: str,
) -> tuple[Verdict, str] | None:
    """Say what to answer where a side has nothing to compare, or None where both have.

    Args:
        old: The baseline's runs that have ``what``.
        new: The current ones.
        before: All of the baseline's runs of the artifact.
        after: All current ones.
        what: ``"times"`` or ``"instructions"``.
    """
    if old and new:
        return None
    reasons = [m.unavailable for _, m in after if m.unavailable]
    why = f": {reasons[-1]}" if reasons else ""
    if old:
        return Verdict.INSUFFICIENT, f"the baseline has {what}, the current runs have none{why}"
    if new:
        where = "its runs have none" if before else "this artifact is not in it"
        return Verdict.INSUFFICIENT, f"the baseline has no {what}, {where}: renew it on purpose with make baseline"
    return Verdict.UNAVAILABLE, f"neither side has {what}{why}"


def explain_incomparable(old: Sequence[MeasuredRun], new: Sequence[MeasuredRun], *, same_system: bool) -> str | None:
    """Say in what all of the baseline's runs differ from the newest current one, or None where one does not.

    Args:
        old: The baseline's runs, one at least.
        new: The current ones, likewise.
        same_system: Whether cores and operating system count too; an instruction count depends on neither.
    """
    model = new[-1][0]
    if model.schedule.quick:
        return "a --quick run decides nothing: measure without it"
    gaps = [list_differences(run, model, same_system=same_system) for run, _ in reversed(old)]
    return "; ".join(gaps[0]) if all(gaps) else None


def select_like(side: Sequence[MeasuredRun], model: BenchRun, *, same_system: bool = True) -> list[MeasuredRun]:
    """Return the runs that were made as ``model`` was."""
    return [pair for pair in side if not list_differences(pair[0], model, same_system=same_system)]


def list_differences(one: BenchRun, other: BenchRun, *, same_system: bool = True) -> list[str]:
    """List why two runs' numbers cannot be compared: the machine, versions of tools that both used, the schedule."""
    gaps = []
    was, now = (_describe_machine(run, same_system) for run in (one, other))
    if was != now:
        gaps.append(f"another machine: {was} → {now}")
    old, new = one.tool_versions, other.tool_versions
    # A tool that only one of them names took no part in the other's numbers: a counter, or another format's runtime.
    tools = [f"{name} {old[name]} → {new[name]}" for name in sorted(old.keys() & new.keys()) if old[name] != new[name]]
    if tools:
        gaps.append("other tool versions: " + ", ".join(tools))
    if one.schedule != other.schedule:
        a, b = one.schedule.model_dump(), other.schedule.model_dump()
        gaps.append("another schedule: " + ", ".join(f"{k} {a[k]} → {b[k]}" for k in a if a[k] != b[k]))
    return gaps


def _describe_machine(run: BenchRun, system: bool) -> str:
    machine = run.machine
    words = f"{machine.name}, {machine.abi}"
    return f"{words}, cores: {machine.cores}, {machine.system}" if system else words


def explain_too_little(old: Sequence[MeasuredRun], new: Sequence[MeasuredRun]) -> str | None:
    """Name a run that has fewer samples than a decision takes, or return None."""
    for side, name in ((old, "baseline"), (new, "current")):
        short = [pair for pair in side if not is_full(pair)]
        if short and len(short) == len(side):
            run, m = short[-1]
            counts = f"{len(m.samples)} processes, {len(m.seconds)} inferences, {sum(m.seconds):.1f} s"
            least = f"{FULL.processes}, {FULL.runs} and {FULL.seconds:g} s"
            return f"too few samples in the {name}'s run {run.run_id}: {counts}; at least {least}"
    return None


def is_full(pair: MeasuredRun) -> bool:
    """Tell whether a run measured enough of the artifact to decide anything about its latency."""
    run, m = pair
    # A process stops when the sum passes its share; the share of 10 s may be rounded down by a clock's tick.
    enough = len(m.seconds) >= FULL.runs and sum(m.seconds) >= 0.999 * FULL.seconds
    return not run.schedule.quick and enough and sum(bool(s.seconds) for s in m.samples) >= FULL.processes
