"""Xcode's tools: what is refused, what is run, and how devicectl's errors read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from imageqx_export.bench.ios.xcrun import (
    find_tools,
    list_reasons,
    make_devicectl_command,
    make_error,
    run_devicectl,
)
from imageqx_export.errors import DeviceError, UnavailableError
from tests.bench.ios.fakes import IDENTIFIER, FakeMac, recorded


@pytest.fixture
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMac:
    mac = FakeMac(tmp_path / "mac")
    mac.enter(monkeypatch)
    return mac


def test_elsewhere_than_on_macos_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    with pytest.raises(UnavailableError, match="from macOS alone") as refused:
        find_tools()
    assert refused.value.got == "Linux" and refused.value.remedy


def test_a_mac_without_xcode_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="Xcode is not installed") as refused:
        find_tools()
    assert "xcode-select" in str(refused.value.remedy)


@pytest.mark.parametrize(
    ("complaint", "remedy"),
    [
        ('xcrun: error: unable to find utility "devicectl", not a developer tool or in PATH', "xcode-select --switch"),
        (
            "You have not agreed to the Xcode license agreements. Please run 'sudo xcodebuild -license'",
            "sudo xcodebuild -license accept",
        ),
    ],
)
def test_command_line_tools_without_devicectl_are_refused_with_xcruns_words(
    mac: FakeMac, complaint: str, remedy: str
) -> None:
    mac.answer({"--find devicectl": {"stderr": complaint, "code": 72}})
    with pytest.raises(UnavailableError, match="cannot be used") as refused:
        find_tools()
    assert refused.value.got == complaint and remedy in str(refused.value.remedy)


def test_the_tools_are_found_with_their_version(mac: FakeMac) -> None:
    tools = find_tools()
    assert tools.devicectl == mac.bin / "devicectl" and tools.xcodebuild == mac.bin / "xcodebuild"
    assert tools.xcode == "16.3 (16E140)"


def test_the_command_names_the_phone_and_a_file_for_the_json(tmp_path: Path) -> None:
    command = make_devicectl_command(["device", "info", "lockState"], IDENTIFIER, tmp_path / "a b" / "out.json", 60)
    assert command == [
        "xcrun",
        "devicectl",
        "device",
        "info",
        "lockState",
        "--device",
        IDENTIFIER,
        "--quiet",
        "--timeout",
        "60",
        "--json-output",
        f"{tmp_path}/a b/out.json",
    ]
    assert "--device" not in make_devicectl_command(["list", "devices"], None, Path("out.json"), 60)


def test_an_answer_is_read_from_the_file_and_nothing_is_left_of_it(mac: FakeMac) -> None:
    assert run_devicectl("list", "devices") == recorded("devices")
    assert run_devicectl("device", "info", "lockState", phone=IDENTIFIER)["result"]["passcodeRequired"] is False
    files = [Path(call[call.index("--json-output") + 1]) for call in mac.calls]
    assert len(files) == 2 and not any(file.parent.exists() for file in files)


@pytest.mark.parametrize(
    ("name", "what", "remedy"),
    [
        ("launch_locked", "the phone is locked", "unlock it"),
        ("launch_untrusted", "does not trust the developer", "VPN & Device Management"),
        ("phone_gone", "does not answer", "cable"),
        ("not_found", "does not answer", "cable"),
        ("no_disk_image", "developer services", "Devices and Simulators"),
    ],
)
def test_recorded_failures_say_what_to_do(mac: FakeMac, name: str, what: str, remedy: str) -> None:
    mac.change(list_devices={"json": recorded(name), "code": 1, "stderr": "ERROR: something"})
    with pytest.raises(DeviceError, match=what) as failed:
        run_devicectl("list", "devices")
    assert remedy in str(failed.value.remedy)
    assert "ERROR" not in str(failed.value.got) and "error" in str(failed.value.got)
    assert failed.value.where == "xcrun devicectl list devices"


@pytest.mark.parametrize("json_file", [None, "", "not json", "[]", '{"info": {"outcome": "failed"}}'])
def test_an_answer_that_cannot_be_read_is_a_failure_even_with_exit_code_0(mac: FakeMac, json_file: str | None) -> None:
    mac.change(list_devices={"json": json_file, "code": 0, "stderr": "\nmoons do not align\n"})
    with pytest.raises(DeviceError, match="the phone refused") as failed:
        run_devicectl("list", "devices")
    assert failed.value.got == "moons do not align"


def test_a_silent_failure_says_its_exit_code(mac: FakeMac) -> None:
    mac.change(list_devices={"code": 3})
    with pytest.raises(DeviceError) as failed:
        run_devicectl("list", "devices")
    assert failed.value.got == "exit code 3"


@pytest.mark.parametrize(
    ("message", "what"),
    [
        ("Developer Mode disabled", "developer mode is off"),
        ("This device is not paired", "does not trust this Mac"),
        ("RemotePairingError error 4: Connection reset by peer", "does not answer"),
        ("maximum number of installed apps using a free developer profile", "as many apps"),
        ("IXUserPresentableErrorDomain error 14", "as many apps"),
        ("FBSOpenApplicationErrorDomain error 70", "the phone refused"),
        ("adding a file failed", "the phone refused"),
    ],
)
def test_what_coremltools_passes_on_reads_the_same(message: str, what: str) -> None:
    assert what in make_error(message, where="somewhere").what


def test_every_level_of_an_error_is_told() -> None:
    told = list(list_reasons(recorded("phone_gone")["error"]))
    assert [re.findall(r"\((.*) error", text)[0] for text in told] == [
        "com.apple.CoreDevice.ControlChannelConnectionError",
        "com.apple.CoreDevice.ControlChannelConnectionError",
        "Network.NWError",
    ]
    assert "Operation timed out" in told[2]


@pytest.mark.parametrize("error", [None, 3, "text", {}, {"userInfo": []}, {"userInfo": {"NSUnderlyingError": 1}}])
def test_an_error_of_another_shape_is_no_crash(error: Any) -> None:
    assert all(isinstance(text, str) for text in list_reasons(json.loads(json.dumps(error))))
