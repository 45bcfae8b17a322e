"""The rule about latency: against printed tables and hand calculation, and on noise that is made here."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imageqx_export.report.latency import Noise, RunTimes, judge, measure_noise
from imageqx_export.report.verdicts import Rules, Verdict

RULES = Rules()
RANK = {
    Verdict.IMPROVED: 0,
    Verdict.NO_CHANGE: 1,
    Verdict.SUSPICIOUS: 2,
    Verdict.INSUFFICIENT: 2,
    Verdict.REGRESSION: 3,
}


def flat(*medians: float) -> RunTimes:
    """Return a run whose processes had these medians, and floors 5 % below."""
    return RunTimes(tuple(medians), tuple(0.95 * m for m in medians))


def runs(seed: int, count: int, slow: float = 1.0, run: float = 0.003, process: float = 0.008) -> list[RunTimes]:
    rng = np.random.default_rng(seed)
    centres = 0.02 * slow * np.exp(rng.normal(0, run, count))
    return [flat(*(centre * np.exp(rng.normal(0, process, 10)))) for centre in centres]


def verdict(baseline: list[RunTimes], current: list[RunTimes], rules: Rules = RULES) -> Verdict:
    found = judge(baseline, current, rules)
    assert found is not None
    return found.verdict


def test_a_run_is_its_processes_medians_and_its_fastest_inferences() -> None:
    times = RunTimes.of([[3.0, 1.0, 2.0], [5.0, 5.0, 5.0], [9.0, 7.0, 8.0]])
    assert times.medians == (2.0, 5.0, 8.0)
    assert times.median == 5.0
    assert times.floors == pytest.approx((1.2, 5.0, 7.2))
    assert times.floor == pytest.approx(3.1)  # halfway between 1.2 and 5


def test_the_u_test_is_the_one_of_the_textbook() -> None:
    """Hollander & Wolfe 1973, page 69, as in R's ?wilcox.test: W = 35, one-sided p = 0.1272."""
    month = (0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46)
    term = flat(1.15, 0.88, 0.90, 0.74, 1.21)
    found = judge([term, term, term], [flat(*month)], RULES)
    assert found is not None
    alone = judge([term], [flat(*month)], RULES, [[term, term, term]])
    assert alone is not None
    assert alone.moves[0].p == pytest.approx(2 * 0.1272, abs=1e-4)
    assert alone.moves[0].change == pytest.approx(1.415 / 0.90 - 1)
    assert found.moves[0].p < alone.moves[0].p  # the same numbers three times over: more of them, so more certain


def test_the_noise_is_the_prediction_bound_of_one_more_run() -> None:
    """Three runs at −1 %, 0, +1 % (log): s = 0.01; t(0.99; 2) = 6.965 in any printed table."""
    noise = measure_noise([[flat(math.exp(x)) for x in (-0.01, 0.0, 0.01)]])
    assert noise is not None
    assert noise.freedom == 2
    assert noise.deviation == pytest.approx(0.01)
    assert noise.bound(0.99, 3) == pytest.approx(6.965 * 0.01 * math.sqrt(4 / 3), rel=1e-4)
    assert noise.bound(0.95, 3) == pytest.approx(2.920 * 0.01 * math.sqrt(4 / 3), rel=1e-3)


def test_groups_of_one_file_each_are_pooled_around_their_own_means() -> None:
    pairs = [[flat(math.exp(x), math.exp(x)) for x in xs] for xs in ((0.0, 0.02), (1.0, 1.04), (5.0,))]
    noise = measure_noise(pairs)
    assert noise is not None
    assert noise.freedom == 2
    assert noise.deviation == pytest.approx(math.sqrt((2 * 0.01**2 + 2 * 0.02**2) / 2))


def test_runs_that_agree_by_luck_do_not_hide_what_their_processes_say() -> None:
    lucky = [[flat(0.9, 1.0, 1.1), flat(0.9, 1.0, 1.1), flat(0.9, 1.0, 1.1)]]
    noise = measure_noise(lucky)
    assert noise is not None
    expected = math.sqrt(math.pi / 2 * np.var(np.log([0.9, 1.0, 1.1]), ddof=1) / 3)
    assert noise.deviation == pytest.approx(expected)


def test_one_run_alone_measures_no_noise() -> None:
    assert measure_noise([[flat(1.0, 1.1)]]) is None
    assert judge(runs(0, 2), runs(1, 2), RULES) is None
    assert judge(runs(0, 3), runs(1, 2), RULES) is not None
    assert judge(runs(0, 5), [], RULES) is None


def test_what_comes_out() -> None:
    baseline = runs(0, 40)
    assert verdict(baseline, runs(1, 2)) is Verdict.NO_CHANGE
    assert verdict(baseline, runs(1, 2, slow=1.10)) is Verdict.REGRESSION
    assert verdict(baseline, runs(1, 2, slow=0.90)) is Verdict.IMPROVED
    assert verdict(baseline, runs(1, 1, slow=1.10)) is Verdict.SUSPICIOUS
    assert verdict(baseline, [*runs(1, 1, slow=1.10), *runs(2, 1)]) is Verdict.SUSPICIOUS
    assert verdict(baseline, [*runs(1, 2, slow=1.10), *runs(2, 2)]) is Verdict.SUSPICIOUS
    assert verdict(baseline, [*runs(1, 2, slow=1.10), *runs(2, 1)]) is Verdict.REGRESSION
    assert verdict(baseline, [*runs(1, 1, slow=1.10), *runs(2, 2)]) is Verdict.NO_CHANGE  # most do not repeat it
    assert verdict(baseline, runs(1, 2, slow=1.02)) is Verdict.NO_CHANGE  # real, significant, and less than counts


def test_a_noisy_machine_decides_nothing_rather_than_passing() -> None:
    found = judge(runs(0, 5, run=0.08), runs(1, 2, run=0.08), RULES)
    assert found is not None
    assert found.verdict is Verdict.INSUFFICIENT
    assert "could hide in the noise" in found.reason
    assert found.noise > 0.10


def test_a_busy_machine_is_no_slow_down() -> None:
    """Most inferences take 30 % more, the fastest take what they took: somebody else was running."""
    busy = [RunTimes(tuple(1.3 * m for m in run.medians), run.floors) for run in runs(1, 2)]
    found = judge(runs(0, 5), busy, RULES)
    assert found is not None
    assert found.verdict is Verdict.SUSPICIOUS
    assert "the machine was busy" in found.reason
    slower = [RunTimes(run.medians, tuple(1.3 * f for f in run.floors)) for run in busy]
    assert verdict(runs(0, 5), slower) is Verdict.REGRESSION


def test_an_insignificant_move_is_none() -> None:
    """Two processes a run of all sizes: the median moved by half, and U says that it may be chance."""
    baseline = [flat(0.5, 1.0, 1.5, 1.0, 1.0), flat(0.6, 1.0, 1.4, 1.0, 1.0), flat(0.5, 1.0, 1.5, 1.0, 1.0)]
    current = [flat(0.5, 1.5, 1.6, 0.6, 1.55), flat(0.5, 1.5, 1.6, 0.6, 1.55)]
    found = judge(baseline, current, RULES)
    assert found is not None
    assert all(move.shows == 0 and move.p > 0.01 and move.change > 0.4 for move in found.moves)


def test_other_runs_of_the_history_widen_the_noise() -> None:
    baseline, current = runs(0, 5), runs(1, 2, slow=1.06)
    calm = judge(baseline, current, RULES)
    rough = judge(baseline, current, RULES, [baseline, runs(7, 9, slow=2.0, run=0.05)])
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
        slower = [RunTimes(tuple(factor * m for m in r.medians), tuple(factor * f for f in r.floors)) for r in current]
        ranks.append(RANK[verdict(baseline, slower)])
    assert ranks == sorted(ranks)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(1e-6, 1e3))
def test_the_unit_does_not_matter(seed: int, scale: float) -> None:
    def scaled(group: list[RunTimes]) -> list[RunTimes]:
        return [RunTimes(tuple(scale * m for m in r.medians), tuple(scale * f for f in r.floors)) for r in group]

    baseline, current = runs(seed, 4), runs(seed + 1, 2, slow=1.06)
    one, other = judge(baseline, current, RULES), judge(scaled(baseline), scaled(current), RULES)
    assert one is not None
    assert other is not None
    assert other.threshold == pytest.approx(one.threshold)
    assert [m.change for m in other.moves] == pytest.approx([m.change for m in one.moves])


def test_the_rates_on_gaussian_noise() -> None:
    """A smaller sibling of benchmarks/bench_decisions.py, on noise that is known: 0.3 % between runs, 0.8 % within."""

    def rates(slow: float) -> Counter[Verdict]:
        return Counter(verdict(runs(2 * k, 5), runs(2 * k + 1, 2, slow=slow)) for k in range(80))

    assert rates(1.0)[Verdict.REGRESSION] == 0
    assert rates(1.05)[Verdict.REGRESSION] >= 0.8 * 80
    assert rates(1.10)[Verdict.REGRESSION] >= 0.95 * 80


def test_a_limit_on_the_point_estimate_would_miss_half() -> None:
    """Why the rule asks whether 5 % can be ruled out: with no margin (a 50 % bound) every second 5 % passes."""
    literal = Rules(bound_level=0.5)
    caught = Counter(verdict(runs(2 * k, 5), runs(2 * k + 1, 2, slow=1.05), literal) for k in range(80))
    assert caught[Verdict.REGRESSION] < 0.5 * 80


def test_noise_is_a_value() -> None:
    assert Noise(0.01, 4) == Noise(0.01, 4)
    assert Noise(0.01, 4).bound(0.99, 5) > Noise(0.01, 9).bound(0.99, 5) > Noise(0.005, 9).bound(0.99, 5)
