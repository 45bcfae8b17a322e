"""The runner app: who signs it, the command that builds it, and what Xcode says when it cannot."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from imageqx_export.bench.ios import app
from imageqx_export.bench.ios.app import (
    Place,
    Signing,
    build,
    extend_path,
    import_coremltools,
    make_build_command,
    read_signing,
)
from imageqx_export.bench.ios.phones import Phone
from imageqx_export.bench.ios.xcrun import Tools
from imageqx_export.errors import DeviceError, UnavailableError
from tests.bench.ios.fakes import TEAM, UDID, FakeMac

WORKSPACE = Path("/Users/A Person/coremltools/modelrunner/ModelRunner.xcworkspace")


@pytest.fixture
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMac:
    mac = FakeMac(tmp_path / "mac")
    mac.enter(monkeypatch)
    monkeypatch.setattr(app, "find_workspace", lambda: WORKSPACE)
    return mac


def place(folder: Path) -> Place:
    return Place(phone=Phone(identifier="C", udid=UDID), folder=folder, signing=Signing(team=TEAM))


def tools(mac: FakeMac) -> Tools:
    return Tools(devicectl=mac.bin / "devicectl", xcodebuild=mac.bin / "xcodebuild", xcode="16.3 (16E140)")


def test_the_signer_is_read_from_the_environment() -> None:
    assert read_signing({"IMAGEQX_IOS_TEAM": TEAM}).identifier == "imageqx.modelrunner.ab12cd34ef"
    signing = read_signing({"IMAGEQX_IOS_TEAM": TEAM, "IMAGEQX_IOS_BUNDLE": "org.clinic.runner"})
    assert signing == Signing(team=TEAM, bundle="org.clinic.runner") and signing.identifier == "org.clinic.runner"


@pytest.mark.parametrize(
    ("environment", "what"),
    [
        ({}, "nobody signs"),
        ({"IMAGEQX_IOS_TEAM": ""}, "nobody signs"),
        ({"IMAGEQX_IOS_TEAM": "Jane Doe"}, "not an Apple developer team"),
        ({"IMAGEQX_IOS_TEAM": TEAM, "IMAGEQX_IOS_BUNDLE": "runner; rm"}, "not a bundle identifier"),
        ({"IMAGEQX_IOS_TEAM": TEAM, "IMAGEQX_IOS_BUNDLE": "runner"}, "not a bundle identifier"),
    ],
)
def test_a_signer_that_xcode_would_refuse_is_refused_here(environment: dict[str, str], what: str) -> None:
    with pytest.raises(DeviceError, match=what) as refused:
        read_signing(environment)
    assert "IMAGEQX_IOS" in str(refused.value.where)


def test_the_build_command_is_a_list_whatever_is_in_the_paths(mac: FakeMac, tmp_path: Path) -> None:
    assert make_build_command(place(tmp_path / "a b"), tools(mac)) == [
        str(mac.bin / "xcodebuild"),
        "-workspace",
        str(WORKSPACE),
        "-scheme",
        "modelrunner",
        "-sdk",
        "iphoneos",
        "-destination",
        f"platform=iOS,id={UDID}",
        "-configuration",
        "Release",
        "-allowProvisioningUpdates",
        "-allowProvisioningDeviceRegistration",
        f"SYMROOT={tmp_path}/a b/{UDID}",
        "CODE_SIGN_STYLE=Automatic",
        f"DEVELOPMENT_TEAM={TEAM}",
        "PRODUCT_BUNDLE_IDENTIFIER=imageqx.modelrunner.ab12cd34ef",
    ]


def test_the_app_lies_where_coremltools_looks_for_one(mac: FakeMac, tmp_path: Path) -> None:
    import_coremltools()
    from coremltools.models.ml_program.experimental.remote_device import Device, DeviceState, DeviceType, _AppBuilder

    app = build(place(tmp_path / "a b"), tools(mac))
    assert (app / "Info.plist").read_text() == "imageqx.modelrunner.ab12cd34ef"
    device = Device("n", DeviceType.IPHONE, "C", UDID, "18.4", "22E", "enabled", DeviceState.CONNECTED, None)
    assert app.is_relative_to(_AppBuilder.get_build_path(device, tmp_path / "a b"))


def test_what_xcode_says_is_passed_on(mac: FakeMac, tmp_path: Path) -> None:
    output = "note: Building\nerror: No Account for Team \"AB12CD34EF\". (in target 'ModelRunner')\n** BUILD FAILED **"
    mac.change(xcodebuild={"stdout": output, "code": 65})
    with pytest.raises(DeviceError, match="Xcode cannot build the runner") as failed:
        build(place(tmp_path), tools(mac))
    assert failed.value.got == "error: No Account for Team \"AB12CD34EF\". (in target 'ModelRunner')"
    assert "Accounts" in str(failed.value.remedy)


def test_a_build_that_says_nothing_and_builds_nothing_is_a_failure(mac: FakeMac, tmp_path: Path) -> None:
    mac.change(xcodebuild={"stdout": "** BUILD SUCCEEDED **", "code": 0})
    with pytest.raises(DeviceError, match="cannot build") as failed:
        build(place(tmp_path), tools(mac))
    assert failed.value.got == "exit code 0, app: None"


@pytest.mark.skipif(os.uname().sysname == "Darwin", reason="coremltools for macOS has the runner")
def test_coremltools_for_another_system_has_no_runner() -> None:
    with pytest.raises(UnavailableError, match="no runner for phones") as refused:
        app.find_workspace()
    assert "macOS" in str(refused.value.remedy)


def test_a_missing_coremltools_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match="coremltools is not installed"):
        app.find_workspace()


def test_the_environment_is_put_back(mac: FakeMac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    inside: dict[str, str] = {}

    def interrupted() -> None:
        with extend_path(tools(mac)):
            inside.update(os.environ)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert inside["PATH"] == f"{mac.bin}:/usr/bin"
    assert os.environ["PATH"] == "/usr/bin"
