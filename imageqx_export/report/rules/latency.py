"""Decide whether an artifact became slower.

What goes into the test, and why. Inferences of one process follow one another on the same memory pages, on the same
core, beside the same neighbours: they are no independent draws, and a U test of a thousand of them tells two runs of
the same file apart more often than not. A process's median is one draw; the U test gets those, ten or more a run.
Processes of one run share the machine's state of those minutes, which the U test cannot know: so the A/A noise is
measured between *runs* of the same file, of which the baseline has several.

A run's time is the lower quartile of its processes' medians. Other programs, a hot processor or an unlucky layout of
memory make some processes slower and none faster, so that this moves far less between runs than their middle does.

A run whose faster quarter of processes do not agree within ``unrest`` was made on a busy machine, and says nothing: it
is left out, of the baseline too. A current run shows a slow-down when all three hold, on the log scale:

1. Mann–Whitney U on the processes' medians, against all processes of the baseline: two-sided p < ``alpha``.
2. Its time moved by more than the A/A noise. That is the ``level`` prediction bound of one more run of the same file,
   t(ν) · s · √(1 + π/2k), with s the standard deviation between runs of a file, ν its degrees of freedom, and k the
   baseline's runs, of whose times the median is taken (Hahn & Meeker, Statistical Intervals, 1991, section 4.7).
3. A move of ``slow_down`` cannot be ruled out: it lies within the noise of the move, or below it. A limit on the point
   estimate would miss every second slow-down of exactly that size, however many runs there are.

A slow-down is a regression when two runs show it, and most of the current ones. Where the noise is so large that a
slow-down of ``seen`` could hide in it, "no change" is not said. How often all this is wrong on the noise of real runs:
``benchmarks/bench_decisions.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from imageqx_export.report.rules.phrasing import format_share
from imageqx_export.report.rules.verdicts import Rules, Verdict

_QUARTILE = 0.25


@dataclass(frozen=True)
class RunTimes:
    """The times of one artifact in one run.

    Attributes:
        medians: Each process's median, seconds > 0.
    """

    medians: tuple[float, ...]

    @staticmethod
    def of(processes: Sequence[Sequence[float]]) -> RunTimes:
        """Summarise the timed inferences of each process, seconds > 0."""
        return RunTimes(tuple(float(np.median(seconds)) for seconds in processes))

    @property
    def time(self) -> float:
        """The lower quartile of the processes' medians, seconds."""
        return float(np.quantile(self.medians, _QUARTILE))

    @property
    def unrest(self) -> float:
        """By how much the lower quartile is above the fastest process, relative."""
        return self.time / min(self.medians) - 1


@dataclass(frozen=True)
class Noise:
    """The noise between runs of the same file.

    Attributes:
        deviation: Standard deviation of a run's log time.
        freedom: Degrees of freedom that it rests on.
    """

    deviation: float
    freedom: int

    def bound(self, level: float, runs: int) -> float:
        """Return how far one more run may lie from the median of ``runs`` others, one-sided, on the log scale."""
        return _compute_t_quantile(level, self.freedom) * self.deviation * math.sqrt(1 + math.pi / 2 / runs)


@lru_cache(maxsize=256)
def _compute_t_quantile(level: float, freedom: int) -> float:
    from scipy.stats import t

    return float(t.ppf(level, freedom))


@dataclass(frozen=True)
class Move:
    """The move of one current run against the baseline.

    Attributes:
        change: Of the time: current / baseline − 1.
        p: Of the U test, two-sided.
        shows: 1 a slow-down, −1 a speed-up, 0 neither.
    """

    change: float
    p: float
    shows: int


@dataclass(frozen=True)
class Assessment:
    """The outcome of the test, and why.

    Attributes:
        verdict: Never "ok": latency has no budget.
        reason: In words, with the numbers.
        before: The baseline's time, seconds.
        after: The current one, seconds.
        noise: The A/A noise as a relative change.
        threshold: The relative change from which a run shows a slow-down.
        moves: One a current run.
    """

    verdict: Verdict
    reason: str
    before: float
    after: float
    noise: float
    threshold: float
    moves: tuple[Move, ...]


def measure_noise(groups: Sequence[Sequence[RunTimes]]) -> Noise | None:
    """Measure how much runs of the same file differ.

    It is the standard deviation between runs, pooled over the groups.

    Args:
        groups: Runs of the same file, on the same machine, with the same tools.

    Returns:
        None where no group has two runs.
    """
    logs = [np.log([run.time for run in group]) for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in logs)
    if freedom == 0:
        return None
    return Noise(math.sqrt(sum(float(((group - group.mean()) ** 2).sum()) for group in logs) / freedom), freedom)


def assess_latency(
    baseline: Sequence[RunTimes], current: Sequence[RunTimes], rules: Rules, others: Sequence[Sequence[RunTimes]] = ()
) -> Assessment | None:
    """Compare runs of a file with the baseline's runs.

    Args:
        baseline: Runs of the baseline's file, each with two processes or more.
        current: Runs of the current file, likewise, on the same machine with the same tools.
        rules: The limits.
        others: Groups of runs of one file each, from the history: they too measure the noise. Runs of the baseline's
            file go into a group together with ``baseline``, and that group stands in its place.

    Returns:
        None where the baseline has fewer calm runs than the A/A noise takes, or no current run was calm.
    """
    groups = [_select_calm(group, rules) for group in (current, *(others or [baseline]))]
    noise = measure_noise(groups)
    baseline, count = _select_calm(baseline, rules), len(current)
    current = groups[0]
    if noise is None or not (baseline and current) or sum(map(len, groups[1:])) < rules.baseline_runs:
        return None
    bound = noise.bound(rules.level, len(baseline))
    threshold = max(math.log1p(rules.slow_down) - rules.margin * bound, bound)
    moves = tuple(_measure_move(baseline, run, threshold, rules) for run in current)
    blind = threshold + bound > math.log1p(rules.seen)
    verdict, why = _decide(moves, blind, rules)
    shown, hidden = (format_share(math.expm1(value)) for value in (threshold, bound))
    limits = f"a run shows a change from ±{shown} on; A/A noise {hidden}"
    busy = f"; {count - len(current)} of {count} runs left out, as the machine was busy" if len(current) < count else ""
    return Assessment(
        verdict=verdict,
        reason=f"{why}; {limits}{busy}",
        before=_take_median(baseline),
        after=_take_median(current),
        noise=math.expm1(bound),
        threshold=math.expm1(threshold),
        moves=moves,
    )


def _select_calm(runs: Sequence[RunTimes], rules: Rules) -> list[RunTimes]:
    return [run for run in runs if run.unrest <= rules.unrest]


def _take_median(runs: Sequence[RunTimes]) -> float:
    """Return the median of the runs' times: of the log times, so that the unit does not matter."""
    return math.exp(float(np.median(np.log([run.time for run in runs]))))


def _measure_move(baseline: Sequence[RunTimes], run: RunTimes, threshold: float, rules: Rules) -> Move:
    from scipy.stats import mannwhitneyu

    medians = [value for other in baseline for value in other.medians]
    change = math.log(run.time / _take_median(baseline))
    # Twice the one-sided p is the two-sided one, but for the way that it points.
    side = "greater" if change > 0 else "less"
    p = min(1.0, 2 * float(mannwhitneyu(run.medians, medians, alternative=side).pvalue))
    moved = p < rules.alpha and abs(change) > threshold
    return Move(math.expm1(change), p, int(math.copysign(1, change)) if moved else 0)


def _decide(moves: Sequence[Move], blind: bool, rules: Rules) -> tuple[Verdict, str]:
    slower, faster = (sum(move.shows == sign for move in moves) for sign in (1, -1))
    changes = ", ".join(f"{format_share(move.change, sign=True)} (p {move.p:.1g})" for move in moves)
    runs = f"{len(moves)} {'run' if len(moves) == 1 else 'runs'}"

    def repeats(count: int) -> bool:
        return count >= rules.repeats and 2 * count > len(moves)

    if repeats(slower):
        return Verdict.REGRESSION, f"slower in {slower} of {runs}: {changes}"
    if slower:
        rest = "measure again" if len(moves) < rules.repeats else "the others do not repeat it"
        return Verdict.SUSPICIOUS, f"slower in {slower} of {runs}: {changes}; {rest}"
    if blind:
        return (
            Verdict.INSUFFICIENT,
            f"{changes}; a slow-down of {format_share(rules.seen, digits=0)} could hide in the noise",
        )
    if repeats(faster):
        return Verdict.IMPROVED, f"faster in {faster} of {runs}: {changes}"
    return Verdict.NO_CHANGE, changes
