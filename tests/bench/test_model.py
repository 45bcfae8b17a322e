"""The schedule: what the issue asks for is what the defaults say; each process does its share; turns are taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from imageqx_export.artifact import Artifact, Format, Precision
from imageqx_export.bench.model import (
    QUICK,
    BenchRun,
    Instructions,
    Machine,
    Measurement,
    ProcessSample,
    Schedule,
    interleave,
)


def test_the_defaults_are_the_issues() -> None:
    schedule = Schedule()
    assert schedule.warmup_runs >= 10 and schedule.warmup_seconds >= 0.5
    assert schedule.runs >= 100 and schedule.seconds >= 10 and schedule.processes >= 10
    assert schedule.threads == 1 and not schedule.quick
    assert QUICK.quick


@settings(deadline=None)
@given(runs=st.integers(1, 10_000), seconds=st.floats(0, 100), processes=st.integers(1, 50))
def test_the_shares_of_the_processes_reach_the_whole(runs: int, seconds: float, processes: int) -> None:
    schedule = Schedule(runs=runs, seconds=seconds, processes=processes)
    assert runs <= schedule.runs_each * processes < runs + processes
    assert schedule.seconds_each * processes == pytest.approx(seconds)


def test_artifacts_take_turns() -> None:
    names = cast(Sequence[Artifact], ["A", "B", "C"])  # what the turns are of does not matter
    assert [name for _, name in interleave(names, 3)] == [*"ABCABCABC"]
    assert [round for round, _ in interleave(names, 2)] == [0, 0, 0, 1, 1, 1]
    assert not list(interleave([], 3))


@pytest.mark.parametrize("wrong", [{"runs": 0}, {"processes": 0}, {"threads": 0}, {"seconds": -1}, {"speed": 1}])
def test_impossible_schedules_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Schedule.model_validate(wrong)


def test_a_measurement_joins_its_processes() -> None:
    samples = tuple(ProcessSample(load_seconds=1, first_seconds=1, seconds=s) for s in ((1.0, 2.0), (), (3.0,)))
    assert _measurement("a", samples).seconds == (1.0, 2.0, 3.0)


def test_the_spread_of_counts() -> None:
    assert Instructions(count=200.0, repeats=(199.0, 201.0), source="perf").spread == pytest.approx(0.01)
    assert Instructions(count=200.0, repeats=(), source="perf").spread == 0.0


def test_a_run_names_each_artifact_once() -> None:
    fields = {
        "run_id": "1",
        "started": 0.0,
        "commit": "unknown",
        "target": "host",
        "checkpoint_sha256": "",
        "machine": Machine(name="", cores=1, abi="", system=""),
        "schedule": Schedule(),
        "tool_versions": {},
    }
    assert BenchRun.model_validate({**fields, "measurements": (_measurement("a"), _measurement("b"))})
    with pytest.raises(ValidationError, match="each artifact once"):
        BenchRun.model_validate({**fields, "measurements": (_measurement("a"), _measurement("a"))})


def _measurement(name: str, samples: tuple[ProcessSample, ...] = ()) -> Measurement:
    return Measurement(
        artifact=name, sha256="", format=Format.ONNX, precision=Precision.FP32, size_bytes=1, samples=samples
    )
