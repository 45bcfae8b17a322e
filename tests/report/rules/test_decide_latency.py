"""Verdicts about latency: noise, circumstances, samples and the history."""

from __future__ import annotations

import numpy as np
import pytest

from imageqx_export.bench.model import QUICK, BenchRun, Schedule
from imageqx_export.report.rules.decide import decide
from imageqx_export.report.rules.verdicts import Quantity, Verdict
from tests.report.fakes import HOST, TOOLS, bench_run, measurement, side, sides
from tests.report.rules.test_decide import only


def test_latency() -> None:
    assert only(*sides(slow=1.0), Quantity.LATENCY).verdict is Verdict.NO_CHANGE
    slower = only(*sides(slow=1.10), Quantity.LATENCY)
    assert slower.verdict is Verdict.REGRESSION
    assert slower.change == pytest.approx(0.10, abs=0.02)
    assert slower.numbers["p_1"] < 0.01
    assert slower.numbers["noise"] < slower.numbers["change_1"]
    assert only(*sides(slow=0.90), Quantity.LATENCY).verdict is Verdict.IMPROVED
    once = only(*sides(slow=1.10, current=1), Quantity.LATENCY)
    assert (once.verdict, "measure again" in once.reason) == (Verdict.SUSPICIOUS, True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schedule": QUICK}, "--quick"),
        ({"schedule": Schedule(threads=4)}, "another schedule: threads 1 → 4"),
        ({"machine": HOST.model_copy(update={"name": "Apple M4"})}, "another machine: AMD EPYC 7763"),
        ({"machine": HOST.model_copy(update={"system": "Linux 7.0"})}, "Linux 6.8.0 → AMD EPYC 7763"),
        ({"tool_versions": {**TOOLS, "onnxruntime": "2.0"}}, "other tool versions: onnxruntime 1.31.1 → 2.0"),
    ],
)
def test_latency_of_other_circumstances_is_undecided_even_where_it_did_not_move(
    change: dict[str, object], words: str
) -> None:
    before, after = sides()
    other = side(*(run.model_copy(update=change) for run in after.runs))
    found = only(before, other, Quantity.LATENCY)
    assert (found.verdict, words in found.reason) == (Verdict.INSUFFICIENT, True), found.reason


def test_a_tool_that_only_one_side_names_is_no_obstacle() -> None:
    before, after = sides()
    counting = side(*(r.model_copy(update={"tool_versions": {**TOOLS, "valgrind": "3.24"}}) for r in after.runs))
    assert only(before, counting, Quantity.LATENCY).verdict is Verdict.NO_CHANGE


def shortened(run: BenchRun, processes: int, inferences: int) -> BenchRun:
    m = run.measurements[0]
    samples = tuple(s.model_copy(update={"seconds": s.seconds[:inferences]}) for s in m.samples[:processes])
    return run.model_copy(update={"measurements": (m.model_copy(update={"samples": samples}),)})


@pytest.mark.parametrize(("processes", "inferences"), [(9, 1000), (10, 9), (10, 20)])
def test_too_few_samples_are_undecided(processes: int, inferences: int) -> None:
    before, after = sides()
    short = side(*(shortened(run, processes, inferences) for run in after.runs))
    found = only(before, short, Quantity.LATENCY)
    assert (found.verdict, "too few samples in the current's run" in found.reason) == (Verdict.INSUFFICIENT, True)


def test_a_baseline_of_two_runs_measures_no_noise() -> None:
    found = only(*sides(baseline=2), Quantity.LATENCY)
    assert found.verdict is Verdict.INSUFFICIENT
    assert "the baseline has 2 runs to compare with; at least 3 are needed" in found.reason


def test_a_busy_machine_is_undecided() -> None:
    before, after = sides()
    rng = np.random.default_rng(3)
    busy = [bench_run(50 + k, [measurement(rng, version="b", process=0.3)], commit="b" * 40) for k in range(2)]
    found = only(before, side(*busy), Quantity.LATENCY)
    assert found.verdict is Verdict.INSUFFICIENT
    assert found.reason.startswith("the machine was busy: the faster quarter of the processes differ by ")
    found = only(side(*busy, *before.runs[:2]), after, Quantity.LATENCY)
    assert found.verdict is Verdict.INSUFFICIENT


def test_the_history_lends_its_runs_of_the_same_file() -> None:
    before, after = sides(baseline=2)
    more = sides(seed=5, baseline=4)[0].runs
    renamed = [run.model_copy(update={"run_id": f"old-{k}"}) for k, run in enumerate(more)]
    found = [d for d in decide(before, after, history=renamed) if d.quantity is Quantity.LATENCY]
    assert found[0].verdict is Verdict.NO_CHANGE
    quick = [run.model_copy(update={"schedule": QUICK}) for run in renamed]
    found = [d for d in decide(before, after, history=quick) if d.quantity is Quantity.LATENCY]
    assert found[0].verdict is Verdict.INSUFFICIENT


def test_the_current_runs_in_the_history_measure_no_noise_of_the_baseline() -> None:
    before, after = sides(slow=1.10)
    alone, together = (
        next(d for d in decide(before, after, history=history) if d.quantity is Quantity.LATENCY)
        for history in ((), (*before.runs, *after.runs))
    )
    assert alone == together


def test_only_the_newest_file_of_a_dirty_commit_counts() -> None:
    before, after = sides(slow=1.0)
    older = sides(seed=9, slow=1.5)[1].runs
    stale = [
        run.model_copy(
            update={
                "run_id": f"stale-{k}",
                "started": run.started - 1e6,
                "measurements": (run.measurements[0].model_copy(update={"sha256": "f" * 64}),),
            }
        )
        for k, run in enumerate(older)
    ]
    found = only(before, side(*stale, *after.runs), Quantity.LATENCY)
    assert found.verdict is Verdict.NO_CHANGE
    assert "2 current runs of other files or circumstances left out" in found.reason
