"""The AAR's library as a place, with a runner that is only told of; the real one is asked by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from imageqx_export.artifact import Outputs, Precision
from imageqx_export.bundle.golden import load_golden_outputs, load_golden_pixels
from imageqx_export.compat.versions import stage
from imageqx_export.compat.versions.aar import AarPlace
from imageqx_export.compat.versions.budget import read_runtime_budget
from imageqx_export.compat.versions.model import RuntimeReport
from imageqx_export.errors import UnavailableError

RUNNER = """#!/bin/sh
# MODEL PIXELS ANSWERS SIGNATURE INPUT OUTPUT...
[ "$4 $5 $6 $7 $8" = "serving_default image quality explanations attention" ] || exit 3
[ "$LD_LIBRARY_PATH" = "{folder}" ] || exit 4
cmp "$2" "{folder}/pixels" || exit 5
{end}
"""


def write_runner(tmp_path: Path, exported: Path, end: str) -> None:
    """Write a runner that checks what it is given, and ends so."""
    folder = tmp_path / "runner"
    folder.mkdir(exist_ok=True)
    (folder / "version.txt").write_text("9.8.7\n")
    (folder / "pixels").write_bytes(load_golden_pixels(exported).tobytes())
    program = folder / "run_model"
    program.write_text(RUNNER.format(folder=folder, end=end))
    program.chmod(0o755)


def answer(tmp_path: Path, outputs: Outputs) -> str:
    """Write the numbers of outputs as run_model does, a picture after the other; return the command that gives them."""
    rows = [np.concatenate([values[i].ravel() for values in outputs.values()]) for i in range(12)]
    np.stack(rows).astype(np.float32).tofile(tmp_path / "runner" / "told")
    return f'cp "{tmp_path}/runner/told" "$3"'


@pytest.fixture
def runners(tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMAGEQX_AAR", str(tmp_path))
    write_runner(tmp_path, exported, "exit 1")
    return tmp_path


def ask(exported: Path) -> RuntimeReport:
    return stage.check_runtimes(
        exported, ["tensorflow-lite"], precisions=[Precision.FP32], budget=read_runtime_budget()
    )


def test_the_runner_gets_these_pixels_and_its_numbers_are_compared(exported: Path, runners: Path) -> None:
    golden = load_golden_outputs(exported, Precision.FP32)
    write_runner(runners, exported, answer(runners, golden))
    (row,) = ask(exported).results
    assert (row.verdict, row.max_abs, row.decisions, row.must) == ("right", 0.0, 72, True)
    assert (row.runtime, row.version, row.app) == ("tensorflow-lite", "9.8.7", "tensorflow-lite:9.8.7")
    write_runner(runners, exported, answer(runners, {name: values[::-1] for name, values in golden.items()}))
    assert [row.verdict for row in ask(exported).results] == ["wrong"]


@pytest.mark.parametrize(
    ("said", "verdict"), [("allocating", "refused"), ("opening the model", "refused"), ("running", "failed")]
)
def test_what_it_does_not_open_is_refused_and_what_breaks_off_has_failed(
    exported: Path, runners: Path, said: str, verdict: str
) -> None:
    write_runner(runners, exported, f"echo {said} failed >&2; exit 1")
    report = ask(exported)
    assert [row.verdict for row in report.results] == [verdict] and not report.passed
    assert report.results[0].problem.endswith(f"{said} failed")


def test_without_a_runner_the_rows_are_unavailable_and_not_wanted(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGEQX_AAR", str(tmp_path / "none"))
    with pytest.raises(UnavailableError, match="make android-runner"):
        ask(exported)
    assert [place.version for place in stage.list_places(["tensorflow-lite:arm64"])] == ["0", "0"]


def test_it_is_asked_about_an_exports_files_alone(exported: Path, runners: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.tflite"
    other.write_bytes((exported / "imageqx_fp32.tflite").read_bytes())
    assert "an export alone" in AarPlace().ask(other, load_golden_pixels(exported)).unavailable
