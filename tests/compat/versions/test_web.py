"""The browser as a place, with a browser that is only told of; make test-web asks a real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imageqx_export.artifact import Format, Outputs, Pixels, Precision
from imageqx_export.bench.web import browser
from imageqx_export.bench.web.server import Served
from imageqx_export.bundle.golden import load_golden_outputs, load_golden_pixels
from imageqx_export.compat.versions import stage, web
from imageqx_export.compat.versions.budget import read_runtime_budget
from imageqx_export.compat.versions.model import RuntimeResult
from imageqx_export.compat.versions.web import WebPlace
from imageqx_export.errors import DeviceError, MeasurementError, UnavailableError

VERSIONS = {"litertjs": "9.8.7", "onnxruntime-web": "9.6.5"}


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "bench.html").write_text("")
    (folder / "runtimes.json").write_text(json.dumps(VERSIONS))
    monkeypatch.setenv("IMAGEQX_WEB_PAGE", str(folder))
    monkeypatch.setattr(web, "find_chromium", lambda: "chromium")
    return folder


@pytest.fixture
def pixels(exported: Path) -> Pixels:
    return load_golden_pixels(exported)


def answer_with(outputs: Outputs, seen: list[Pixels], monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer as the page would, each picture's outputs flat; keep the pixels that the server offered."""

    def run(executable: str, served: Served, job: dict[str, Any]) -> dict[str, Any]:
        open_url = browser_open(served)
        seen.append(np.stack([open_url(f"artifacts/golden/{name}") for name in job["pictures"]]))
        rows = [
            {name: values[i].ravel().tolist() for name, values in outputs.items()} for i in range(len(job["pictures"]))
        ]
        return {"outputs": rows, "load_seconds": 0.25, "versions": VERSIONS}

    monkeypatch.setattr(web, "run_job", run)


def browser_open(served: Served) -> Any:
    from io import BytesIO
    from urllib.request import ProxyHandler, build_opener

    opener = build_opener(ProxyHandler({}))

    def read(name: str) -> Pixels:
        with opener.open(served.url + name, timeout=10) as answer, Image.open(BytesIO(answer.read())) as picture:
            return np.asarray(picture)

    return read


def ask(exported: Path) -> list[RuntimeResult]:
    report = stage.check_runtimes(exported, ["web:chromium"], precisions=[Precision.FP32], budget=read_runtime_budget())
    return list(report.results)


def test_the_page_gets_these_pixels_and_its_numbers_are_compared(
    exported: Path, page: Path, pixels: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden, seen = load_golden_outputs(exported, Precision.FP32), list[Pixels]()
    answer_with(golden, seen, monkeypatch)
    onnx, tflite = sorted(ask(exported), key=lambda row: row.artifact)
    assert [onnx.verdict, tflite.verdict] == ["right", "right"] and onnx.max_abs == 0 and onnx.load_seconds == 0.25
    assert (onnx.runtime, onnx.version, onnx.machine, onnx.app) == (
        "onnxruntime-web",
        "9.6.5",
        "chromium",
        "onnxruntime-web@9.6.5",
    )
    assert (tflite.runtime, tflite.app) == ("litertjs", "@litertjs/core@9.8.7") and tflite.must
    assert len(seen) == 2 and np.array_equal(seen[0], pixels)
    answer_with({name: values[::-1] for name, values in golden.items()}, seen, monkeypatch)
    assert {row.verdict for row in ask(exported)} == {"wrong"}


def test_a_browser_that_fails_is_a_row(exported: Path, page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(executable: str, served: Served, job: dict[str, Any]) -> dict[str, Any]:
        raise MeasurementError("the browser hung", got="no answer after 180 s")

    monkeypatch.setattr(web, "run_job", fail)
    assert {(row.verdict, row.problem) for row in ask(exported)} == {
        ("failed", "the browser hung: no answer after 180 s")
    }


def test_without_a_page_the_rows_are_unavailable_and_not_wanted(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGEQX_WEB_PAGE", str(tmp_path))
    with pytest.raises(UnavailableError, match="make web-page"):
        ask(exported)
    assert WebPlace(Format.ONNX).version == "0"


def test_the_page_opens_an_exports_files_alone(exported: Path, page: Path, tmp_path: Path, pixels: Pixels) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes((exported / "imageqx_fp32.onnx").read_bytes())
    assert "files of an export alone: no manifest" in WebPlace(Format.ONNX).ask(other, pixels).unavailable
    stranger = exported / "other.onnx"
    assert "the manifest does not have it" in WebPlace(Format.ONNX).ask(stranger, pixels).unavailable


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"litertjs": "1"}'])
def test_a_page_that_does_not_say_its_versions_is_built_again(page: Path, text: str) -> None:
    (page / "runtimes.json").write_text(text)
    with pytest.raises(DeviceError, match="make web-page"):
        browser.read_page_versions(page)
