from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imageqx_export.artifact import Artifact, Format, ModelSpec, Precision, TensorSpec
from imageqx_export.bench.emulator import Emulator
from imageqx_export.bench.emulator.guest import sum_resident
from imageqx_export.bench.emulator.machine import GUEST_BASE, GUEST_SIZE
from imageqx_export.bench.emulator.target import EmulatedTarget
from imageqx_export.bench.model import QUICK
from imageqx_export.errors import DeviceError, MeasurementError, UnknownNameError

# Stands in for qemu: takes its command line, and answers the runner's request as its own artifact (a JSON file) says.
FAKE_QEMU = """#!{python}
import json, os, shutil, sys, time
arguments = sys.argv[1:]
request_path, result_path = arguments[-2:]
request = json.load(open(request_path))
told = json.load(open(request["path"]))
if told.get("hang"):
    open(told["hang"], "w").write(str(os.getpid()))
    time.sleep(60)
if told.get("refuse"):
    print("INFO: hello", file=sys.stderr)
    print(told["refuse"], file=sys.stderr)
    sys.exit(1)
if told.get("silent"):
    sys.exit(0)
if request["mode"] == "outputs":
    shutil.copyfile(told["outputs"], request["outputs"])
if request["mode"] == "count" and not told.get("mute"):
    runs = request["runs"]
    plugins = [arguments[i + 1] for i, a in enumerate(arguments) if a == "-plugin"]
    with open(arguments[arguments.index("-D") + 1], "w") as log:
        print("cpu 0 insns: 5", f"total insns: {{1000 + 70 * runs}}", sep="\\n", file=log)
        for row in plugins[1].split(",")[1:]:
            name = row.removeprefix("row=").split(":")[0]
            print("opcodes", name, 9 + told.get("opcodes", {{}}).get(name, 0) * runs, file=log)
json.dump({{"environment": dict(os.environ), "arguments": arguments}}, open(told["seen"], "w"))
json.dump({{"versions": {{}}}}, open(result_path, "w"))
"""


@pytest.fixture
def emulator(tmp_path: Path) -> Emulator:
    import sys

    qemu = tmp_path / "qemu"
    qemu.write_text(FAKE_QEMU.format(python=sys.executable))
    qemu.chmod(0o755)
    versions = {"qemu": "10.0.2", "libc6": "2.41-12", "python": "3.13.5"}
    return Emulator(
        root=tmp_path / "root",
        wheels=tmp_path / "wheels",
        qemu=qemu,
        insn=tmp_path / "libinsn.so",
        opcodes=tmp_path / "libopcodes.so",
        versions=versions,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    golden = tmp_path / "artifacts/golden"
    golden.mkdir(parents=True)
    Image.fromarray(np.zeros((224, 224, 3), np.uint8)).save(golden / "00.png")
    (golden / "expected.json").write_text(json.dumps({"00.png": {"quality": [0.25, 0.75]}}))
    return tmp_path / "artifacts"


def artifact(folder: Path, format: Format = Format.TFLITE, **told: object) -> Artifact:
    """Write a file that says how the fake behaves; it notes its command line and environment in ``seen``."""
    path = Path(f"a{format.suffix}")
    (folder / path).write_text(json.dumps({"seen": str(folder / "seen.json"), **told}))
    spec = ModelSpec(
        name="tiny",
        inputs=(TensorSpec(name="image", shape=(1, 224, 224, 3), dtype="uint8"),),
        outputs=(TensorSpec(name="quality", shape=(1, 2), dtype="float32"),),
        labels=("a", "b"),
        reasons=(),
        thresholds={},
        hints={},
    )
    return Artifact(
        path=path,
        format=format,
        precision=Precision.FP32,
        spec=spec,
        sha256="0" * 64,
        size_bytes=1,
        checkpoint_sha256="1" * 64,
        tool_versions={},
    )


@pytest.fixture
def target(emulator: Emulator, folder: Path) -> Iterator[EmulatedTarget]:
    made = EmulatedTarget("cortex-a76", emulator)
    with made.open(folder, [], QUICK, "run"):
        yield made


def test_says_what_it_is_and_that_its_time_means_nothing(emulator: Emulator, folder: Path) -> None:
    target = EmulatedTarget("i8mm", emulator)
    assert target.name == "emulated:i8mm"
    assert not target.timed
    with target.open(folder, [], QUICK, "run") as machine:
        assert machine.abi == "arm64-v8a"
        assert "qemu 10.0.2" in machine.system
        assert "2.41-12" in machine.system
        assert target.list_tool_versions() == emulator.versions
        assert target.profile_layers(artifact(folder), QUICK) == ()
        with pytest.raises(MeasurementError, match="seconds mean nothing"):
            target.sample(artifact(folder), QUICK)


def test_counts_what_two_more_inferences_take(target: EmulatedTarget, folder: Path) -> None:
    counted = target.count_instructions(artifact(folder), QUICK)
    assert counted is not None
    assert (counted.count, counted.repeats, counted.source) == (70, (70.0, 70.0), "qemu-insn")


@pytest.mark.parametrize(
    ("opcodes", "isa"),
    [({"fmla-element": 8}, "neon"), ({"sdot": 8, "fmla": 3}, "dotprod"), ({"smmla": 8}, "i8mm"), ({}, None)],
)
def test_shows_which_instructions_multiplied(
    opcodes: dict[str, int], isa: str | None, target: EmulatedTarget, folder: Path
) -> None:
    one = artifact(folder, opcodes=opcodes)
    assert target.find_kernels(one) == isa
    # 9 of each are executed outside the inferences, and must not count.
    assert {name: count for name, count in target.count_opcodes(one).items() if count} == opcodes


def test_compares_outputs_with_the_golden_ones(target: EmulatedTarget, folder: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "out.npz", quality=np.array([[0.25, 0.75]], np.float32))
    assert target.measure_error(artifact(folder, outputs=str(tmp_path / "out.npz"))) == 0.0
    np.savez(tmp_path / "out.npz", quality=np.array([[0.25, 0.25]], np.float32))
    assert target.measure_error(artifact(folder, outputs=str(tmp_path / "out.npz"))) == 0.5


def test_every_run_is_the_same_but_for_its_folder(
    target: EmulatedTarget, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_MACHINE", "x" * 100)
    target.find_kernels(artifact(folder))
    seen = json.loads((folder / "seen.json").read_text())
    environment = {name for name in seen["environment"] if name != "LC_CTYPE"}  # the fake's Python sets that one
    assert environment == {
        "HOME",
        "LC_ALL",
        "OMP_NUM_THREADS",
        "ORT_DISABLE_TELEMETRY",
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONHASHSEED",
        "PYTHONPATH",
    }
    assert seen["environment"]["PYTHONHASHSEED"] == "0"
    assert seen["arguments"][seen["arguments"].index("-cpu") + 1] == "cortex-a76"


def test_core_ml_is_unavailable_and_not_a_failure(target: EmulatedTarget, folder: Path) -> None:
    assert target.explain_unavailable(artifact(folder, Format.COREML)) == "Core ML runs on Apple's systems only"
    assert target.explain_unavailable(artifact(folder, Format.ONNX)) is None
    assert target.explain_unavailable(artifact(folder, Format.TFLITE)) is None


def test_an_artifact_that_does_not_run_is_an_error_with_the_runners_last_line(
    target: EmulatedTarget, folder: Path
) -> None:
    with pytest.raises(MeasurementError, match="does not run on an emulated cortex-a76") as caught:
        target.measure_error(artifact(folder, refuse="ValueError: not a TFLite flatbuffer"))
    assert caught.value.got == "ValueError: not a TFLite flatbuffer"


def test_a_process_that_ends_without_a_result_is_an_error(target: EmulatedTarget, folder: Path) -> None:
    with pytest.raises(MeasurementError, match="exit status 0"):
        target.find_kernels(artifact(folder, silent=True))


def test_plugins_that_say_nothing_are_an_error(target: EmulatedTarget, folder: Path) -> None:
    with pytest.raises(MeasurementError, match="counted nothing"):
        target.count_instructions(artifact(folder, mute=True), QUICK)


def test_memory_that_cannot_be_read_is_an_error(target: EmulatedTarget, folder: Path) -> None:
    # The fake has no mappings where the phone's memory would be.
    with pytest.raises(MeasurementError, match="memory cannot be read"):
        target.measure_peak_memory(artifact(folder), QUICK)


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split(")")[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_hung_emulator_is_killed(emulator: Emulator, folder: Path, tmp_path: Path) -> None:
    target = EmulatedTarget("cortex-a53", emulator, timeout=1.0)
    begin = time.monotonic()
    with (
        target.open(folder, [], QUICK, "run"),
        pytest.raises(DeviceError, match="the emulated cortex-a53 hangs, and was killed") as caught,
    ):
        target.measure_error(artifact(folder, hang=str(tmp_path / "pid")))
    assert time.monotonic() - begin < 30
    assert caught.value.expected == "an end within 1 s"
    assert not is_running(int((tmp_path / "pid").read_text()))


def test_leaves_no_file_behind(
    emulator: Emulator, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    target = EmulatedTarget("cortex-a53", emulator)
    with target.open(folder, [], QUICK, "run"):
        target.find_kernels(artifact(folder))
        assert list((tmp_path / "temporary").iterdir())
    assert list((tmp_path / "temporary").iterdir()) == []


def test_must_be_opened_first(emulator: Emulator, folder: Path) -> None:
    with pytest.raises(DeviceError, match="not open"):
        EmulatedTarget("cortex-a53", emulator).find_kernels(artifact(folder))


def test_refuses_a_cpu_that_nobody_emulates() -> None:
    with pytest.raises(UnknownNameError, match="cortex-a53, cortex-a76, i8mm"):
        EmulatedTarget("cortex-m0")


def test_an_emulator_that_was_not_built_says_how_to_build_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGEQX_EMULATOR", str(tmp_path / "nothing"))
    with (
        pytest.raises(DeviceError, match="make emulator"),
        EmulatedTarget("cortex-a53").open(folder, [], QUICK, "run"),
    ):
        pass


def test_only_the_phones_own_memory_counts() -> None:
    inside, last = GUEST_BASE + 0x1000, GUEST_BASE + GUEST_SIZE - 0x1000
    smaps = (
        "555500000000-555500001000 r-xp 00000000 00:00 0  /usr/bin/qemu\nSize: 8 kB\nRss: 500 kB\nPss: 400 kB\n"
        f"{inside:x}-{inside + 0x3000:x} rw-p 00000000 00:00 0\nSize: 12 kB\nRss: 12 kB\nPss: 12 kB\n"
        f"{last:x}-{last + 0x1000:x} rw-p 00000000 00:00 0\nRss: 4 kB\nSwap: 4 kB\n"
        f"{GUEST_BASE + GUEST_SIZE:x}-7fffffffffff rw-p 00000000 00:00 0  [stack]\nRss: 900 kB\n"
    )
    assert sum_resident(smaps) == 16 * 1024
    assert sum_resident("") == 0
