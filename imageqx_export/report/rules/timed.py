"""Bring the runs of two sides to the rule about latency, and write down what it says."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from imageqx_export.bench.model import BenchRun
from imageqx_export.report.rules.comparable import Found, full, incomparable, like, missing, too_little
from imageqx_export.report.rules.latency import Judgement, RunTimes, judge
from imageqx_export.report.rules.phrasing import Say, share
from imageqx_export.report.rules.verdicts import Decision, Quantity, Rules, Verdict


def decide_latency(
    artifact: str,
    target: str,
    before: Sequence[Found],
    after: Sequence[Found],
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
    say = Say(artifact, target, Quantity.LATENCY, "s", _median(old), _median(new))
    if gap := missing(old, new, before, after, "times"):
        return say(*gap)
    if problem := incomparable(old, new, same_system=True) or too_little(old, new):
        return say(Verdict.INSUFFICIENT, problem)
    model = new[-1][0]
    baseline, current = _one_file(like(old, model)), _one_file(like(new, model))
    if not baseline or not current:
        return say(Verdict.INSUFFICIENT, "no run of this machine, these tools and this schedule has enough samples")
    result = judge(_times(baseline), _times(current), rules, _repeats(artifact, target, baseline, current, history))
    if result is None:
        return say(Verdict.INSUFFICIENT, _too_few(_times(baseline), _times(current), rules))
    same = baseline[-1][1].sha256 == current[-1][1].sha256 and result.verdict is not Verdict.NO_CHANGE
    left = len(new) - len(current)
    _fill(say, result, len(baseline), len(current))
    return say(
        result.verdict,
        result.reason
        + ("; the files are the same to the byte" if same else "")
        + (f"; {left} current runs of other files or circumstances left out" if left else ""),
    )


def _too_few(baseline: Sequence[RunTimes], current: Sequence[RunTimes], rules: Rules) -> str:
    calm = sum(run.unrest <= rules.unrest for run in baseline)
    if current and not any(run.unrest <= rules.unrest for run in current):
        rest = ", ".join(share(run.unrest) for run in current)
        return (
            f"the machine was busy: the faster quarter of the processes differ by {rest}; at most {share(rules.unrest)}"
        )
    known = f"the baseline has {len(baseline)} {'run' if len(baseline) == 1 else 'runs'} to compare with"
    busy = f", {calm} of a calm machine" if calm < len(baseline) else ""
    return f"{known}{busy}; at least {rules.baseline_runs} are needed to measure the A/A noise"


def _fill(say: Say, result: Judgement, baseline: int, current: int) -> None:
    say.before, say.after = result.before, result.after
    say.numbers.update(noise=result.noise, threshold=result.threshold)
    say.numbers.update(baseline_runs=float(baseline), current_runs=float(current))
    for index, move in enumerate(result.moves, 1):
        say.numbers.update({f"change_{index}": move.change, f"p_{index}": move.p})


def _one_file(side: Sequence[Found]) -> list[Found]:
    """Return the full runs of the file that ran last."""
    enough = [pair for pair in side if full(pair)]
    return [pair for pair in enough if pair[1].sha256 == enough[-1][1].sha256]


def _repeats(
    artifact: str, target: str, baseline: Sequence[Found], current: Sequence[Found], history: Sequence[BenchRun]
) -> list[list[RunTimes]]:
    """Return runs of one file each, the baseline's own among them: repeated measurements of the same thing."""
    known = {run.run_id for run, _ in current}
    groups: dict[str, dict[str, Found]] = {baseline[-1][1].sha256: {run.run_id: (run, m) for run, m in baseline}}
    for run in history:
        for m in run.measurements:
            if (m.artifact, run.target) == (artifact, target) and run.run_id not in known:
                groups.setdefault(m.sha256, {}).setdefault(run.run_id, (run, m))
    alike = (like([p for p in group.values() if full(p)], current[-1][0]) for group in groups.values())
    return [_times(group) for group in alike if group]


def _times(side: Sequence[Found]) -> list[RunTimes]:
    return [RunTimes.of([sample.seconds for sample in m.samples if sample.seconds]) for _, m in side]


def _median(side: Sequence[Found]) -> float | None:
    return statistics.median(run.time for run in _times(side)) if side else None
