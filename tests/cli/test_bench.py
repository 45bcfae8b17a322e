"""The command: what it prints, what it appends, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from imageqx_export.bench.history import load_history
from imageqx_export.bench.model import QUICK, BenchRun, Schedule, Target
from imageqx_export.bench.stage import BenchConfig, measure
from imageqx_export.bench.targets import AdbOptions
from imageqx_export.cli.bench import app
from imageqx_export.cli.show import bench as show
from imageqx_export.errors import MeasurementError, UnknownNameError
from tests.bench.tiny import SHORT, FakeTarget, broken, tiny_folder

NOTE = "smoke test: these numbers decide nothing"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("cli") / "tiny")


def test_the_host_for_real(folder: Path, tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    options = ["--quick", "--json", "--formats", "tflite,coreml", "--history", str(history)]
    result = CliRunner().invoke(app, [str(folder), *options])
    assert result.exit_code == 0, result.output
    body = json.loads(result.stdout)
    assert body["note"] == NOTE
    (run,) = (BenchRun.model_validate(one) for one in body["runs"])
    assert (run,) == load_history(history)
    assert run.target == "host" and run.schedule == QUICK and run.commit != ""
    found, package = run.measurements
    assert len(found.samples) == QUICK.processes and len(found.seconds) >= QUICK.runs
    assert sum(found.seconds) >= QUICK.seconds and found.max_error == 0.0
    assert found.peak_memory_bytes and found.layers and found.instructions is None and found.notes == ()
    assert sys.platform == "darwin" or package.unavailable == "needs macOS"
    first, second = body["summaries"]
    assert (first["artifact"], second["artifact"]) == ("tiny_fp32.tflite", "tiny_fp32.mlpackage")
    assert 0 < first["p50"] <= first["p90"] <= first["p99"] and second["p50"] is None


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> list[FakeTarget]:
    """Stand in for the targets; the test says which."""
    made: list[FakeTarget] = []

    def make_targets(texts: list[str], options: AdbOptions) -> tuple[Target, ...]:
        return tuple(made)

    monkeypatch.setattr("imageqx_export.bench.targets.make_targets", make_targets)
    return made


def test_every_option_reaches_the_stage(folder: Path, fakes: list[FakeTarget], tmp_path: Path) -> None:
    fakes += [FakeTarget(), FakeTarget(timed=False)]
    history = tmp_path / "history.jsonl"
    options = ["--threads", "4", "--instructions", "--formats", "onnx", "--precisions", "fp16", "--target", "a"]
    result = CliRunner().invoke(app, [str(folder), *options, "--history", str(history), "--json"])
    assert result.exit_code == 0, result.output
    runs = load_history(history)
    assert [run.schedule for run in runs] == [Schedule(threads=4)] * 2
    assert [[m.artifact for m in run.measurements] for run in runs] == [["tiny_fp16.onnx"]] * 2
    assert all(m.instructions for run in runs for m in run.measurements)
    assert json.loads(result.stdout)["note"] is None


def test_a_broken_artifact_is_exit_1_and_is_kept(folder: Path, fakes: list[FakeTarget], tmp_path: Path) -> None:
    fakes.append(FakeTarget(fails={("sample", "tiny_fp16.onnx"): broken()}))
    history = tmp_path / "history.jsonl"
    result = CliRunner().invoke(app, [str(folder), "--history", str(history)])
    assert result.exit_code == 1
    assert "failed tiny_fp16.onnx: the runner crashed: SIGSEGV" in result.output
    assert load_history(history)[0].measurements[1].failed


def test_nothing_measured_is_exit_1(folder: Path, fakes: list[FakeTarget]) -> None:
    fakes.append(FakeTarget())
    result = CliRunner().invoke(app, [str(folder), "--formats", "coreml"])
    assert result.exit_code == 1 and "unavailable tiny_fp32.mlpackage: needs macOS" in result.output


def test_an_earlier_targets_run_is_kept(folder: Path, fakes: list[FakeTarget], tmp_path: Path) -> None:
    fakes += [FakeTarget(), FakeTarget(fails={("sample", "tiny_fp16.onnx"): KeyboardInterrupt()})]
    history = tmp_path / "history.jsonl"
    assert CliRunner().invoke(app, [str(folder), "--history", str(history)]).exit_code != 0
    assert len(load_history(history)) == 1


@pytest.mark.parametrize("trouble", ["cut off", "folder", "full", "unwritable"])
def test_the_history_is_checked_before_anything_is_measured(
    folder: Path, fakes: list[FakeTarget], tmp_path: Path, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes.append(FakeTarget())
    history = tmp_path / "history.jsonl"
    if trouble == "cut off":
        history.write_text('{"half')
    elif trouble == "folder":
        history.mkdir()
    elif trouble == "full":
        monkeypatch.setattr("imageqx_export.support.files.tempfile.TemporaryFile", lambda **_: open("/dev/full", "wb"))  # noqa: SIM115
    else:
        history = tmp_path / "file" / "history.jsonl"
        history.parent.touch()
    before = sorted(tmp_path.rglob("*"))
    result = CliRunner().invoke(app, [str(folder), "--history", str(history)])
    assert isinstance(result.exception, MeasurementError | OSError)
    if trouble == "full":
        assert isinstance(result.exception, OSError) and result.exception.filename == str(history)
    assert fakes[0].calls == [], "something was measured"
    assert [path for path in sorted(tmp_path.rglob("*")) if not path.name.endswith(".lock")] == before


def test_a_run_that_cannot_be_kept_is_printed(
    folder: Path, fakes: list[FakeTarget], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full by then."""
    fakes.append(FakeTarget())
    history = tmp_path / "history.jsonl"

    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("imageqx_export.bench.history.os.fsync", fail)
    result = CliRunner().invoke(app, [str(folder), "--history", str(history)])
    assert isinstance(result.exception, OSError) and not history.exists()
    assert "this line belongs there" in result.stderr and "fake: fake phone" in result.stdout
    line = next(line for line in result.stderr.splitlines() if line.startswith("{"))
    monkeypatch.undo()
    history.write_text(line + "\n")
    (kept,) = load_history(history)
    assert len(kept.measurements) == 3


def test_an_earlier_targets_run_is_printed(folder: Path, fakes: list[FakeTarget]) -> None:
    fakes += [FakeTarget(), FakeTarget(fails={("sample", "tiny_fp16.onnx"): KeyboardInterrupt()})]
    result = CliRunner().invoke(app, [str(folder)])
    assert result.exit_code != 0 and result.stdout.count("fake: fake phone") == 1


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (["--target", "toaster"], UnknownNameError, "emulated:cortex-a76"),
        (["--formats", "tensorrt"], UnknownNameError, "coreml"),
        (["--precisions", "int8"], UnknownNameError, "fp16"),
        (["--fixed-performance"], MeasurementError, "attached Android phones"),
        (["--benchmark-model", "tool"], MeasurementError, "attached Android phones"),
        (["--threads", "10000", "--quick"], MeasurementError, "more threads than cores"),
    ],
)
def test_mistakes_are_errors_of_ours(folder: Path, options: list[str], error: type[Exception], words: str) -> None:
    result = CliRunner().invoke(app, [str(folder), *options])
    assert isinstance(result.exception, error) and words in str(result.exception)


def table(run: BenchRun, capsys: pytest.CaptureFixture[str]) -> str:
    show.show_runs([run], as_json=False)
    return capsys.readouterr().out


def test_the_table_says_everything(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fails = {("profile_layers", "tiny_fp16.onnx"): broken()}
    text = table(measure(folder, FakeTarget(fails=dict(fails)), BenchConfig(SHORT, instructions=True)), capsys)
    assert "fake: fake phone" in text and NOTE not in text
    for column in ("bytes", "load ms", "first", "p50", "p90", "p99", "peak MiB", "Minstr", "max |Δ|"):
        assert column in text
    row = next(line for line in text.splitlines() if line.startswith("│ tiny_fp32.tflite"))
    # Samples of 10, 20, 10 and 40 ms; the percentiles by hand.
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells[2:] == ["100.00", "200.00", "15.00", "34.00", "39.40", "64.0", "2.00", "1.0e-06"]
    assert cells[1] == str((folder / "tiny_fp32.tflite").stat().st_size)
    assert "from a photo to a verdict, ms: a photo" in text
    photo = [line for line in text.splitlines() if line.startswith("│ tiny_fp32.tflite")][1]
    # Load 100 ms, pixels 30; inferences of 30 ms, then 10 and 20; the decision 1.
    assert [cell.strip() for cell in photo.strip("│").split("│")][1:] == [
        "161.0",
        "100.0",
        "30.0",
        "46.0",
        "30.0",
        "15.0",
    ]
    assert "unavailable tiny_fp32.mlpackage: needs macOS" in text
    assert "missing tiny_fp16.onnx: layers: the runner crashed: SIGSEGV" in text
    assert "too few tiny_fp32.tflite: 4 runs, 0.1 s, 2 processes; the schedule wants 6, 0 s, 2" in text
    assert "≥ 6 runs" in text and "2 fresh processes" in text and "1 thread" in text
    assert "cores: 8" in text and "temperature: 32–35 °C" in text and "governor: performance" in text
    assert "fake 1.0" in text and "counted by fake, repeated within 0.0500%" in text
    assert "kernels, as seen running: neon" in text


def test_a_quick_run_says_so_in_the_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert NOTE in table(measure(folder, FakeTarget(), BenchConfig(QUICK)), capsys)


def test_an_emulator_shows_no_seconds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = table(measure(folder, FakeTarget(timed=False), BenchConfig(SHORT)), capsys)
    row = next(line for line in text.splitlines() if line.startswith("│ tiny_fp32.tflite"))
    assert [cell.strip() for cell in row.strip("│").split("│")][2:7] == ["–"] * 5
    assert "temperature: not readable" in text


def test_help_loads_no_heavy_library() -> None:
    script = (
        "import sys; from typer.testing import CliRunner; from imageqx_export.cli.bench import app\n"
        "result = CliRunner().invoke(app, ['--help']); assert result.exit_code == 0\n"
        "assert 'Example: imageqx bench' in result.stdout\n"
        "heavy = {'torch', 'numpy', 'onnx', 'coremltools', 'PIL', 'psutil', 'rich.table'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
