"""Which runs are compared: baseline files, histories and commits, and every mistake with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from imageqx_export.bench.history import append_run
from imageqx_export.errors import MeasurementError
from imageqx_export.report.sides import Baseline, read_history, read_side, write_baseline
from imageqx_export.report.sizes.parts import Part, Sizes
from tests.report.fakes import bench_run, measurement

ONE = measurement(np.random.default_rng(0))
OLD, NEW = "a" * 40, "abc" + "b" * 37
RUNS = (
    bench_run(0, [ONE], commit=OLD),
    bench_run(1, [ONE], commit=OLD, target="adb:1"),
    bench_run(2, [ONE], commit=NEW),
    bench_run(3, [ONE], commit=NEW),
)
SIZES = Sizes(artifact=ONE.artifact, total=3, parts=(Part(section="weights", name="w", bytes=3),))


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "history.jsonl"
    for run in RUNS:
        append_run(path, run)
    return path


def test_of_a_history_each_targets_newest_commit(history: Path) -> None:
    side = read_side(str(history))
    assert [run.run_id for run in side.runs] == ["run-adb:1-0001", "run-host-0002", "run-host-0003"]
    assert (side.label, side.targets) == ("history.jsonl", ("adb:1", "host"))
    assert [run.run_id for run in read_side(str(history), targets=["host"]).runs] == ["run-host-0002", "run-host-0003"]
    assert read_history(history) == RUNS
    assert read_history(None) == ()


@pytest.mark.parametrize("commit", [OLD, "aaaa"])
def test_a_commit_of_a_history(history: Path, commit: str) -> None:
    side = read_side(commit, history)
    assert [run.run_id for run in side.runs] == ["run-host-0000", "run-adb:1-0001"]
    assert side.label == commit


def test_a_clean_commit_is_not_its_dirty_twin(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    for number, commit in enumerate((OLD, OLD + "+dirty")):
        append_run(path, bench_run(number, [ONE], commit=commit))
    assert [run.commit for run in read_side(OLD, path).runs] == [OLD]
    assert [run.commit for run in read_side(OLD + "+dirty", path).runs] == [OLD + "+dirty"]
    with pytest.raises(MeasurementError, match="several commits begin so"):
        read_side("aaaa", path)


def test_a_baseline_file_reads_as_it_was_written(tmp_path: Path) -> None:
    baseline = Baseline(runs=RUNS, sizes=(SIZES,))
    path = write_baseline(baseline, tmp_path / "deep" / "baseline.json")
    side = read_side(str(path))
    assert (side.runs, side.sizes) == (RUNS, (SIZES,))
    assert Baseline.model_validate_json(path.read_bytes()) == baseline


def test_a_history_of_one_run_is_no_baseline_file(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    append_run(path, RUNS[0])
    assert read_side(str(path)).runs == (RUNS[0],)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("none.json", "no such baseline or history"),
        ("abc", "no such baseline or history"),
        ("cafe", "no run of this commit"),
    ],
)
def test_what_is_not_there(history: Path, source: str, words: str) -> None:
    with pytest.raises(MeasurementError, match=words):
        read_side(source, history if len(source) == 4 else None)
    with pytest.raises(MeasurementError, match="no run of these targets"):
        read_side(str(history), targets=["ios:1"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"runs": []}, "runs"),
        ({"schema_version": 2}, "schema_version"),
        ({"extra": 1}, "extra"),
        ({"runs": [json.loads(RUNS[0].model_dump_json())] * 2}, "each run once"),
    ],
)
def test_baselines_that_are_not_valid(tmp_path: Path, change: dict[str, object], words: str) -> None:
    body = json.loads(Baseline(runs=RUNS).model_dump_json())
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps({**body, **change}))
    with pytest.raises(MeasurementError, match="the baseline is not valid") as caught:
        read_side(str(path))
    assert words in str(caught.value)


@pytest.mark.parametrize("content", ["", "{}", "[]", "nonsense", '{"a": 1}\n{"b": 2}\n'])
def test_files_that_are_neither(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(MeasurementError):
        read_side(str(path))
