"""Attached phones against the real thing: the stock adb client and Debian's arm64 adbd; ``make test-adb``.

What no real phone has shown is shown by none of this: USB, thermal throttling, and Android's own shell.
Long because the emulator, adb's server and each phone's adbd are started once for all of it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from adbutils import AdbError

from imageqx_export.artifact import Artifact, Format, Manifest, Precision
from imageqx_export.bench.android.discovery import choose_phone, list_phones, reach_server
from imageqx_export.bench.android.phone import Limits, Phone, PhoneGoneError
from imageqx_export.bench.android.target import AdbTarget
from imageqx_export.bench.emulator import Emulator, load_emulator
from imageqx_export.bench.model import Schedule
from imageqx_export.errors import DeviceError, MeasurementError
from tests.conftest import ROOT
from tests.slow.apart import apart
from tests.slow.real_adbd import RealPhone, Strict, adb, adb_server, client, ended, when

FEW = Schedule(warmup_runs=0, warmup_seconds=0, runs=1, seconds=0, processes=1, quick=True)
LIMITS = Limits(answer=15, reconnect=60, cool_down=60, clean_up=20, poll=0.5)
ON, OFF = (f"power set-fixed-performance-mode-enabled {word}" for word in ("true", "false"))


def found() -> Emulator | str:
    """Return the emulator, or say what is missing here."""
    if not apart():
        return "not in a network of its own (make test-adb makes one, as root or with user namespaces)"
    try:
        client()
        return load_emulator()
    except AdbError as error:
        return f"no adb client (apt install adb): {error}"
    except DeviceError as error:
        return f"no arm64 adbd: {error.what} ({error.remedy})"


# Found before the tests begin: adb's server gets a home of its own, and the emulator is kept in the user's.
FOUND = found()
pytestmark = pytest.mark.skipif(isinstance(FOUND, str), reason=str(FOUND))


@pytest.fixture(scope="module")
def emulator() -> Emulator:
    assert isinstance(FOUND, Emulator)
    return FOUND


@pytest.fixture(autouse=True, scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with adb_server(tmp_path_factory.mktemp("server")):
        yield


@pytest.fixture
def make(emulator: Emulator, tmp_path: Path) -> Iterator[Callable[..., RealPhone]]:
    made: list[RealPhone] = []

    def one(port: int = 6555, storage: str | None = None) -> RealPhone:
        phone = RealPhone(emulator, tmp_path / f"phone{len(made)}", port, storage)
        made.append(phone)
        phone.start()
        adb("connect", phone.serial)
        adb("-s", phone.serial, "wait-for-device")
        return phone

    yield one
    for phone in made:
        adb("disconnect", phone.serial) if phone.serial in list_phones(reach_server(5), 5) else ""
        phone.stop()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give emulated inferences the time they take."""
    monkeypatch.setattr("imageqx_export.bench.android.runners.START_SECONDS", 900.0)


@pytest.fixture
def phone(make: Callable[..., RealPhone]) -> RealPhone:
    return make()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the shipped checkpoint's artifacts, with one of the golden pictures."""
    source, target = ROOT / "artifacts" / "imageqx", tmp_path_factory.mktemp("artifacts") / "imageqx"
    if not (source / "manifest.json").exists():
        subprocess.run([Path(sys.executable).parent / "imageqx", "export"], cwd=ROOT, check=True, capture_output=True)
    shutil.copytree(source, target)
    rows = json.loads((target / "golden" / "expected.json").read_text())
    (target / "golden" / "expected.json").write_text(json.dumps(dict(list(rows.items())[:1])))
    return target


@pytest.fixture(scope="module")
def artifacts(folder: Path) -> dict[Format, Artifact]:
    manifest = Manifest.model_validate_json((folder / "manifest.json").read_text())
    return {one.format: one for one in manifest.artifacts if one.precision is Precision.FP32}


@pytest.fixture(scope="module")
def model(artifacts: dict[Format, Artifact]) -> Artifact:
    return artifacts[Format.TFLITE]


def target(phone: RealPhone, limits: Limits = LIMITS, *, fixed_performance: bool = False) -> AdbTarget:
    return AdbTarget(phone.serial, fixed_performance=fixed_performance, limits=limits)


def talk(phone: RealPhone, limits: Limits = LIMITS) -> Phone:
    return Phone(reach_server(limits.answer), phone.serial, limits)


def test_artifacts_are_measured_on_an_arm64_runtime_and_nothing_is_left(
    phone: RealPhone, folder: Path, artifacts: dict[Format, Artifact]
) -> None:
    """Push, run, pull, verify: real inference by LiteRT and ONNX Runtime for arm64, through adbd for arm64."""
    found = target(phone, fixed_performance=True)
    with found.open(folder, list(artifacts.values()), FEW, "real-1") as machine:
        assert machine.abi == "arm64-v8a"  # as its getprop says
        assert machine.facts["serial"] == phone.serial
        assert phone.files() == ["imageqx-real-1"]
        found.wait_until_ready()
        assert found.explain_unavailable(artifacts[Format.COREML]) is not None
        sample = found.sample(artifacts[Format.TFLITE], FEW)
        assert len(sample.seconds) == 1 and sample.seconds[0] > 1e-3
        assert sample.temperature_before == 33.1
        for format in (Format.TFLITE, Format.ONNX):
            error = found.measure_error(artifacts[format])
            assert error is not None and 0 < error < 1e-4
        memory = found.measure_peak_memory(artifacts[Format.TFLITE], FEW)
        assert memory is not None and memory > 50e6
        assert any("Convolution" in layer.kind for layer in found.profile_layers(artifacts[Format.TFLITE], FEW))
        versions = found.list_tool_versions()
        assert versions["python"].startswith("3.13") and versions["ai-edge-litert"] and versions["onnxruntime"]
        assert phone.side.modes == [ON]
    assert phone.side.modes == [ON, OFF]
    assert phone.files() == []


def test_exit_codes_standard_error_and_binary_files(phone: RealPhone) -> None:
    link = talk(phone)
    assert "shell_v2" in link.read_features()
    answer = link.shell("echo out; echo err >&2; exit 7")
    assert (answer.code, answer.out, answer.err) == (7, "out\n", "err\n")
    assert link.shell("kill -9 $$").code == 137
    data = os.urandom(300_000)
    link.push(data, "/data/local/tmp/deep/er/x", 0o600)
    assert link.pull("/data/local/tmp/deep/er/x") == data
    with pytest.raises(DeviceError, match="does not give"):
        link.pull("/data/local/tmp/nothing")


def test_a_program_for_another_processor_fails_with_126(phone: RealPhone, emulator: Emulator) -> None:
    link = talk(phone)
    link.push(emulator.python.resolve(), "/data/local/tmp/arm64", 0o755)
    assert link.shell("/data/local/tmp/arm64").code in (126, 127)
    link.shell("rm /data/local/tmp/arm64")


def test_the_phone_lists_itself_twice_and_has_to_be_named(
    make: Callable[..., RealPhone], folder: Path, model: Artifact
) -> None:
    """Where adb looks for emulators it finds this adbd by itself too, as Debian's does not say that it is none."""
    phone = make(port=5555)
    adb("kill-server")
    adb("start-server")  # which looks for emulators as it starts
    adb("connect", phone.serial)
    end = time.monotonic() + 20
    while len(seen := list_phones(reach_server(5), 5)) < 2 and time.monotonic() < end:
        time.sleep(0.2)
    assert set(seen) == {"emulator-5554", "127.0.0.1:5555"}
    with pytest.raises(DeviceError, match="several phones"):
        choose_phone(seen, None)
    with target(phone).open(folder, [model], FEW, "named"):
        assert phone.files() == ["imageqx-named"]
    assert phone.files() == []


def test_a_wrong_exit_code_is_no_result_though_one_was_written(phone: RealPhone, folder: Path, model: Artifact) -> None:
    whole = '{"load_seconds": 1, "first_seconds": 1, "seconds": [1], "versions": {}}'
    phone.python(f'case "$*" in *runner.py*) echo \'{whole}\' >result.json; echo odd >&2; exit 3 ;; esac; exec "$@"')
    found = target(phone)
    with found.open(folder, [model], FEW, "r1"), pytest.raises(MeasurementError, match="failed on the phone") as caught:
        found.sample(model, FEW)
    assert caught.value.got == "3: odd"
    assert phone.files() == []


def test_exit_code_0_without_a_result_is_no_result(phone: RealPhone, folder: Path, model: Artifact) -> None:
    phone.python('case "$*" in *runner.py*) exit 0 ;; esac; exec "$@"')
    found = target(phone)
    with found.open(folder, [model], FEW, "r1"), pytest.raises(MeasurementError, match=r"wrote no result\.json"):
        found.sample(model, FEW)
    assert phone.files() == []


def test_a_program_that_the_phone_kills_is_said_to_be_killed(phone: RealPhone, folder: Path, model: Artifact) -> None:
    found = target(phone)

    def kill() -> None:
        job = phone.job()
        assert job is not None
        os.kill(int(job.read_text()), signal.SIGKILL)

    with found.open(folder, [model], FEW, "r1"):
        thread = when(lambda: phone.job(), kill)
        with pytest.raises(MeasurementError, match="failed on the phone") as caught:
            found.sample(model, FEW)
        thread.join()
    assert str(caught.value.got).startswith("137")
    assert phone.files() == []


def test_a_disconnect_in_the_middle_is_waited_for_and_the_run_resumes(
    phone: RealPhone, folder: Path, model: Artifact
) -> None:
    found = target(phone)
    first: list[int] = []

    def disconnect() -> None:
        job = phone.job()
        assert job is not None
        first.append(int(job.read_text()))
        adb("disconnect", phone.serial)

    with found.open(folder, [model], FEW, "r1"):
        thread = when(lambda: phone.job(), disconnect)
        sample = found.sample(model, FEW)
        thread.join()
        assert ended(first[0])  # what went on without us was stopped
    assert len(sample.seconds) == 1
    assert phone.files() == []


@pytest.mark.parametrize("storage", [None, "size=200m"])
def test_an_adbd_that_is_killed_and_started_anew_is_waited_for(
    make: Callable[..., RealPhone], folder: Path, model: Artifact, storage: str | None
) -> None:
    """With a disk that keeps its files, and with one that comes back empty, as that of another phone would."""
    phone = make(storage=storage)
    found = target(phone, fixed_performance=True)

    def restart() -> None:
        phone.signal(signal.SIGKILL)
        time.sleep(2)
        phone.start()

    with found.open(folder, [model], FEW, "r1"):
        thread = when(lambda: phone.job(), restart)
        sample = found.sample(model, FEW)
        thread.join()
    assert len(sample.seconds) == 1
    assert phone.side.modes == [ON, ON, OFF]
    assert phone.files() == []


def test_an_adbd_that_hangs_is_waited_for(phone: RealPhone, folder: Path, model: Artifact) -> None:
    limits = Limits(answer=3, reconnect=60, clean_up=20, poll=0.5)
    found = target(phone, limits)
    with found.open(folder, [model], FEW, "r1"):
        phone.signal(signal.SIGSTOP)
        threading.Timer(8, phone.signal, (signal.SIGCONT,)).start()
        begin = time.monotonic()
        found.wait_until_ready()
        assert time.monotonic() - begin > 7
    assert phone.files() == []


def test_a_phone_that_does_not_come_back_is_offline_and_given_up_in_time(
    phone: RealPhone, folder: Path, model: Artifact
) -> None:
    limits = Limits(answer=3, reconnect=4, clean_up=2, poll=0.5)

    def run() -> None:
        found = target(phone, limits)
        with found.open(folder, [model], FEW, "r1"):
            phone.signal(signal.SIGKILL)
            found.sample(model, FEW)

    begin = time.monotonic()
    with pytest.raises(DeviceError, match="did not come back") as caught:
        run()
    assert time.monotonic() - begin < 60
    assert "rm -rf /data/local/tmp/imageqx-r1" in "".join(caught.value.__notes__)
    seen = list_phones(reach_server(5), 5)
    assert seen.get(phone.serial, "offline") == "offline"
    if seen:
        with pytest.raises(DeviceError, match="cannot be used now") as refused:
            choose_phone(seen, phone.serial)
        assert "reconnect" in str(refused.value.remedy)


def test_a_disk_too_small_is_seen_before_anything_is_pushed(
    make: Callable[..., RealPhone], folder: Path, model: Artifact
) -> None:
    phone = make(storage="size=8m")
    with pytest.raises(DeviceError, match="not enough room") as caught, target(phone).open(folder, [model], FEW, "r1"):
        pytest.fail("opened")
    assert caught.value.got == "8 MiB"
    assert phone.files() == []


def test_a_disk_that_fills_up_meanwhile_is_called_full_and_left_clean(
    make: Callable[..., RealPhone], folder: Path, model: Artifact
) -> None:
    """Its df says that there is room; adbd then runs into the end of the disk."""
    phone = make(storage="size=8m")
    (phone.side.bin / "df").unlink()
    phone.side._program("df", "echo Filesystem 1K-blocks Used Available Use% Mounted on; echo x 9 1 99999999 1% /data")
    with (
        pytest.raises(DeviceError, match="the phone is full") as caught,
        target(phone).open(folder, [model], FEW, "r1"),
    ):
        pytest.fail("opened")
    assert "No space left on device" in str(caught.value.got)
    assert phone.files() == []


def test_ctrl_c_in_the_middle_of_a_job_leaves_nothing(phone: RealPhone, folder: Path, model: Artifact) -> None:
    code = f"""
import sys
from pathlib import Path
from imageqx_export.artifact import Manifest
from imageqx_export.bench.android.target import AdbTarget
from imageqx_export.bench.model import Schedule
folder = Path({str(folder)!r})
model = next(one for one in Manifest.model_validate_json((folder / "manifest.json").read_text()).artifacts
             if one.path.name == {model.path.name!r})
long = Schedule(warmup_runs=500, runs=2, processes=1)
target = AdbTarget({phone.serial!r}, fixed_performance=True)
with target.open(folder, [model], long, "r1"):
    target.sample(model, long)
"""
    job: list[int] = []

    def interrupt() -> None:
        file = phone.job()
        assert file is not None
        job.append(int(file.read_text()))
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)  # an impatient person

    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    thread = when(lambda: phone.job() or process.poll() is not None, interrupt)
    _, stderr = process.communicate(timeout=120)
    thread.join()
    assert "KeyboardInterrupt" in stderr
    assert phone.side.modes == [ON, OFF]
    assert phone.files() == []
    assert ended(job[0])


@pytest.mark.parametrize(("answers", "state"), [(True, "unauthorized"), (False, "offline")])
def test_a_phone_that_has_not_allowed_this_computer_is_refused(answers: bool, state: str) -> None:
    phone = Strict(answers)
    words = [client(), "connect", phone.serial]
    connect = threading.Thread(target=lambda: subprocess.run(words, capture_output=True, check=False, timeout=60))
    connect.start()
    try:
        end = time.monotonic() + 30
        while (now := list_phones(reach_server(30), 30).get(phone.serial)) != state and time.monotonic() < end:
            time.sleep(0.1)
        assert now == state
        with pytest.raises(DeviceError, match="cannot be used now") as caught:
            choose_phone(list_phones(reach_server(30), 30), phone.serial)
        assert caught.value.got == state
    finally:
        adb("disconnect", phone.serial)
        connect.join()
        phone.close()


def test_a_phone_that_goes_away_is_told_from_a_command_that_fails(phone: RealPhone) -> None:
    link = talk(phone)
    threading.Timer(1, phone.signal, (signal.SIGKILL,)).start()
    with pytest.raises(PhoneGoneError):
        link.shell("sleep 5")
