"""The rule about latency: against printed tables and hand calculation, and on noise that is made here."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imageqx_export.report.rules.latency import Noise, RunTimes, assess_latency, measure_noise
from imageqx_export.report.rules.verdicts import Rules, Verdict

RULES = Rules()
RANK = {
    Verdict.IMPROVED: 0,
    Verdict.NO_CHANGE: 1,
    Verdict.SUSPICIOUS: 2,
    Verdict.INSUFFICIENT: 2,
    Verdict.REGRESSION: 3,
}


def flat(*medians: float) -> RunTimes:
    """Return a run whose processes had these medians."""
    return RunTimes(tuple(float(m) for m in medians))


def runs(seed: int, count: int, slow: float = 1.0, run: float = 0.003, process: float = 0.008) -> list[RunTimes]:
    rng = np.random.default_rng(seed)
    centres = 0.02 * slow * np.exp(rng.normal(0, run, count))
    return [flat(*(centre * np.exp(rng.normal(0, process, 10)))) for centre in centres]


def verdict(baseline: list[RunTimes], current: list[RunTimes], rules: Rules = RULES) -> Verdict:
    found = assess_latency(baseline, current, rules)
    assert found is not None
    return found.verdict


def test_a_run_is_its_processes_medians_of_which_the_lower_quartile_counts() -> None:
    times = RunTimes.of([[3.0, 1.0, 2.0], [5.0, 5.0, 5.0], [9.0, 7.0, 8.0], [4.0], [2.5]])
    assert times.medians == (2.0, 5.0, 8.0, 4.0, 2.5)
    assert times.time == 2.5
    assert times.unrest == pytest.approx(0.25)
    assert flat(1.0, 1.0, 1.0, 9.0).time == 1.0  # three of four processes agree; the fourth was disturbed


def test_the_u_test_is_the_one_of_the_textbook() -> None:
    """Hollander & Wolfe 1973, page 69, as in R's ?wilcox.test: W = 35, one-sided p = 0.1272."""
    month = (0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46)
    term, restless = flat(1.15, 0.88, 0.90, 0.74, 1.21), Rules(unrest=1.0)
    found = assess_latency([term, term, term], [flat(*month)], restless)
    assert found is not None
    alone = assess_latency([term], [flat(*month)], restless, [[term, term, term]])
    assert alone is not None
    assert alone.moves[0].p == pytest.approx(2 * 0.1272, abs=1e-4)
    assert alone.moves[0].change == pytest.approx(np.quantile(month, 0.25) / 0.88 - 1)
    assert found.moves[0].p < alone.moves[0].p  # the same numbers three times over: more of them, so more certain


def test_the_noise_is_the_prediction_bound_of_one_more_run() -> None:
    """Three runs at −1 %, 0, +1 % (log): s = 0.01; t(0.95; 2) = 2.920 and t(0.99; 2) = 6.965 in any printed table."""
    noise = measure_noise([[flat(math.exp(x)) for x in (-0.01, 0.0, 0.01)]])
    assert noise is not None
    assert noise.freedom == 2
    assert noise.deviation == pytest.approx(0.01)
    wider = math.sqrt(1 + math.pi / 6)  # the median of three, by its large-sample variance
    assert noise.bound(0.95, 3) == pytest.approx(2.920 * 0.01 * wider, rel=1e-3)
    assert noise.bound(0.99, 3) == pytest.approx(6.965 * 0.01 * wider, rel=1e-3)


def test_the_threshold_is_the_noise_or_what_it_leaves_of_five_percent() -> None:
    """By hand, with noise n on the log scale: max(log 1.05 − n, n), and log 1.05 or n without the margin."""
    for run, margin in ((0.002, 1.0), (0.002, 0.0), (0.03, 1.0), (0.03, 0.0)):
        found = assess_latency(runs(0, 9, run=run), runs(1, 2, run=run), Rules(margin=margin))
        assert found is not None
        n, limit = math.log1p(found.noise), math.log(1.05)
        assert math.log1p(found.threshold) == pytest.approx(max(limit - margin * n, n))


def test_groups_of_one_file_each_are_pooled_around_their_own_means() -> None:
    pairs = [[flat(math.exp(x), math.exp(x)) for x in xs] for xs in ((0.0, 0.02), (1.0, 1.04), (5.0,))]
    noise = measure_noise(pairs)
    assert noise is not None
    assert noise.freedom == 2
    assert noise.deviation == pytest.approx(math.sqrt((2 * 0.01**2 + 2 * 0.02**2) / 2))


def test_one_run_alone_measures_no_noise() -> None:
    assert measure_noise([[flat(1.0, 1.1)]]) is None
    assert assess_latency(runs(0, 2), runs(1, 2), RULES) is None
    assert assess_latency(runs(0, 3), runs(1, 2), RULES) is not None
    assert assess_latency(runs(0, 5), [], RULES) is None


def test_what_comes_out() -> None:
    baseline = runs(0, 40)
    assert verdict(baseline, runs(1, 2)) is Verdict.NO_CHANGE
    assert verdict(baseline, runs(1, 2, slow=1.10)) is Verdict.REGRESSION
    assert verdict(baseline, runs(1, 2, slow=0.90)) is Verdict.IMPROVED
    assert verdict(baseline, runs(1, 1, slow=1.10)) is Verdict.SUSPICIOUS
    assert verdict(baseline, [*runs(1, 1, slow=1.10), *runs(2, 1)]) is Verdict.SUSPICIOUS
    assert verdict(baseline, [*runs(1, 2, slow=1.10), *runs(2, 2)]) is Verdict.SUSPICIOUS
    assert verdict(baseline, [*runs(1, 2, slow=1.10), *runs(2, 1)]) is Verdict.REGRESSION
    assert verdict(baseline, runs(1, 2, slow=1.02)) is Verdict.NO_CHANGE  # real, significant, and less than counts


def test_a_noisy_machine_decides_nothing_rather_than_passing() -> None:
    found = assess_latency(runs(0, 5, run=0.08), runs(1, 2, run=0.08), RULES)
    assert found is not None
    assert found.verdict is Verdict.INSUFFICIENT
    assert "could hide in the noise" in found.reason
    assert found.noise > 0.05


def busy(group: list[RunTimes]) -> list[RunTimes]:
    """Make every process take 40 to 130 % more, each another share: somebody else was running."""
    factors = np.linspace(1.4, 2.3, 10)
    return [flat(*(m * f for m, f in zip(run.medians, factors, strict=True))) for run in group]


def test_a_busy_machine_says_nothing() -> None:
    baseline, current = runs(0, 9), runs(1, 2)
    assert assess_latency(baseline, busy(current), RULES) is None
    assert assess_latency(busy(baseline), current, RULES) is None
    assert assess_latency(baseline, busy(runs(1, 2, slow=0.5)), RULES) is None
    alike = [flat(*(1.4 * m for m in run.medians)) for run in current]
    assert verdict(baseline, alike) is Verdict.REGRESSION


def test_busy_runs_are_left_out() -> None:
    mixed = assess_latency([*runs(0, 8), *busy(runs(3, 4))], [*runs(1, 1, slow=1.1), *busy(runs(2, 1))], RULES)
    alone = assess_latency(runs(0, 8), runs(1, 1, slow=1.1), RULES)
    assert mixed is not None
    assert alone is not None
    assert (mixed.verdict, mixed.noise, mixed.moves) == (alone.verdict, alone.noise, alone.moves)
    assert mixed.verdict is Verdict.SUSPICIOUS
    assert "1 of 2 runs left out, as the machine was busy" in mixed.reason


def test_half_of_the_processes_may_be_disturbed() -> None:
    def some(group: list[RunTimes]) -> list[RunTimes]:
        return [flat(*(m * (1.5 if k % 2 else 1.0) for k, m in enumerate(r.medians))) for r in group]

    assert verdict(runs(0, 9), some(runs(1, 2))) is Verdict.NO_CHANGE
    assert verdict(some(runs(0, 9)), some(runs(1, 2))) is Verdict.NO_CHANGE
    assert verdict(runs(0, 9), some(runs(1, 2, slow=1.1))) is Verdict.REGRESSION


def test_an_insignificant_move_is_none() -> None:
    """Of few processes of all sizes the quartile moved by a third, and U says that it may be chance."""
    baseline = [flat(1.0, 1.0, 1.5, 2.0, 2.0)] * 3
    found = assess_latency(baseline, [flat(1.3, 1.33, 1.4, 1.5, 1.6)] * 2, RULES)
    assert found is not None
    assert all(move.shows == 0 and move.p > 0.01 and move.change > found.threshold for move in found.moves)


def test_other_runs_of_the_history_widen_the_noise() -> None:
    baseline, current = runs(0, 5), runs(1, 2, slow=1.06)
    calm = assess_latency(baseline, current, RULES)
    rough = assess_latency(baseline, current, RULES, [baseline, runs(7, 9, slow=2.0, run=0.10)])
    assert calm is not None
    assert rough is not None
    assert calm.verdict is Verdict.REGRESSION
    assert rough.noise > calm.noise
    assert rough.verdict is not Verdict.REGRESSION


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    noise=st.sampled_from([0.002, 0.01, 0.03]),
    start=st.floats(0.8, 1.2),
    factors=st.lists(st.floats(1.0, 1.3), min_size=2, max_size=4),
)
def test_slower_is_never_judged_better(seed: int, noise: float, start: float, factors: list[float]) -> None:
    baseline, current = runs(seed, 4, run=noise), runs(seed + 1, 2, slow=start, run=noise)
    ranks = []
    for factor in np.cumprod([1.0, *factors]):
        slower = [flat(*(factor * m for m in r.medians)) for r in current]
        ranks.append(RANK[verdict(baseline, slower)])
    assert ranks == sorted(ranks)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(1e-6, 1e3))
def test_the_unit_does_not_matter(seed: int, scale: float) -> None:
    def scaled(group: list[RunTimes]) -> list[RunTimes]:
        return [flat(*(scale * m for m in r.medians)) for r in group]

    baseline, current = runs(seed, 4), runs(seed + 1, 2, slow=1.06)
    one, other = assess_latency(baseline, current, RULES), assess_latency(scaled(baseline), scaled(current), RULES)
    assert one is not None
    assert other is not None
    assert other.threshold == pytest.approx(one.threshold)
    assert [m.change for m in other.moves] == pytest.approx([m.change for m in one.moves])


def test_the_rates_on_gaussian_noise() -> None:
    """A smaller sibling of benchmarks/bench_decisions.py, on noise that is known: 0.3 % between runs, 0.8 % within."""

    def rates(slow: float) -> Counter[Verdict]:
        return Counter(verdict(runs(2 * k, 8), runs(2 * k + 1, 2, slow=slow)) for k in range(80))

    assert rates(1.0)[Verdict.REGRESSION] == 0
    assert rates(1.05)[Verdict.REGRESSION] >= 0.8 * 80
    assert rates(1.10)[Verdict.REGRESSION] >= 0.95 * 80


def test_a_limit_on_the_point_estimate_would_miss_half() -> None:
    """Why the rule asks whether 5 % can be ruled out: with no margin every second run at 5 % shows nothing."""
    literal = Rules(margin=0.0)
    caught = Counter(verdict(runs(2 * k, 8), runs(2 * k + 1, 2, slow=1.05), literal) for k in range(80))
    assert caught[Verdict.REGRESSION] < 0.5 * 80


def test_noise_is_a_value() -> None:
    assert Noise(0.01, 4) == Noise(0.01, 4)
    assert Noise(0.01, 4).bound(0.99, 5) > Noise(0.01, 9).bound(0.99, 5) > Noise(0.005, 9).bound(0.99, 5)
