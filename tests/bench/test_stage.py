"""The stage, with a target that only remembers: turns, failures, and nothing half-done."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from imageqx_export.artifact import Format, Precision
from imageqx_export.bench.model import PhotoTarget, ProcessSample
from imageqx_export.bench.stage import BenchConfig, measure, read_commit
from imageqx_export.bench.summary import has_passed
from imageqx_export.bench.targets import make_target
from imageqx_export.errors import DeviceError, MeasurementError, ParityError
from imageqx_export.support.signals import StopSignal, raise_on_signals
from tests.bench.tiny import SHORT, FakePhone, FakeTarget, broken, gone, tiny_folder

TFLITE, ONNX, COREML = "tiny_fp32.tflite", "tiny_fp16.onnx", "tiny_fp32.mlpackage"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_folder(tmp_path / "tiny")


def test_measures_everything_in_turn(folder: Path) -> None:
    target = FakeTarget()
    run = measure(folder, target, BenchConfig(SHORT, instructions=True))
    turns = [name for what, name in target.calls if what == "sample"]
    assert turns == [TFLITE, ONNX] * SHORT.processes
    assert target.calls[0] == ("open", "") and target.calls[-1] == ("close", "")
    last = max(i for i, (what, _) in enumerate(target.calls) if what == "sample")
    photos = [name for what, name in target.calls if what == "time_photo"]
    assert photos == [TFLITE, ONNX] * SHORT.processes, "in turns, too, and when nothing else is timed"
    assert target.calls.index(("time_photo", TFLITE)) == last + 1
    apart = {"measure_peak_memory", "measure_error", "profile_layers", "count_instructions", "find_kernels"}
    rest = {what for what, _ in target.calls[last + 1 : -1]}
    assert rest == {*apart, "time_photo"}, "only what is not timed comes after the timing"
    assert target.ready >= len(turns), "it waits before each process"

    assert (run.target, run.checkpoint_sha256, run.schedule) == ("fake", "c" * 64, SHORT)
    assert run.tool_versions == {"fake": "1.0"} and run.machine.name == "fake phone"
    assert [run.run_id] == target.run_ids
    first = run.measurements[0]
    assert (first.artifact, first.format, first.precision) == (TFLITE, Format.TFLITE, Precision.FP32)
    assert first.size_bytes == (folder / TFLITE).stat().st_size
    assert [sample.seconds[1] for sample in first.samples] == pytest.approx([0.02, 0.04]), "raw, in order"
    assert first.samples[0].temperature_before == 32.0
    assert (first.peak_memory_bytes, first.max_error, first.kernels) == (64 * 2**20, 1e-6, "neon")
    assert first.instructions is not None and first.layers[0].kind == "CAST"
    assert [one.load for one in first.photos] == [0.1, 0.1] and len(first.photos[0].warm) == 2
    assert first.notes == () and not first.failed and has_passed(run)


def test_a_photo_that_cannot_be_judged_is_a_note(folder: Path) -> None:
    target = FakeTarget(fails={("time_photo", TFLITE): broken()})
    first, second, _ = measure(folder, target, BenchConfig(SHORT)).measurements
    assert first.notes == ("photo: the runner crashed: SIGSEGV",) and first.photos == () and not first.failed
    assert len(second.photos) == SHORT.processes and second.notes == ()
    with pytest.raises(DeviceError):
        measure(folder, FakeTarget(fails={("time_photo", ONNX): gone()}), BenchConfig(SHORT))


def test_a_smoke_test_judges_a_photo_once(folder: Path) -> None:
    run = measure(folder, FakeTarget(), BenchConfig(SHORT.model_copy(update={"quick": True})))
    assert [len(one.photos) for one in run.measurements] == [1, 1, 0]
    assert not measure(folder, FakeTarget(timed=False), BenchConfig(SHORT)).measurements[0].photos


def test_a_target_without_photos_is_neither_asked_nor_waited_for(folder: Path) -> None:
    phone, titles = FakePhone(), list[str]()

    @contextmanager
    def note(title: str, total: int) -> Iterator[Callable[[], None]]:
        titles.append(title)
        yield lambda: None

    run = measure(folder, phone, BenchConfig(SHORT), progress=note)
    assert has_passed(run) and all(one.photos == () and one.notes == () for one in run.measurements)
    assert not any("photo" in title for title in titles)
    host = FakeTarget()
    measure(folder, host, BenchConfig(SHORT), progress=note)
    assert host.ready == phone.ready + 2 * SHORT.processes and any("photo" in title for title in titles)


@pytest.mark.parametrize(("kind", "timed"), [("host", True), ("adb", False), ("ios:x", False), ("web:chromium", False)])
def test_only_this_machine_times_photos(kind: str, timed: bool) -> None:
    assert isinstance(make_target(kind), PhotoTarget) is timed


def test_the_unavailable_is_a_result_of_its_own(folder: Path) -> None:
    target = FakeTarget()
    package = measure(folder, target, BenchConfig(SHORT)).measurements[2]
    assert (package.artifact, package.unavailable, package.failed) == (COREML, "needs macOS", False)
    assert package.samples == () and package.peak_memory_bytes is None
    assert not any(name == COREML for _, name in target.calls)
    alone = measure(folder, target, BenchConfig(SHORT, formats=[Format.COREML]))
    assert not has_passed(alone), "nothing measured is no pass"


def test_instructions_are_counted_when_asked(folder: Path) -> None:
    assert all(
        m.instructions is None and m.notes == () for m in measure(folder, FakeTarget(), BenchConfig(SHORT)).measurements
    )
    counted = measure(folder, FakeTarget(), BenchConfig(SHORT, instructions=True)).measurements
    assert [m.instructions is not None for m in counted] == [True, True, False]


def test_an_emulators_seconds_are_never_taken(folder: Path) -> None:
    target = FakeTarget(timed=False)
    run = measure(folder, target, BenchConfig(SHORT))
    assert "sample" not in {what for what, _ in target.calls}
    assert run.measurements[0].samples == () and run.measurements[0].seconds == ()
    assert run.measurements[0].instructions is not None, "what an emulator is for"
    assert has_passed(run)


def test_one_that_breaks_stops_and_the_others_go_on(folder: Path) -> None:
    target = FakeTarget(fails={("sample", TFLITE): broken()})
    run = measure(folder, target, BenchConfig(SHORT))
    bad, good = run.measurements[:2]
    assert bad.failed and bad.unavailable == "the runner crashed: SIGSEGV" and bad.samples == ()
    assert [name for what, name in target.calls if what == "sample"] == [TFLITE, ONNX, ONNX], "not tried again"
    assert len(good.samples) == SHORT.processes and not good.failed
    assert not has_passed(run)


def test_a_number_that_is_missing_is_told(folder: Path) -> None:
    fails = {
        ("count_instructions", TFLITE): MeasurementError("valgrind is not installed"),
        ("profile_layers", TFLITE): broken(),
    }
    run = measure(folder, FakeTarget(fails=dict(fails)), BenchConfig(SHORT, instructions=True))
    first = run.measurements[0]
    assert first.instructions is None and first.layers == () and first.peak_memory_bytes is not None
    assert sorted(first.notes) == ["instructions: valgrind is not installed", "layers: the runner crashed: SIGSEGV"]
    assert has_passed(run)


def test_an_emulator_on_which_nothing_works_has_failed(folder: Path) -> None:
    calls = ("measure_peak_memory", "count_instructions", "profile_layers", "find_kernels", "measure_error")
    run = measure(folder, FakeTarget(timed=False, fails={(call, ONNX): broken() for call in calls}), BenchConfig(SHORT))
    assert [m.failed for m in run.measurements] == [False, True, False]
    assert "SIGSEGV" in (run.measurements[1].unavailable or "") and not has_passed(run)


@pytest.mark.parametrize("what", ["sample", "measure_peak_memory", "profile_layers"])
@pytest.mark.parametrize("failure", [gone(), KeyboardInterrupt(), OSError(28, "disk full")], ids=repr)
def test_what_concerns_all_ends_the_run_and_closes_the_target(folder: Path, what: str, failure: BaseException) -> None:
    before = sorted(path for path in folder.parent.rglob("*"))
    target = FakeTarget(fails={(what, ONNX): failure})
    with pytest.raises(type(failure)):
        measure(folder, target, BenchConfig(SHORT))
    assert target.calls[-1] == ("close", "") and target.calls.count(("close", "")) == 1
    assert sorted(path for path in folder.parent.rglob("*")) == before


def test_ignored_signals_stay_ignored_and_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with raise_on_signals():
            signal.raise_signal(signal.SIGHUP)  # as after nohup: nothing happens
            with pytest.raises(StopSignal) as caught:
                signal.raise_signal(signal.SIGTERM)
        assert caught.value.number == signal.SIGTERM
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP)) == (before[0], signal.SIG_IGN)
    finally:
        signal.signal(signal.SIGHUP, before[1])


def test_a_target_that_does_not_get_ready(folder: Path) -> None:
    class Hot(FakeTarget):
        def wait_until_ready(self) -> None:
            raise DeviceError("it does not cool down")

    target = Hot()
    with pytest.raises(DeviceError, match="cool down"):
        measure(folder, target, BenchConfig(SHORT))
    assert [what for what, _ in target.calls] == ["open", "close"]


def test_filters(folder: Path) -> None:
    def names(**only: object) -> list[str]:
        return [m.artifact for m in measure(folder, FakeTarget(), BenchConfig(SHORT, **only)).measurements]  # type: ignore[arg-type]

    assert names(formats=[Format.ONNX]) == [ONNX]
    assert names(precisions=[Precision.FP32]) == [TFLITE, COREML]
    with pytest.raises(MeasurementError, match="nothing to measure") as caught:
        names(formats=[Format.ONNX], precisions=[Precision.FP32])
    assert ONNX in (caught.value.got or "")


@pytest.mark.parametrize("name", [TFLITE, f"{COREML}/Manifest.json", "golden/expected.json", "golden/00.png"])
@pytest.mark.parametrize("change", ["append", "delete"])
def test_a_changed_file_is_refused_before_anything_runs(folder: Path, name: str, change: str) -> None:
    path, target = folder / name, FakeTarget()
    if change == "append":
        path.write_bytes(path.read_bytes() + b"x")
    else:
        path.unlink()
    with pytest.raises(MeasurementError, match="not the one that was exported") as caught:
        measure(folder, target, BenchConfig(SHORT))
    assert Path(caught.value.where or "").name in (path.name, COREML) and target.calls == []


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ParityError, match="no manifest"):
        measure(tmp_path, FakeTarget(), BenchConfig(SHORT))


def test_every_run_has_an_id_of_its_own_that_can_name_files(folder: Path) -> None:
    ids = {measure(folder, FakeTarget(), BenchConfig(SHORT)).run_id for _ in range(20)}
    assert len(ids) == 20 and all(part.replace("-", "").isalnum() for part in ids)


def test_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        done = subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert read_commit() == "unknown"
    git("init")
    assert read_commit() == "unknown", "there is a repository, and no commit"
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-m", "first")
    assert read_commit() == git("rev-parse", "HEAD")
    (tmp_path / "history.jsonl").write_text("")
    assert read_commit() == git("rev-parse", "HEAD"), "what git does not know is no change"
    (tmp_path / "a").write_text("2")
    assert read_commit() == git("rev-parse", "HEAD") + "+dirty"
    monkeypatch.setenv("PATH", "")
    assert read_commit() == "unknown"


def test_progress_reaches_its_end(folder: Path) -> None:
    from contextlib import contextmanager

    bars: dict[str, list[int]] = {}

    @contextmanager
    def progress(description: str, total: int) -> Iterator[Callable[[], None]]:
        bars[description] = [0, total]
        yield lambda: bars[description].__setitem__(0, bars[description][0] + 1)

    measure(folder, FakeTarget(fails={("sample", TFLITE): broken()}), BenchConfig(SHORT), progress=progress)
    assert len(bars) == 3 and all(done == total > 0 for done, total in bars.values())
    assert json.loads((folder / "manifest.json").read_text())["model"] == "tiny"


def test_what_is_no_number_is_left_out_and_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = FakeTarget()
    monkeypatch.setattr(target, "measure_error", lambda artifact: float("nan"))
    monkeypatch.setattr(target, "measure_peak_memory", lambda artifact, schedule: -1)
    first = measure(folder, target, BenchConfig(SHORT)).measurements[0]
    assert first.max_error is None and first.peak_memory_bytes is None and first.samples
    assert [note.split(":")[0] for note in first.notes] == ["peak memory bytes", "max error"]


def test_a_time_that_is_no_number_fails_its_artifact(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = FakeTarget()
    nan = {"load_seconds": 0.1, "first_seconds": 0.1, "seconds": [float("nan")]}
    monkeypatch.setattr(target, "sample", lambda artifact, schedule: ProcessSample.model_validate(nan))
    run = measure(folder, target, BenchConfig(SHORT))
    assert run.measurements[0].failed and "seconds.0" in (run.measurements[0].unavailable or "")
