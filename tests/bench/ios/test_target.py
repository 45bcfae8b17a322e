"""The iPhone target: what it asks, and a whole run through coremltools' own code on a fake Mac and phone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from imageqx_export.artifact import Artifact, Format, Manifest
from imageqx_export.bench.ios import target as ios
from imageqx_export.bench.ios.target import IosTarget, connect
from imageqx_export.bench.model import QUICK, BenchRun, Measurement, Target
from imageqx_export.errors import DeviceError, MeasurementError, UnavailableError
from tests.bench.ios.fakes import (
    IDENTIFIER,
    UDID,
    FakeMac,
    few_photos,
    know_outputs,
    recorded,
    shadow_coremltools,
    well,
)
from tests.bench.ios.test_refusals import changed, opened

ROOT = Path(__file__).parents[3]


def test_it_is_a_target() -> None:
    target: Target = IosTarget(f" {UDID} ")
    assert target.name == f"ios:{UDID}" and target.timed and IosTarget("").name == "ios"


def test_on_this_system_it_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    with pytest.raises(UnavailableError, match="from macOS alone"):
        opened(IosTarget(UDID), tmp_path)


def test_without_coremltools_it_is_unavailable(mac: FakeMac, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match="coremltools is not installed"):
        opened(IosTarget(UDID), tmp_path)


def test_without_a_signer_nothing_is_asked_of_the_phone(
    mac: FakeMac, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IMAGEQX_IOS_TEAM")
    with pytest.raises(DeviceError, match="nobody signs"):
        opened(IosTarget(UDID), tmp_path)
    assert not any("devicectl" in call for call in mac.calls if "--find" not in call)


def test_the_phone_is_asked_by_its_identifier_and_described_as_it_is_now(mac: FakeMac) -> None:
    phone, _ = connect("")
    assert (phone.connection, phone.ios) == ("connected", "18.4.1")
    asked = [call[: call.index("--quiet")] for call in mac.calls]
    assert asked == [
        ["xcrun", "devicectl", "list", "devices"],
        ["xcrun", "devicectl", "device", "info", "details", "--device", IDENTIFIER],
        ["xcrun", "devicectl", "device", "info", "lockState", "--device", IDENTIFIER],
    ]


def test_details_may_be_one_level_deeper(mac: FakeMac) -> None:
    mac.change(device_info_details={"json": {"result": {"device": recorded("details")["result"]}}})
    assert connect("")[0].connection == "connected"


def test_the_machine_says_what_its_numbers_mean(mac: FakeMac, tmp_path: Path) -> None:
    machine = opened(IosTarget(""), tmp_path)
    assert machine.name == "iPhone 14 Pro (iPhone15,2)" and machine.system == "iOS 18.4.1 (22E252)"
    assert machine.abi == "arm64e" and machine.cores == 0 and machine.facts["udid"] == UDID
    assert "apart" in machine.facts["pace"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, DeviceError])
def test_whatever_happens_the_runner_is_removed_from_the_phone(
    mac: FakeMac, tmp_path: Path, error: type[BaseException]
) -> None:
    target = IosTarget("")

    def run() -> None:
        with target.open(tmp_path, (), QUICK, "run-1"):
            raise error("now")

    with pytest.raises(error, match="now"):
        run()
    removed = [call for call in mac.calls if "uninstall" in call]
    assert [call[2:8] for call in removed] == [
        ["device", "uninstall", "app", "imageqx.modelrunner.ab12cd34ef", "--device", IDENTIFIER]
    ]
    with pytest.raises(MeasurementError, match="not open"):
        target.wait_until_ready()


def test_a_phone_that_went_away_for_good_does_not_hide_the_first_error(mac: FakeMac, tmp_path: Path) -> None:
    mac.change(device_uninstall_app={"json": recorded("phone_gone"), "code": 1})
    assert opened(IosTarget(""), tmp_path).cores == 0


def test_a_phone_that_locks_itself_is_waited_for(mac: FakeMac, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ios, "PAUSE", 0.0)
    locked, gone, unlocked = {"json": recorded("locked")}, {"json": recorded("phone_gone"), "code": 1}, well()
    mac.change(
        device_info_lockState=[unlocked["device info lockState"], locked, gone, unlocked["device info lockState"]]
    )
    target = IosTarget("")
    with target.open(tmp_path, (), QUICK, "run-1"):
        target.wait_until_ready()
    assert sum("lockState" in call for call in mac.calls) == 4


def test_a_phone_that_stays_locked_is_given_up(mac: FakeMac, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ios, "PAUSE", 0.0)
    monkeypatch.setattr(ios, "PATIENCE", -1.0)
    unlocked, locked = well()["device info lockState"], {"json": recorded("locked")}
    mac.change(device_info_lockState=[unlocked, locked])
    target = IosTarget("")
    with target.open(tmp_path, (), QUICK, "run-1"), pytest.raises(DeviceError, match="the phone is locked"):
        target.wait_until_ready()


def artifacts_of(folder: Path) -> dict[Format, Artifact]:
    manifest = Manifest.model_validate_json((folder / "manifest.json").read_text())
    return {artifact.format: artifact for artifact in manifest.artifacts}


def test_only_core_ml_runs_and_only_on_an_ios_that_is_new_enough(
    mac: FakeMac, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts, target = artifacts_of(exported), IosTarget("")
    assert "Core ML alone" in str(target.explain_unavailable(artifacts[Format.TFLITE]))
    assert target.explain_unavailable(artifacts[Format.COREML]) is None
    with target.open(exported, tuple(artifacts.values()), QUICK, "run-1"):
        assert target.explain_unavailable(artifacts[Format.COREML]) is None
        assert "onnx" in str(target.explain_unavailable(artifacts[Format.ONNX]))
        monkeypatch.setattr("imageqx_export.bench.ios.array_input.read_specification", lambda path: 10)
        assert target.explain_unavailable(artifacts[Format.COREML]) == "needs iOS 26.0, the phone has 18.4.1"


def test_what_apple_does_not_tell_is_none(mac: FakeMac, exported: Path) -> None:
    target, artifact = IosTarget(""), artifacts_of(exported)[Format.COREML]
    mac.change(device_info_details=changed("details", "deviceProperties.osVersionNumber", "17.3.1"))
    with target.open(exported, (artifact,), QUICK, "run-1"):
        assert target.profile_layers(artifact, QUICK) == ()  # iOS 17.4 was the first with a plan
    assert target.measure_peak_memory(artifact, QUICK) is None and target.count_instructions(artifact, QUICK) is None
    assert target.find_kernels(artifact) is None and list(target.list_tool_versions()) == ["coremltools"]


@pytest.fixture(scope="module")
def whole_run(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[FakeMac, dict[str, Any]]:
    """Measure the first Core ML artifact on the fake phone, through all of coremltools but its native library."""
    folder = tmp_path_factory.mktemp("ios run with a space")
    mac, result = FakeMac(folder / "mac"), folder / "result.json"
    artifacts = few_photos(exported, folder / "artifacts", 1)
    know_outputs(mac, artifacts, wrong_by=0.25)
    shadow = shadow_coremltools(folder / "shadow")
    environment = {**os.environ, **mac.environment(os.environ["PATH"]), "PYTHONPATH": f"{shadow}:{ROOT}"}
    script = [sys.executable, str(Path(__file__).parent / "on_a_fake_mac.py"), str(artifacts), str(result)]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "transfer" not in done.stderr and "Setting up" not in done.stderr  # coremltools' bars
    return mac, json.loads(result.read_text())


def measured(whole_run: tuple[FakeMac, dict[str, Any]]) -> Measurement:
    """Return the one measurement of the run, as a history would read it."""
    (measurement,) = BenchRun.model_validate(whole_run[1]["run"]).measurements
    return measurement


def test_each_sample_is_a_fresh_process_with_the_phones_own_times(whole_run: tuple[FakeMac, dict[str, Any]]) -> None:
    (sample,) = measured(whole_run).samples
    assert (sample.load_seconds, sample.first_seconds) == pytest.approx((0.041, 0.009))
    assert sample.seconds == pytest.approx((0.003, 0.0031))  # the warm-up's, which is left out, took 2.9 ms
    launches = [call for call in whole_run[0].calls if "launch" in call]
    assert len(launches) == 4  # the sample, the plan, the outputs, and the one with an image input
    assert all(call[-2:] == [IDENTIFIER, "org.clinic.runner"] for call in launches)


def test_the_plan_keeps_every_operations_unit(whole_run: tuple[FakeMac, dict[str, Any]]) -> None:
    layers = measured(whole_run).layers
    units = Counter((layer.kind == "conv", layer.compute_unit) for layer in layers)
    assert set(units) == {(True, "neural_engine"), (False, "cpu")} and units[True, "neural_engine"] > 50
    assert len({layer.name for layer in layers}) == len(layers) and "const" not in {layer.kind for layer in layers}
    assert sum(layer.seconds for layer in layers) == pytest.approx(0.003, rel=0.05)


def test_outputs_are_compared_with_pytorchs(whole_run: tuple[FakeMac, dict[str, Any]]) -> None:
    assert measured(whole_run).max_error == pytest.approx(0.25, abs=1e-6)  # the one number that was moved
    assert measured(whole_run).notes == () and measured(whole_run).unavailable is None


def test_an_image_input_is_refused_by_the_runner_which_is_why_there_are_array_input_packages(
    whole_run: tuple[FakeMac, dict[str, Any]],
) -> None:
    refusal = "the phone cannot run the model: Feature image is of {'kind': 'imageType'"
    assert whole_run[1]["with_image_input"].startswith(refusal)


def test_the_run_is_labelled_and_leaves_nothing(whole_run: tuple[FakeMac, dict[str, Any]]) -> None:
    mac, result = whole_run
    run = BenchRun.model_validate(result["run"])
    assert (
        run.target == "ios"
        and run.machine.facts["udid"] == UDID
        and run.tool_versions
        == {
            "coremltools": "9.0",
            "xcode": "16.3 (16E140)",
            "devicectl": "397.28",
            "ios": "18.4.1 (22E252)",
        }
    )
    assert result["left"] is False and sum("uninstall" in call for call in mac.calls) == 2
    runner = json.loads((mac.folder / "phone" / "runner.json").read_text())
    assert runner["models"] == {}
    ended = not psutil.pid_exists(runner["pid"]) or psutil.Process(runner["pid"]).status() == psutil.STATUS_ZOMBIE
    assert ended  # coremltools alone would leave it running, where sh is no bash
    assert [path for path, why in result["unavailable"].items() if why is None] == [
        path for path in result["unavailable"] if path.endswith(".mlpackage")
    ]
