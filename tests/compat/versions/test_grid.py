"""Tables of runtimes: what agrees shares a row, what does not has its own, and nothing is left out at 80 columns."""

from __future__ import annotations

import io

import pytest

from imageqx_export.bundle.runtimes import RuntimeRow
from imageqx_export.cli.show import runtimes as show
from imageqx_export.cli.show.console import out
from imageqx_export.compat.versions.grid import lay_out
from imageqx_export.compat.versions.model import RuntimeReport, RuntimeResult


def row(artifact: str, version: str, **changed: object) -> RuntimeResult:
    place = {"runtime": "litert", "variant": "xnnpack", "machine": "x86-64", "app": ""}
    fields: dict[str, object] = {"sha256": "", **place}
    known = {"verdict": "right", "max_abs": 1e-6, "decisions": 72, "differing": 0}
    return RuntimeResult.model_validate({**fields, **known, "artifact": artifact, "version": version, **changed})


WRONG: dict[str, object] = {"verdict": "wrong", "max_abs": 0.0943, "differing": 3, "must": True}
REFUSED: dict[str, object] = {"verdict": "refused", "max_abs": None, "decisions": None, "problem": "float16 filters"}
ROWS = (
    row("a_w8a8.tflite", "1.2.0", **WRONG),
    row("a_fp32.tflite", "1.2.0"),
    row("a_fp32.tflite", "1.10.0", max_abs=1.2e-6),
    row("a_fp32.tflite", "2.3.0"),
    row("a_w8a8.tflite", "1.10.0"),
    row("a_w8a8.tflite", "2.3.0"),
    row("a_fp16.tflite", "1.2.0", **REFUSED),
    row("a_fp32.tflite", "2.3.0", variant="builtin"),
    row("a_fp32.tflite", "2.3.0", machine="cortex-a53"),
)


def test_neighbouring_versions_that_agree_share_a_row_and_precisions_have_their_order() -> None:
    (grid,) = lay_out(ROWS)
    assert grid.artifacts == ("a_fp32.tflite", "a_fp16.tflite", "a_w8a8.tflite")
    cells = {line.place: [cell.text if cell else None for cell in line.cells] for line in grid.lines}
    assert cells == {
        "litert 1.2.0": ["1e-06", "refused", "9e-02, 3 of 72 differ"],
        "litert 1.10.0 to 2.3.0": ["1e-06", None, "1e-06"],
        "litert 2.3.0, without XNNPACK": ["1e-06", None, None],
        "litert 2.3.0 on cortex-a53": ["1e-06", None, None],
    }


def test_formats_have_tables_of_their_own() -> None:
    rows = [row("a_fp32.tflite", "2.3.0"), row("a_fp32.onnx", "1.15.1", runtime="onnxruntime", variant="default")]
    assert [(grid.suffix, grid.lines[0].place) for grid in lay_out(rows)] == [
        (".onnx", "onnxruntime 1.15.1"),
        (".tflite", "litert 2.3.0"),
    ]
    assert lay_out(list[RuntimeRow]()) == []


@pytest.mark.parametrize("width", [40, 80, 112])
def test_in_a_terminal_every_row_cell_and_reason_is_there(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    monkeypatch.setattr(out, "_file", text)
    monkeypatch.setattr(out, "_width", width)
    show.show_runtimes(RuntimeReport(images=12, source="golden", results=ROWS), as_json=False)
    shown = " ".join(text.getvalue().replace("│", " ").split())
    for words in ("1.10.0 to", "refused: float16 filters a_fp16.tflite on litert 1.2.0", "9e-02, 3 of", "72 differ"):
        assert words in shown, shown
    assert "does not: a_w8a8.tflite on litert 1.2.0 xnnpack: wrong" in shown
    table = [line for line in text.getvalue().splitlines() if "│" in line]
    assert all(len(line) <= width for line in table)
