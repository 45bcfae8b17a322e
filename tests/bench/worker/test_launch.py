"""Starting processes: what they say comes back, and none is left behind."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from imageqx_export.bench.worker import launch
from imageqx_export.bench.worker.launch import RUNNER, Launcher
from imageqx_export.errors import MeasurementError

HEAD = "import json, os, pathlib, signal, sys, time\nasked, answered = map(pathlib.Path, sys.argv[1:])\n"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let temporary folders appear where they can be counted."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def script(folder: Path, body: str) -> Path:
    path = folder / "script.py"
    path.write_text(HEAD + body)
    return path


def test_asks_and_answers(tmp_path: Path, temporary: Path) -> None:
    body = (
        "names = ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'PYTHONHASHSEED', 'EXTRA')\n"
        "found = {name: os.environ.get(name) for name in names}\n"
        "answered.write_text(json.dumps({**json.loads(asked.read_text()), 'found': found, 'path': sys.path[0]}))\n"
    )
    result = Launcher(3).run({"path": "a", "n": 1}, script=script(tmp_path, body), environment={"EXTRA": "x"})
    assert result["n"] == 1
    assert list(result["found"].values()) == ["3", "3", "0", "x"]
    assert result["path"] != str(tmp_path), "a module beside the script would shadow the standard library's"
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(
    ("body", "what", "got"),
    [
        ("print('first', file=sys.stderr); sys.exit('the reason')", "the runner failed", "the reason"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "the runner crashed", "SIGSEGV; nothing on standard error"),
        ("pass", "the runner failed", "nothing on standard error"),
    ],
    ids=["fails", "crashes", "forgets to answer"],
)
def test_failures_are_told(tmp_path: Path, temporary: Path, body: str, what: str, got: str) -> None:
    with pytest.raises(MeasurementError) as caught:
        Launcher(1).run({"path": "a.tflite"}, script=script(tmp_path, body))
    assert (caught.value.what, caught.value.got, caught.value.where) == (what, got, "a.tflite")
    assert not list(temporary.iterdir())


def test_runs_under_a_tool(tmp_path: Path) -> None:
    body = "answered.write_text(json.dumps({'tool': os.environ['TOOL']}))"
    assert Launcher(1).run({"path": ""}, script=script(tmp_path, body), under=["env", "TOOL=x"]) == {"tool": "x"}


def test_a_hung_process_is_killed(tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "TIMEOUT", 0.5)
    with pytest.raises(MeasurementError, match="hung"):
        Launcher(1).run({"path": "", "pid": str(tmp_path / "pid")}, script=script(tmp_path, SLEEP))
    assert dead(tmp_path / "pid") and not list(temporary.iterdir())


def test_stop_kills_what_runs_and_starts_no_more(tmp_path: Path, temporary: Path) -> None:
    launcher = Launcher(1)
    errors: list[MeasurementError] = []

    def run() -> None:
        with pytest.raises(MeasurementError) as caught:
            launcher.run({"path": "", "pid": str(tmp_path / "pid")}, script=script(tmp_path, SLEEP))
        errors.append(caught.value)

    thread = threading.Thread(target=run)
    thread.start()
    while not (tmp_path / "pid").exists():
        time.sleep(0.01)
    launcher.stop()
    thread.join(10)
    assert errors and "SIGKILL" in (errors[0].got or "")
    assert dead(tmp_path / "pid") and not list(temporary.iterdir())
    with pytest.raises(MeasurementError, match="stopped"):
        launcher.run({"path": ""}, script=script(tmp_path, SLEEP))


SLEEP = (
    "pid = pathlib.Path(json.loads(asked.read_text())['pid'])\n"
    "aside = pid.with_suffix('.part'); aside.write_text(str(os.getpid())); aside.replace(pid)\n"
    "time.sleep(60)\n"
)


def dead(file: Path) -> bool:
    """Say whether the process that wrote its number to ``file`` is gone."""
    try:
        os.kill(json.loads(file.read_text()), signal.SIGCONT)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="the kernel's own")
def test_the_runner_ends_with_the_profiler_that_started_it(tmp_path: Path) -> None:
    """Which the launcher ends, or the kernel with it; the runner itself is the profiler's child."""
    import psutil

    told, place = tmp_path / "id", tmp_path / "stuck.py"
    head = 'mode, load = MODES[request["mode"]]'
    stuck = f"Path({str(told)!r}).with_suffix('.part').write_text(str(os.getpid()))"
    stuck += f"; Path({str(told)!r}).with_suffix('.part').rename({str(told)!r}); time.sleep(600); {head}"
    assert head in RUNNER.read_text()
    place.write_text(RUNNER.read_text().replace(head, stuck))
    launcher, failures = Launcher(1), list[BaseException]()

    def measure() -> None:
        try:
            launcher.run({"path": "a.onnx", "mode": "time"}, script=place, under=["sh", "-c", '"$@"; true', "sh"])
        except MeasurementError as error:
            failures.append(error)

    thread = threading.Thread(target=measure)
    thread.start()
    try:
        while not told.exists():
            assert thread.is_alive(), failures
            time.sleep(0.02)
        process = psutil.Process(int(told.read_text()))
        shell = process.parent()
        assert shell is not None and shell.name() != process.name()
    finally:
        launcher.stop()  # SIGKILL to the shell alone
        thread.join()
    gone, _ = psutil.wait_procs([process], 5)
    assert gone == [process]
