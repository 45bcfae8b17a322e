"""A run that an app shared: taken as it is, or refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from imageqx_export.bench.history import load_history
from imageqx_export.cli.bench import app
from imageqx_export.errors import MeasurementError

RUN: dict[str, Any] = {
    "schema_version": 1,
    "run_id": "20261130T120000Z-0123456789ab",
    "started": 1_700_000_000.0,
    "commit": "unknown",
    "target": "android-app",
    "machine": {"name": "Fake Phone", "cores": 8, "abi": "arm64-v8a", "system": "Android 15", "facts": {}},
    "schedule": {"warmup_runs": 1, "warmup_seconds": 0.0, "runs": 2, "seconds": 0.0, "processes": 1, "threads": 1},
    "tool_versions": {"tensorflow-lite": "2.16.1"},
    "checkpoint_sha256": "c" * 64,
    "measurements": [
        {
            "artifact": "imageqx_w8.tflite",
            "sha256": "b" * 64,
            "format": "tflite",
            "precision": "w8",
            "size_bytes": 4_548_145,
            "samples": [{"load_seconds": 0.05, "first_seconds": 0.02, "seconds": [0.006, 0.007]}],
        }
    ],
}


def write(folder: Path, body: object) -> Path:
    path = folder / "run.json"
    path.write_text(body if isinstance(body, str) else json.dumps(body), encoding="utf-8")
    return path


def import_run(path: Path, history: Path) -> Any:
    return CliRunner().invoke(app, ["--import", str(path), "--history", str(history), "--json"])


def test_a_run_becomes_a_line_of_the_history(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    result = import_run(write(tmp_path, RUN), history)
    assert result.exit_code == 0, result.output
    (run,) = load_history(history)
    assert (run.target, run.machine.name, run.measurements[0].seconds) == ("android-app", "Fake Phone", (0.006, 0.007))
    assert json.loads(result.stdout)["summaries"][0]["p50"] == pytest.approx(0.0065)


def test_a_run_is_taken_once(tmp_path: Path) -> None:
    history, path = tmp_path / "history.jsonl", write(tmp_path, RUN)
    import_run(path, history)
    error = import_run(path, history).exception
    assert isinstance(error, MeasurementError) and error.what == "the run is in the history already"
    assert len(load_history(history)) == 1


@pytest.mark.parametrize(
    ("change", "what", "got"),
    [
        ({"schema_version": 7}, "the file to import is not a run", "schema_version 7, not 1"),
        ({"target": "host"}, "the run says that this command measured it", "host"),
        ({"target": "adb:0123"}, "the run says that this command measured it", "adb:0123"),
        ({"measurements": []}, "nothing was measured in the run", None),
        ({"schedule": {"runs": -1}}, "the file to import is not a run", "schedule.runs"),
        ({"machine": None}, "the file to import is not a run", "machine"),
    ],
)
def test_another_file_is_refused_in_one_sentence(
    tmp_path: Path, change: dict[str, Any], what: str, got: str | None
) -> None:
    history = tmp_path / "history.jsonl"
    error = import_run(write(tmp_path, {**RUN, **change}), history).exception
    assert isinstance(error, MeasurementError)
    assert error.what == what and (got or "") in (error.got or "")
    assert not history.exists()


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"schema_version": 1, "started": NaN}', "\x00" * 40])
def test_what_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    error = import_run(write(tmp_path, text), tmp_path / "history.jsonl").exception
    assert isinstance(error, MeasurementError) and error.what == "the file to import is not a run"


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    error = import_run(tmp_path / "nothing.json", tmp_path / "history.jsonl").exception
    assert isinstance(error, MeasurementError) and error.what == "no such file to import"


@pytest.mark.parametrize(
    ("arguments", "needs"),
    [
        (["--import", "x.json"], "--history FILE"),
        (["artifacts", "--import", "x"], "no ARTIFACTS"),
        ([], "needs ARTIFACTS"),
    ],
)
def test_what_does_not_go_together_is_told(arguments: list[str], needs: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2 and needs in " ".join(result.output.replace("│", " ").split())
