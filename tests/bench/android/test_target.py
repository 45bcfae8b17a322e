"""The Android target: what it opens, what it refuses, and how it leaves the phone."""

from __future__ import annotations

import contextlib
import json
import struct
from pathlib import Path

import pytest

from imageqx_export.artifact import Format
from imageqx_export.bench.model import Target
from imageqx_export.errors import DeviceError, MeasurementError
from tests.bench.android.fakes import World
from tests.bench.android.targets import ARM64, SHORT, artifact, target


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
