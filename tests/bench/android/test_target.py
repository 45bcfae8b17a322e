from __future__ import annotations

import contextlib
import json
import shutil
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imageqx_export.artifact import Artifact, Format, Manifest, ModelSpec, Precision, TensorSpec
from imageqx_export.bench.android.target import AdbTarget
from imageqx_export.bench.model import QUICK, Machine, Schedule, Target
from imageqx_export.errors import DeviceError, MeasurementError
from imageqx_export.support.files import digest
from tests.bench.android.fakes import World, world

ARM64 = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, 183) + bytes(1000)
SHORT = Schedule(warmup_runs=2, warmup_seconds=0, runs=10, seconds=0.04, processes=2)


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    """Write a program for arm64, as far as this machine can tell; the phone has a stand-in for it."""
    path = tmp_path / "android_arm64_benchmark_model"
    path.write_bytes(ARM64)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "artifacts"
    path.mkdir()
    return path


def artifact(folder: Path, format: Format = Format.TFLITE, precision: Precision = Precision.FP32) -> Artifact:
    spec = ModelSpec(
        name="m",
        inputs=(TensorSpec(name="image", shape=(1, 224, 224, 3), dtype="uint8"),),
        outputs=(TensorSpec(name="quality", shape=(1, 4), dtype="float32"),),
        labels=("a",),
        reasons=(),
        thresholds={},
        hints={},
    )
    path = folder / f"m_{precision.value}{format.suffix}"
    path.write_bytes(b"weights of " + path.name.encode())
    return Artifact(
        path=Path(path.name),
        format=format,
        precision=precision,
        spec=spec,
        sha256=digest(path),
        size_bytes=path.stat().st_size,
        checkpoint_sha256="0" * 64,
        tool_versions={},
    )


def target(one: World, *arguments: Any, **options: Any) -> AdbTarget:
    return AdbTarget(*arguments, **options, limits=one.limits, clock=one.time.clock)


def calls(one: World) -> list[dict[str, str]]:
    log = one.phone.say / "benchmark_model.log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_it_is_a_target(one: World) -> None:
    found: Target = target(one, "0A1B2C3D")
    assert found.name == "adb:0A1B2C3D"
    assert found.timed


def test_the_machine_is_described(one: World, folder: Path, tool: Path) -> None:
    with target(one, None, tool, fixed_performance=True).open(folder, [artifact(folder)], SHORT, "r1") as machine:
        assert machine.name == "Google Pixel 7"
        assert machine.abi == "arm64-v8a"
        assert machine.system == "Android 14 (SDK 34)"
        assert machine.cores >= 1
        told = {
            "serial": "0A1B2C3D",
            "soc": "GS201",
            "battery": "84 %",
            "battery temperature": "28.7 °C",
            "thermal status": "0",
            "charging": "yes",
            "fixed performance": "on",
            "tflite by": "benchmark_model, 3 runs a process: its result file keeps no more single ones",
        }
        assert told.items() <= machine.facts.items()


def test_without_a_serial_the_name_says_which_phone_it_was(one: World, folder: Path, tool: Path) -> None:
    found = target(one, None, tool)
    assert found.name == "adb"
    with found.open(folder, [artifact(folder)], SHORT, "r1"):
        assert found.name == "adb:0A1B2C3D"


@pytest.mark.parametrize(
    ("kernel", "abi"), [("aarch64", "arm64-v8a"), ("armv7l", "armeabi-v7a"), ("x86_64", "x86_64"), ("mips", None)]
)
def test_without_getprop_the_kernel_tells_the_abi(one: World, folder: Path, kernel: str, abi: str | None) -> None:
    (one.phone.bin / "getprop").unlink()
    one.phone._program("uname", f'[ "$1" = -m ] && echo {kernel} || echo Linux 6.12')
    expected = pytest.raises(DeviceError, match="what its processor runs") if abi is None else contextlib.nullcontext()
    with expected, target(one).open(folder, [artifact(folder)], SHORT, "r1") as machine:
        assert (machine.abi, machine.name, machine.system) == (abi, "unknown phone", "Linux 6.12")


def test_a_program_for_another_processor_is_refused(one: World, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "benchmark_model"
    path.write_bytes(ARM64.replace(struct.pack("<HH", 3, 183), struct.pack("<HH", 3, 62)))
    with (
        pytest.raises(DeviceError, match="another processor") as caught,
        target(one, None, path).open(folder, [artifact(folder)], SHORT, "r1"),
    ):
        pytest.fail("opened")
    assert (caught.value.expected, caught.value.got) == ("one of arm64-v8a, armeabi-v7a, armeabi", "x86_64")
    assert one.phone.folders == []


def test_a_phone_without_shell_protocol_2_is_refused(one: World, folder: Path) -> None:
    one.phone.read_features = "cmd"
    with pytest.raises(DeviceError, match="too old"), target(one).open(folder, [], SHORT, "r1"):
        pytest.fail("opened")


def test_an_empty_battery_is_refused_at_once(one: World, folder: Path, tool: Path) -> None:
    text = (one.phone.say / "battery").read_text()
    (one.phone.say / "battery").write_text(
        text.replace("level: 84", "level: 12").replace("powered: true", "powered: false")
    )
    with pytest.raises(DeviceError, match="battery is low"), target(one, None, tool).open(folder, [], SHORT, "r1"):
        pytest.fail("opened")
    assert one.phone.folders == []


def test_a_second_run_on_the_phone_is_refused(one: World, folder: Path, tool: Path) -> None:
    with target(one, None, tool).open(folder, [artifact(folder)], SHORT, "r1"):
        with pytest.raises(DeviceError, match="another run"), target(one, None, tool).open(folder, [], SHORT, "r2"):
            pytest.fail("opened")
        assert one.phone.folders == ["imageqx-r1"]


def test_what_a_dead_run_left_is_deleted_first(one: World, folder: Path, tool: Path) -> None:
    (one.phone.tmp / "imageqx-dead" / "jobs").mkdir(parents=True)
    with target(one, None, tool).open(folder, [artifact(folder)], SHORT, "r1"):
        assert one.phone.folders == ["imageqx-r1"]


def test_without_either_way_everything_is_unavailable_with_its_reason(one: World, folder: Path) -> None:
    found = target(one)
    artifacts = [artifact(folder, format) for format in (Format.TFLITE, Format.ONNX, Format.COREML)]
    with found.open(folder, artifacts, SHORT, "r1"):
        reasons = [str(found.explain_unavailable(one)) for one in artifacts]
        assert "benchmark_model" in reasons[0] and reasons[0].endswith("the phone has no Python")
        assert "benchmark_model" not in reasons[1] and "onnxruntime" in reasons[1]
        assert reasons[2] == "Core ML does not run on Android"
        with pytest.raises(MeasurementError, match="cannot run it"):
            found.sample(artifacts[0], SHORT)
        assert sorted(path.name for path in (one.phone.tmp / "imageqx-r1").iterdir()) == ["jobs", "run_id"]


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        ({"version": [3, 9], "numpy": True, "tflite": True, "onnx": True}, "3.9, older than 3.11"),
        ({"version": [3, 12], "numpy": False, "tflite": True, "onnx": True}, "3.12 has no numpy"),
        ({"version": [3, 12], "numpy": True, "tflite": False, "onnx": False}, "has no onnxruntime"),
        (None, "fails: cannot execute"),
    ],
)
def test_a_python_that_does_not_do_says_why(one: World, folder: Path, printed: object, reason: str) -> None:
    text = "echo 'cannot execute' >&2; exit 1" if printed is None else f"echo '{json.dumps(printed)}'"
    one.phone._program("python3", text)
    found = target(one)
    with found.open(folder, [], SHORT, "r1"):
        assert reason in str(found.explain_unavailable(artifact(folder, Format.ONNX)))


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


def test_it_waits_until_the_phone_is_ready(one: World, folder: Path, tool: Path) -> None:
    found = target(one, None, tool)
    with found.open(folder, [artifact(folder)], SHORT, "r1"):
        (one.phone.say / "thermalservice").write_text("Thermal Status: 1\n")
        one.time.after(50, lambda: (one.phone.say / "thermalservice").write_text("Thermal Status: 0\n"))
        found.wait_until_ready()
    assert one.time.now == 1050


def test_a_full_phone_is_left_as_it_was(one: World, folder: Path, tool: Path) -> None:
    one.phone.room = 500
    with (
        pytest.raises(DeviceError, match="the phone is full"),
        target(one, None, tool).open(folder, [artifact(folder)], SHORT, "r1"),
    ):
        pytest.fail("opened")
    assert one.phone.folders == []


def test_outside_open_nothing_can_be_measured(one: World, folder: Path) -> None:
    found, model = target(one, "0A1B2C3D"), artifact(folder)
    assert found.explain_unavailable(model) is None
    for use in (lambda: found.sample(model, SHORT), found.wait_until_ready, lambda: found.measure_error(model)):
        with pytest.raises(MeasurementError, match="not open"):
            use()


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
