"""Samples, memory, layers and outputs: by benchmark_model's stand-in, and by our runner where the phone has Python."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from imageqx_export.artifact import Artifact, Format, Manifest, Precision
from imageqx_export.bench.android.target import AdbTarget
from imageqx_export.bench.model import QUICK, Machine, Schedule
from imageqx_export.errors import MeasurementError
from imageqx_export.support.files import digest
from tests.bench.android.fakes import World
from tests.bench.android.targets import SHORT, artifact, calls, target


def test_a_sample_is_of_as_many_processes_as_its_share_needs(one: World, folder: Path, tool: Path) -> None:
    """10 runs in 2 processes: 5 each, so two processes of three runs; 0.04 s in 2: 0.02 each."""
    found, model = target(one, None, tool), artifact(folder)
    with found.open(folder, [model], SHORT, "r1"):
        sample = found.sample(model, SHORT)
    # The stand-in adds a microsecond a call.
    assert [round(s * 1e6) for s in sample.seconds] == [6001, 6101, 6501, 6002, 6102, 6502]
    assert (sample.load_seconds, sample.first_seconds) == (0.0015, 0.009)
    assert (sample.temperature_before, sample.temperature_after) == (33.1, 33.1)
    assert sample.started > 1.7e9
    assert [call["graph"] for call in calls(one)] == ["../../m_fp32.tflite"] * 2
    assert found.list_tool_versions()["adbutils"]


def test_seconds_count_as_well_as_runs(one: World, folder: Path, tool: Path) -> None:
    schedule = Schedule(warmup_runs=1, warmup_seconds=0, runs=1, seconds=0.05, processes=1)
    found, model = target(one, None, tool), artifact(folder)
    with found.open(folder, [model], schedule, "r1"):
        assert len(found.sample(model, schedule).seconds) == 9  # 3 × 18.6 ms


def test_an_artifact_that_is_too_quick_is_refused_and_not_run_for_hours(
    one: World, folder: Path, tool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imageqx_export.bench.android.runners.MOST_PROCESSES", 2)
    (one.phone.say / "benchmark_model.json").write_text(json.dumps({"microseconds": [1, 1, 1]}))
    found, model = target(one, None, tool), artifact(folder)
    with found.open(folder, [model], SHORT, "r1"), pytest.raises(MeasurementError, match="too quick"):
        found.sample(model, SHORT)


def test_memory_and_layers_have_runs_of_their_own(one: World, folder: Path, tool: Path) -> None:
    found, model = target(one, None, tool), artifact(folder)
    with found.open(folder, [model], SHORT, "r1"):
        assert found.measure_peak_memory(model, SHORT) == int(61.25 * 2**20)
        assert found.profile_layers(model, SHORT)[0].kind == "Convolution (NHWC, F32) IGEMM"
        assert found.count_instructions(model, SHORT) is None
        assert found.find_kernels(model) is None
        versions = found.list_tool_versions()
    assert versions["adb"] == "1.0.41"
    assert versions["benchmark_model"] == f"sha256:{digest(tool)[:12]}"
    assert [call.get("report_peak_memory_footprint") for call in calls(one)] == ["true", None]


def test_the_newer_program_has_no_profile_and_no_outputs_and_the_rest_goes_on(
    one: World, exported: Path, tmp_path: Path, tool: Path
) -> None:
    (one.phone.say / "benchmark_model.json").write_text(json.dumps({"litert": True}))
    one.limits = replace(one.limits, answer=30)
    model = next(one for one in read(exported) if one.format is Format.TFLITE)
    with opened(one, exported, tmp_path, tool) as (found, _, _):
        with pytest.raises(MeasurementError, match=r"wrote no profile\.csv"):
            found.profile_layers(model, SHORT)
        with pytest.raises(MeasurementError, match=r"wrote no outputs\.bin"):
            found.measure_error(model)
        assert len(found.sample(model, SHORT).seconds) == 6


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ({"exit": 1}, "benchmark_model failed on the phone"),
        ({"exit": 1, "write": False}, "benchmark_model failed on the phone"),
        ({"write": False}, r"wrote no result\.pb"),
        ({"count": 5}, "as often as it was told"),
    ],
)
def test_a_program_that_fails_gives_no_sample(
    one: World, folder: Path, tool: Path, told: dict[str, object], what: str
) -> None:
    (one.phone.say / "benchmark_model.json").write_text(json.dumps(told))
    found, model = target(one, None, tool), artifact(folder)
    with found.open(folder, [model], SHORT, "r1"), pytest.raises(MeasurementError, match=what):
        found.sample(model, SHORT)
    assert one.phone.folders == []


def test_a_sample_goes_on_after_the_phone_was_away(one: World, folder: Path, tool: Path) -> None:
    pulled: list[str] = []

    def pull(command: str) -> None:
        if "--num_runs" in command and len(calls(one)) == 1 and not pulled:
            pulled.append(command)
            one.phone.unplug()
            one.time.after(30, one.phone.plug_in)

    found, model = target(one, None, tool), artifact(folder)
    with found.open(folder, [model], SHORT, "r1"):
        one.phone.before = pull
        sample = found.sample(model, SHORT)
    assert pulled
    assert [round(s * 1e6) for s in sample.seconds][:3] == [6001, 6101, 6501]  # the first process is not lost
    assert len(sample.seconds) == 6
    assert one.phone.folders == []


@contextlib.contextmanager
def opened(one: World, exported: Path, tmp_path: Path, tool: Path | None) -> Iterator[tuple[AdbTarget, Path, Machine]]:
    """Open a phone with the shipped TFLite and ONNX files, and two of the golden pictures."""
    folder = tmp_path / "exported"
    (folder / "golden").mkdir(parents=True)
    rows = json.loads((exported / "golden" / "expected.json").read_text())
    few = dict(list(rows.items())[:2])
    (folder / "golden" / "expected.json").write_text(json.dumps(few))
    for name in few:
        shutil.copy(exported / "golden" / name, folder / "golden")
    found = target(one, None, tool)
    artifacts = read(exported)
    for model in artifacts:
        shutil.copy(exported / model.path, folder)
    with found.open(folder, artifacts, QUICK, "r1") as machine:
        yield found, folder, machine


def read(exported: Path) -> list[Artifact]:
    manifest = Manifest.model_validate_json((exported / "manifest.json").read_text())
    return [one for one in manifest.artifacts if one.precision is Precision.FP32 and one.format is not Format.COREML]


def test_our_runner_really_runs_where_the_phone_has_python(one: World, exported: Path, tmp_path: Path) -> None:
    one.phone.give_python()
    one.limits = replace(one.limits, answer=30)
    schedule = QUICK.model_copy(update={"runs": 4, "seconds": 0.0})
    with opened(one, exported, tmp_path, None) as (found, _, machine):
        assert machine.facts["onnx by"] == "our runner, in the phone's Python"
        for model in read(exported):
            sample = found.sample(model, schedule)
            assert len(sample.seconds) >= 2 and min(sample.seconds) > 1e-4
            assert sample.load_seconds > 0 and sample.first_seconds > 0
        model = next(one for one in read(exported) if one.format is Format.ONNX)
        error, memory = found.measure_error(model), found.measure_peak_memory(model, schedule)
        assert error is not None and 0 < error < 1e-4
        assert memory is not None and memory > 50e6
        assert "Conv" in {layer.kind for layer in found.profile_layers(model, schedule)}
        assert {"ai-edge-litert", "onnxruntime", "python", "numpy"} <= set(found.list_tool_versions())
    assert one.phone.folders == []


def test_outputs_of_the_program_are_compared_in_the_files_own_order(
    one: World, exported: Path, tmp_path: Path, tool: Path
) -> None:
    one.limits = replace(one.limits, answer=30)
    model = next(one for one in read(exported) if one.format is Format.TFLITE)
    with opened(one, exported, tmp_path, tool) as (found, folder, _):
        error = found.measure_error(model)
        assert error is not None and 0 < error < 1e-4
        # Negative control: another golden output is noticed.
        rows = json.loads((folder / "golden" / "expected.json").read_text())
        first = next(iter(rows.values()))
        first["quality"][0] += 0.25
        (folder / "golden" / "expected.json").write_text(json.dumps(rows))
        assert found.measure_error(model) == pytest.approx(0.25, abs=1e-4)
