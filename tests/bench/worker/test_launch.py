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
from imageqx_export.bench.worker.launch import Launcher
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
