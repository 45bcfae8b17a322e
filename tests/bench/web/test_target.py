"""The browser as a target, with a browser that is only told of; make test-web and make bench have a real one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imageqx_export.bench.model import Schedule
from imageqx_export.bench.stage import BenchConfig, measure
from imageqx_export.bench.web import browser, target
from imageqx_export.bench.web.server import Served
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.errors import DeviceError, MeasurementError, UnavailableError
from tests.bench.tiny import SHORT, tiny_folder


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """Answer each job as the page would; return the jobs."""
    page = tmp_path / "page"
    page.mkdir()
    (page / "bench.html").write_text("")
    jobs: list[dict[str, Any]] = []

    def answer(executable: str, served: Served, job: dict[str, Any]) -> dict[str, Any]:
        jobs.append(job)
        served.sent += 1000
        versions = {job["runtime"]: "1.2.3", "browser": "any"}
        if job["mode"] == "outputs":
            expected = json.loads((tmp_path / "tiny" / "golden" / "expected.json").read_text())
            rows = [{name: _flatten(values) for name, values in row.items()} for row in expected.values()]
            return {"outputs": rows, "versions": versions}
        return {"load_seconds": 0.5, "first_seconds": 0.1, "seconds": [0.01] * job["runs"], "versions": versions}

    monkeypatch.setattr(target, "run_job", answer)
    monkeypatch.setattr(target, "find_page", lambda: page)
    monkeypatch.setattr(target, "find_chromium", lambda: "chromium")
    monkeypatch.setattr(target, "read_version", lambda executable: "Chromium 1.0")
    return jobs


def _flatten(values: object) -> list[float]:
    if isinstance(values, list):
        return [number for value in values for number in _flatten(value)]
    assert isinstance(values, int | float)
    return [float(values)]


def test_a_run_has_times_bytes_and_outputs(told: list[dict[str, Any]], tmp_path: Path) -> None:
    run = measure(tiny_folder(tmp_path / "tiny"), target.WebTarget(), BenchConfig(SHORT))
    assert (run.target, run.tool_versions["chromium"]) == ("web:chromium", "1.0")
    by_format = {m.format.value: m for m in run.measurements}
    for name in ("onnx", "tflite"):
        measured = by_format[name]
        assert [s.download_bytes for s in measured.samples] == [1000] * SHORT.processes
        assert measured.max_error == 0 and len(measured.seconds) == 6
    assert by_format["coreml"].unavailable == "no browser runs Core ML"
    assert {job["runtime"] for job in told} == {"litertjs", "onnxruntime-web"}


def test_a_page_has_one_thread(told: list[dict[str, Any]], tmp_path: Path) -> None:
    config = BenchConfig(Schedule(threads=2))
    with pytest.raises(MeasurementError, match="one thread"):
        measure(tiny_folder(tmp_path / "tiny"), target.WebTarget(), config)


def test_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IMAGEQX_WEB_PAGE", str(tmp_path))
    with pytest.raises(DeviceError, match="make web-page"):
        browser.find_page()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="apt install chromium"):
        browser.find_chromium()
    artifact = read_manifest(tiny_folder(tmp_path / "any")).artifacts[0]
    with pytest.raises(MeasurementError, match="not open"):
        target.WebTarget().measure_error(artifact)
    with pytest.raises(UnavailableError):
        target.WebTarget().count_instructions(artifact, SHORT)


def _write_browser(folder: Path, script: str) -> str:
    path = folder / "browser"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("give", "printed"),
    [
        (lambda served: None, "the browser ended"),
        (lambda served: served.results.put(("0", b'{"error": "no memory"}')), "no memory"),
        (lambda served: served.results.put(("0", b"[]")), "no result"),
    ],
)
def test_a_browser_that_fails(tmp_path: Path, give: Callable[[Served], None], printed: str) -> None:
    served = Served(url="http://127.0.0.1:1/")
    give(served)
    with pytest.raises(MeasurementError, match=printed):
        browser.run_job(_write_browser(tmp_path, "exit 3"), served, {"path": "a.onnx"})


def test_answers_of_a_browser_that_was_given_up_are_passed_over(tmp_path: Path) -> None:
    served = Served(url="http://127.0.0.1:1/", jobs={"0": {}})
    served.results.put(("0", b'{"late": true}'))
    served.results.put(("1", b'{"mine": true}'))
    assert browser.run_job(_write_browser(tmp_path, "sleep 30"), served, {"path": "a"}) == {"mine": True}
