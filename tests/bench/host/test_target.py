"""The machine itself as a target, with artifacts that do next to nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imageqx_export.artifact import Artifact, BinaryDecision, Format, TensorSpec
from imageqx_export.bench.host import facts
from imageqx_export.bench.host.facts import Sensor, choose_cores, describe_machine, pick_cores
from imageqx_export.bench.host.target import HostTarget
from imageqx_export.bench.instructions import Counter
from imageqx_export.bench.worker.launch import RUNNER
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.errors import DeviceError, MeasurementError, UnavailableError
from tests.bench.tiny import SHORT, SPEC, tiny_folder

linux = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot pin")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("host") / "tiny")


@pytest.fixture(scope="module")
def target(folder: Path) -> Iterator[HostTarget]:
    target = HostTarget()
    with target.open(folder, read_manifest(folder).artifacts, SHORT, "test"):
        yield target


def artifact(folder: Path, format: Format) -> Artifact:
    return next(a for a in read_manifest(folder).artifacts if a.format is format)


RUNNABLE = pytest.mark.parametrize("format", [Format.TFLITE, Format.ONNX])


@RUNNABLE
def test_measures(target: HostTarget, folder: Path, format: Format) -> None:
    tiny = artifact(folder, format)
    assert target.explain_unavailable(tiny) is None
    sample = target.sample(tiny, SHORT)
    assert sample.download_bytes is None, "nothing is fetched here, and 0 would be a measurement"
    assert len(sample.seconds) == SHORT.runs_each == 3 and min(sample.seconds) > 0
    assert abs(sample.started - time.time()) < 60
    assert 20 * 2**20 < (target.measure_peak_memory(tiny, SHORT) or 0) < 2**30
    assert target.measure_error(tiny) == 0.0
    assert [layer.kind.lower() for layer in target.profile_layers(tiny, SHORT)] == ["cast"]
    assert target.find_kernels(tiny) is None
    library = {Format.TFLITE: "ai-edge-litert", Format.ONNX: "onnxruntime"}[format]
    assert {library, "numpy", "python"} <= target.list_tool_versions().keys()


@RUNNABLE
def test_a_file_that_decides_nothing_judges_no_photo(target: HostTarget, folder: Path, format: Format) -> None:
    assert target.time_photo(artifact(folder, format), SHORT) is None


def test_a_photo_comes_to_a_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from imageqx_export.bench import photo
    from imageqx_export.bench.host import target as host

    monkeypatch.setattr(host, "make_photo", lambda: photo.make_photo(640, 480))
    folder = tiny_folder(tmp_path / "tiny", coreml=False)
    names = TensorSpec(name="same", shape=(1, 1), dtype="float32")
    binary = BinaryDecision(output="same", threshold=0.5, hint="again")
    deciding = SPEC.model_copy(update={"labels": (), "binary": binary, "outputs": (names,)})
    one = HostTarget()
    with one.open(folder, read_manifest(folder).artifacts, SHORT, "test"):
        for format in (Format.TFLITE, Format.ONNX):
            sample = one.time_photo(artifact(folder, format).model_copy(update={"spec": deciding}), SHORT)
            assert sample is not None and sample.photo.startswith("4032 × 3024 JPEG, ")
            assert len(sample.warm) == photo.TURNS and min(turn.pixels for turn in sample.warm) > 0
            assert sample.load > 0 and 0 < sample.cold.inference < sample.cold.seconds
        wrong = deciding.model_copy(update={"binary": binary.model_copy(update={"output": "other"})})
        assert one.time_photo(artifact(folder, Format.ONNX).model_copy(update={"spec": wrong}), SHORT) is None


def test_the_error_is_against_pytorchs_outputs(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "tiny", off_by=0.5)
    target = HostTarget()
    with target.open(folder, read_manifest(folder).artifacts, SHORT, "test"):
        assert target.measure_error(artifact(folder, Format.TFLITE)) == 0.5


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS runs Core ML")
def test_core_ml_needs_macos(target: HostTarget, folder: Path) -> None:
    assert target.explain_unavailable(artifact(folder, Format.COREML)) == "needs macOS"


def test_a_missing_library_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert HostTarget().explain_unavailable(artifact(folder, Format.ONNX)) == "onnxruntime is not installed"


def test_a_file_that_cannot_be_run(target: HostTarget, folder: Path) -> None:
    broken = artifact(folder, Format.TFLITE).model_copy(update={"path": Path("manifest.json")})
    with pytest.raises(MeasurementError) as caught:
        target.sample(broken, SHORT)
    assert "not a TFLite flatbuffer" in str(caught.value)


def test_closed_it_measures_nothing(folder: Path) -> None:
    with pytest.raises(MeasurementError, match="not open"):
        HostTarget().sample(artifact(folder, Format.TFLITE), SHORT)


def fake_counter(body: str) -> Counter:
    """Return a counter that is a shell script: $1 is its file, the rest the command."""
    return Counter(
        "fake",
        "fake",
        "1",
        lambda file: ["sh", "-c", body, "sh", str(file)],
        int,
        lambda log: "it said so" if "trouble" in log else None,
    )


def test_counts_with_what_there_is(target: HostTarget, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Counts 1000 and, per inference that the request asks for, 70.
    body = 'log=$1; shift; n=$(sed "s/.*runs...\\([0-9]*\\).*/\\1/" "$4"); echo $((1000 + 70 * n)) > "$log"; "$@"'
    tiny = artifact(folder, Format.ONNX)
    monkeypatch.setattr(target, "_counter", fake_counter(body))
    found = target.count_instructions(tiny, SHORT)
    assert found is not None and (found.count, found.source) == (70.0, "fake")
    assert target.list_tool_versions()["fake"] == "1"


def test_a_counter_that_cannot(target: HostTarget, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Counter:
        raise UnavailableError("valgrind is not installed; perf is not installed")

    monkeypatch.setattr(target, "_counter", None)
    monkeypatch.setattr("imageqx_export.bench.host.target.find_counter", refuse)
    with pytest.raises(UnavailableError, match="valgrind is not installed"):
        target.count_instructions(artifact(folder, Format.ONNX), SHORT)


@pytest.mark.parametrize(
    ("body", "got"),
    [('echo trouble > "$1"; exit 132', "it said so"), ('echo x > "$1"; shift; "$@"', "invalid literal")],
)
def test_a_counter_that_fails(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str, got: str) -> None:
    target = HostTarget()
    with target.open(folder, (), SHORT, "test"):
        monkeypatch.setattr(target, "_counter", fake_counter(body))
        with pytest.raises(MeasurementError, match="fake cannot count this") as caught:
            target.count_instructions(artifact(folder, Format.ONNX), SHORT)
        assert got in (caught.value.got or "")


class Sensors:
    """Temperatures that fall by 10 °C with each look."""

    def __init__(self, celsius: float, falls: float, limit: float | None = 80.0) -> None:
        self.celsius, self.falls, self.limit, self.waits = celsius, falls, limit, list[float]()

    def __call__(self) -> Sequence[Sensor]:
        return [Sensor("cool", 20.0, 80.0), Sensor("cpu", self.celsius, self.limit)]

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.celsius -= self.falls


def test_waits_until_it_is_cool() -> None:
    warm, unlimited = Sensors(99.0, 10.0), Sensors(200.0, 0.0, None)
    for sensors in (warm, unlimited):
        HostTarget(sensors, sensors.sleep).wait_until_ready()
    assert warm.celsius == 79.0 and len(warm.waits) == 2
    assert unlimited.waits == []


def test_does_not_wait_for_ever() -> None:
    sensors = Sensors(99.0, 0.0)
    with pytest.raises(DeviceError, match="does not cool down") as caught:
        HostTarget(sensors, sensors.sleep).wait_until_ready()
    assert sum(sensors.waits) == 300 and caught.value.where == "cpu" and "99" in (caught.value.got or "")


def test_quiet_cores_first_and_apart() -> None:
    pairs = {core: frozenset({core, core ^ 1}) for core in range(4)}  # 0 and 1 share a physical core; 2 and 3 too
    load = {0: 50.0, 1: 10.0, 2: 20.0, 3: 100.0}
    assert choose_cores(1, range(4), load, pairs) == (1,)
    assert choose_cores(2, range(4), load, pairs) == (1, 2), "0 is quieter than 3, and shares a core with 1"
    assert choose_cores(3, range(4), load, pairs) == (0, 1, 2)
    with pytest.raises(MeasurementError, match="more threads than cores"):
        choose_cores(5, range(4), load, pairs)


@settings(deadline=None)
@given(st.data(), st.sets(st.integers(0, 31), min_size=1, max_size=12))
def test_as_many_cores_as_threads(data: st.DataObject, allowed: set[int]) -> None:
    threads = data.draw(st.integers(1, len(allowed)))
    load = data.draw(st.dictionaries(st.integers(0, 31), st.floats(0, 100)))
    found = choose_cores(threads, allowed, load, {core: frozenset({core, core ^ 1}) for core in allowed})
    assert len(set(found)) == threads and set(found) <= allowed and list(found) == sorted(found)


@linux
def test_one_thread_gets_one_core_of_those_it_may_use() -> None:
    cores = pick_cores(1)
    assert cores is not None and len(cores) == 1 and set(cores) <= os.sched_getaffinity(0)
    with pytest.raises(MeasurementError):
        pick_cores(10_000)


@linux
def test_facts() -> None:
    cores = pick_cores(1)
    found = describe_machine(cores)
    assert found.name and found.cores == 1 and found.abi == os.uname().machine and found.system.startswith("Linux")
    assert cores is not None and found.facts["pinned"] == str(cores[0])
    assert all(found.facts.values()) and {"load before", "memory"} <= found.facts.keys()
    everything = describe_machine(tuple(os.sched_getaffinity(0)))
    assert everything.facts["spare cores"].startswith("0") and ("spare cores" in found.facts) == (
        len(os.sched_getaffinity(0)) == 1
    )


def test_sensors_are_psutils(monkeypatch: pytest.MonkeyPatch) -> None:
    row = SimpleNamespace(label="Core 0", current=45.0, high=80.0, critical=100.0)
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: {"coretemp": [row]}, raising=False)
    assert list(facts.read_sensors()) == [Sensor("coretemp Core 0", 45.0, 80.0)]


_LITERT_THAT_NEVER_LOADS = """
import os, pathlib, time
here = pathlib.Path(__file__).parent
(here / "part").write_text(str(os.getpid()))
(here / "part").rename(here / "loading")
time.sleep(600)
"""


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)],
    ids=["Ctrl-C", "cancelled", "killed"],
)
@linux
def test_a_run_that_is_stopped_leaves_nothing(folder: Path, tmp_path: Path, number: signal.Signals, code: int) -> None:
    """The runner is stuck in its library, so that it is stopped in the middle, however fast or slow the machine is."""
    temporary, history, library = tmp_path / "temporary", tmp_path / "history.jsonl", tmp_path / "ai_edge_litert"
    temporary.mkdir()
    library.mkdir()
    (library / "__init__.py").touch()
    (library / "interpreter.py").write_text(_LITERT_THAT_NEVER_LOADS)
    script = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job ignores it
        "import typer; from imageqx_export import cli; from imageqx_export.cli import bench\n"
        "cli.app = typer.Typer(); cli.app.add_typer(bench.app); cli.main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, "bench", str(folder), "--history", str(history)],
        env={**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(tmp_path)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    loading = library / "loading"
    while not loading.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    runner = psutil.Process(int(loading.read_text()))
    assert str(RUNNER) in runner.cmdline() and runner.ppid() == process.pid
    assert list(temporary.iterdir()), "there would be nothing to leave behind"
    process.send_signal(number)
    output, errors = process.communicate()
    assert process.returncode == code, output + errors
    assert "Traceback" not in errors
    gone, _ = psutil.wait_procs([runner], 5)
    assert gone == [runner] and not history.exists()
    if number != signal.SIGKILL:  # whose leavings the next run clears
        assert not list(temporary.iterdir())
