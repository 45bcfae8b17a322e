"""Decide whether an artifact became slower.

What goes into the test, and why. Inferences of one process follow one another on the same memory pages, on the same
core, beside the same neighbours: they are not independent draws, and a U test of a thousand of them is "significant"
for two runs of the same file. A process's median is one draw; the U test gets those, ten or more a run. Processes of
one run share the machine's state of that minute, which the U test cannot know; so the A/A noise is measured between
*runs* of the same file (the baseline has several), and a slow-down must be larger than that noise, in two runs.

A current run shows a slow-down when all four hold, on the log scale, against all runs of the baseline:

1. Mann–Whitney U on the processes' medians: two-sided p < ``alpha``, and the current ones are slower.
2. The median moved by more than the A/A noise: the ``noise_level`` prediction bound of one more run of the same file,
   t(ν) · s · √(1 + 1/k) with s the standard deviation between runs of a file, ν its degrees of freedom, k the
   baseline's runs (Hahn & Meeker, Statistical Intervals, 1991, section 4.7).
3. A move of ``slow_down`` or more cannot be ruled out: the move's upper ``bound_level`` bound reaches it. A limit on
   the point estimate would miss every second slow-down of exactly that size, however many runs there are.
4. The fastest inferences slowed down too, at least half as much. A slower file is slower in every inference; a busy
   machine leaves some alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from imageqx_export.report.said import share
from imageqx_export.report.verdicts import Rules, Verdict

_FLOOR = 0.1  # of a process's inferences, the fastest tenth
_FLOOR_PROCESSES = 0.25  # of the processes, the fastest quarter


@dataclass(frozen=True)
class RunTimes:
    """Hold what one run says of one artifact's latency.

    Attributes:
        medians: Each process's median, seconds.
        floors: Each process's 10 % quantile, seconds.
    """

    medians: tuple[float, ...]
    floors: tuple[float, ...]

    @staticmethod
    def of(processes: Sequence[Sequence[float]]) -> RunTimes:
        """Summarise the timed inferences of each process, seconds > 0."""
        return RunTimes(
            tuple(float(np.median(seconds)) for seconds in processes),
            tuple(float(np.quantile(seconds, _FLOOR)) for seconds in processes),
        )

    @property
    def median(self) -> float:
        """The median of the processes' medians, seconds."""
        return float(np.median(self.medians))

    @property
    def floor(self) -> float:
        """What the fastest tenth of the inferences take, in the fastest quarter of the processes, seconds."""
        return float(np.quantile(self.floors, _FLOOR_PROCESSES))


@dataclass(frozen=True)
class Noise:
    """Hold by how much runs of the same file differ.

    Attributes:
        deviation: Standard deviation of a run's log median.
        freedom: Degrees of freedom that it rests on.
    """

    deviation: float
    freedom: int

    def bound(self, level: float, runs: int) -> float:
        """Return how far one more run may lie from the mean of ``runs`` others, one-sided, on the log scale."""
        return _t(level, self.freedom) * self.deviation * math.sqrt(1 + 1 / runs)


@lru_cache(maxsize=256)
def _t(level: float, freedom: int) -> float:
    from scipy.stats import t

    return float(t.ppf(level, freedom))


@dataclass(frozen=True)
class Move:
    """Hold how one current run compares with the baseline.

    Attributes:
        change: Of the median: current / baseline − 1.
        floor: Of the fastest inferences, likewise.
        p: Of the U test, two-sided.
        shows: 1 a slow-down, −1 a speed-up, 0 neither.
        disturbed: Whether only the fastest inferences speak against a slow-down.
    """

    change: float
    floor: float
    p: float
    shows: int
    disturbed: bool


@dataclass(frozen=True)
class Judgement:
    """Hold what came out, and why.

    Attributes:
        verdict: Never "ok": latency has no budget.
        reason: In words, with the numbers.
        before: The baseline's median, seconds.
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

    It is the standard deviation between runs, pooled over the groups; or, where that is larger, what the processes
    alone let one expect: few runs may lie near one another by luck.

    Args:
        groups: Runs of the same file, on the same machine, with the same tools.

    Returns:
        None where no group has two runs.
    """
    logs = [np.log([run.median for run in group]) for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in logs)
    if freedom == 0:
        return None
    between = sum(float(((group - group.mean()) ** 2).sum()) for group in logs) / freedom
    runs = [run for group in groups for run in group]
    # The variance of a median of n is π/2 times that of a mean.
    within = [math.pi / 2 * np.var(np.log(r.medians), ddof=1) / len(r.medians) for r in runs if len(r.medians) > 1]
    return Noise(math.sqrt(max(between, float(np.mean(within)) if within else 0.0)), freedom)


def judge(
    baseline: Sequence[RunTimes], current: Sequence[RunTimes], rules: Rules, others: Sequence[Sequence[RunTimes]] = ()
) -> Judgement | None:
    """Compare runs of a file with the baseline's runs.

    Args:
        baseline: Runs of the baseline's file, each with two processes or more.
        current: Runs of the current file, likewise, on the same machine with the same tools.
        rules: The limits.
        others: Groups of runs of one file each, from the history: they too measure the noise. Runs of the baseline's
            file go into a group together with ``baseline``, and that group stands in its place.

    Returns:
        None where the baseline has fewer runs than the A/A noise takes, or nothing current is there.
    """
    groups = [current, *(others or [baseline])]
    noise = measure_noise(groups)
    if noise is None or not current or sum(map(len, groups[1:])) < rules.baseline_runs:
        return None
    spread, bound = (noise.bound(level, len(baseline)) for level in (rules.noise_level, rules.bound_level))
    threshold = max(math.log1p(rules.slow_down) - bound, spread)
    moves = tuple(_move(baseline, run, threshold, rules) for run in current)
    blind = spread + bound > math.log1p(rules.seen)
    verdict, why = _verdict(moves, blind, rules)
    before = math.exp(float(np.mean(np.log([run.median for run in baseline]))))
    after = math.exp(float(np.mean(np.log([run.median for run in current]))))
    limits = f"a run shows a change from ±{share(math.expm1(threshold))} on; A/A noise {share(math.expm1(spread))}"
    return Judgement(
        verdict, f"{why}; {limits}", before, after, math.expm1(spread), math.expm1(threshold), moves
    )  # fmt: skip


def _move(baseline: Sequence[RunTimes], run: RunTimes, threshold: float, rules: Rules) -> Move:
    from scipy.stats import mannwhitneyu

    medians = [value for other in baseline for value in other.medians]
    change = math.log(run.median) - float(np.mean(np.log([other.median for other in baseline])))
    # Twice the one-sided p is the two-sided one, but for the way that it points.
    side = "greater" if change > 0 else "less"
    p = min(1.0, 2 * float(mannwhitneyu(run.medians, medians, alternative=side).pvalue))
    floor = math.log(run.floor) - float(np.mean(np.log([other.floor for other in baseline])))
    moved = p < rules.alpha and abs(change) > threshold
    agrees = floor / change >= 0.5 if change else False
    shows = int(math.copysign(1, change)) if moved and agrees else 0
    return Move(math.expm1(change), math.expm1(floor), p, shows, moved and change > 0 and not agrees)


def _verdict(moves: Sequence[Move], blind: bool, rules: Rules) -> tuple[Verdict, str]:
    slower, faster = (sum(move.shows == sign for move in moves) for sign in (1, -1))
    changes = ", ".join(f"{share(move.change, sign=True)} (p {move.p:.1g})" for move in moves)
    runs = f"{len(moves)} {'run' if len(moves) == 1 else 'runs'}"

    def repeated(count: int) -> bool:
        return count >= rules.repeats and 2 * count > len(moves)

    if repeated(slower):
        return Verdict.REGRESSION, f"slower in {slower} of {runs}: {changes}"
    refuted = len(moves) > rules.repeats and 2 * slower < len(moves)
    if slower and not refuted:
        return Verdict.SUSPICIOUS, f"slower in {slower} of {runs}: {changes}; measure again"
    if any(move.disturbed for move in moves):
        floors = ", ".join(share(move.floor, sign=True) for move in moves)
        return Verdict.SUSPICIOUS, f"{changes}, but the fastest inferences {floors}: the machine was busy"
    if blind:
        return Verdict.INSUFFICIENT, f"{changes}; a slow-down of {share(rules.seen, digits=0)} could hide in the noise"
    if repeated(faster):
        return Verdict.IMPROVED, f"faster in {faster} of {runs}: {changes}"
    return Verdict.NO_CHANGE, changes + ("; the other runs do not repeat it" if slower else "")
