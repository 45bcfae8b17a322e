"""Bring the runs of two sides to the rule about latency, and write down what it says."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from imageqx_export.bench.model import BenchRun
from imageqx_export.report.rules.comparable import (
    MeasuredRun,
    explain_incomparable,
    explain_missing,
    explain_too_little,
    is_full,
    select_like,
)
from imageqx_export.report.rules.latency import Assessment, RunTimes, assess_latency
from imageqx_export.report.rules.phrasing import Draft, format_share
from imageqx_export.report.rules.verdicts import Decision, Quantity, Rules, Verdict


def decide_latency(
    artifact: str,
    target: str,
    before: Sequence[MeasuredRun],
    after: Sequence[MeasuredRun],
    rules: Rules,
    history: Sequence[BenchRun] = (),
) -> Decision:
    """Compare the latency of one artifact on one target.

    Args:
        artifact: The file's name.
        target: Such as ``"host"``.
        before: The baseline's runs that have it, the oldest first.
        after: The current ones.
        rules: The limits.
        history: Other runs, for the A/A noise.
    """
    old, new = ([pair for pair in side if pair[1].seconds] for side in (before, after))
    draft = Draft(artifact, target, Quantity.LATENCY, "s", _take_median(old), _take_median(new))
    if gap := explain_missing(old, new, before, after, "times"):
        return draft.decide(*gap)
    if problem := explain_incomparable(old, new, same_system=True) or explain_too_little(old, new):
        return draft.decide(Verdict.INSUFFICIENT, problem)
    model = new[-1][0]
    baseline, current = _select_newest_file(select_like(old, model)), _select_newest_file(select_like(new, model))
    if not baseline or not current:
        return draft.decide(
            Verdict.INSUFFICIENT, "no run of this machine, these tools and this schedule has enough samples"
        )
    result = assess_latency(
        _read_times(baseline), _read_times(current), rules, _group_repeats(artifact, target, baseline, current, history)
    )
    if result is None:
        return draft.decide(Verdict.INSUFFICIENT, _explain_too_few(_read_times(baseline), _read_times(current), rules))
    same = baseline[-1][1].sha256 == current[-1][1].sha256 and result.verdict is not Verdict.NO_CHANGE
    left = len(new) - len(current)
    _fill(draft, result, len(baseline), len(current))
    return draft.decide(
        result.verdict,
        result.reason
        + ("; the files are the same to the byte" if same else "")
        + (f"; {left} current runs of other files or circumstances left out" if left else ""),
    )


def _explain_too_few(baseline: Sequence[RunTimes], current: Sequence[RunTimes], rules: Rules) -> str:
    calm = sum(run.unrest <= rules.unrest for run in baseline)
    if current and not any(run.unrest <= rules.unrest for run in current):
        rest = ", ".join(format_share(run.unrest) for run in current)
        limit = format_share(rules.unrest)
        return f"the machine was busy: the faster quarter of the processes differ by {rest}; at most {limit}"
    known = f"the baseline has {len(baseline)} {'run' if len(baseline) == 1 else 'runs'} to compare with"
    busy = f", {calm} of a calm machine" if calm < len(baseline) else ""
    return f"{known}{busy}; at least {rules.baseline_runs} are needed to measure the A/A noise"


def _fill(draft: Draft, result: Assessment, baseline: int, current: int) -> None:
    draft.before, draft.after = result.before, result.after
    draft.numbers.update(noise=result.noise, threshold=result.threshold)
    draft.numbers.update(baseline_runs=float(baseline), current_runs=float(current))
    for index, move in enumerate(result.moves, 1):
        draft.numbers.update({f"change_{index}": move.change, f"p_{index}": move.p})


def _select_newest_file(side: Sequence[MeasuredRun]) -> list[MeasuredRun]:
    """Return the full runs of the file that ran last."""
    enough = [pair for pair in side if is_full(pair)]
    return [pair for pair in enough if pair[1].sha256 == enough[-1][1].sha256]


def _group_repeats(
    artifact: str,
    target: str,
    baseline: Sequence[MeasuredRun],
    current: Sequence[MeasuredRun],
    history: Sequence[BenchRun],
) -> list[list[RunTimes]]:
    """Return runs of one file each, the baseline's own among them: repeated measurements of the same thing."""
    known = {run.run_id for run, _ in current}
    groups: dict[str, dict[str, MeasuredRun]] = {baseline[-1][1].sha256: {run.run_id: (run, m) for run, m in baseline}}
    for run in history:
        for m in run.measurements:
            if (m.artifact, run.target) == (artifact, target) and run.run_id not in known:
                groups.setdefault(m.sha256, {}).setdefault(run.run_id, (run, m))
    alike = (select_like([p for p in group.values() if is_full(p)], current[-1][0]) for group in groups.values())
    return [_read_times(group) for group in alike if group]


def _read_times(side: Sequence[MeasuredRun]) -> list[RunTimes]:
    return [RunTimes.of([sample.seconds for sample in m.samples if sample.seconds]) for _, m in side]


def _take_median(side: Sequence[MeasuredRun]) -> float | None:
    return statistics.median(run.time for run in _read_times(side)) if side else None
