"""What quantize --analyze printed is shown as it was measured, and nothing else is taken for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imageqx_export.errors import MeasurementError
from imageqx_export.report.render.sensitivity_plot import draw_sensitivity
from imageqx_export.report.sensitivity import list_cells, read_sensitivity, render_markdown, write_caption
from imageqx_export.support.escapes import escape_markdown

LAYERS = [
    {"layer": "a:conv", "operations": ["a"], "sqnr_db": 40.0, "mean_abs": 0.002, "quality": 0.0, "explanations": -0.1},
    {"layer": "b:conv", "operations": ["b"], "sqnr_db": 20.0, "mean_abs": 0.03, "quality": 0.4, "explanations": 0.0},
]
PRINTED = {
    "recipe": "build/analyzed.json",
    "precision": "w8a8",
    "checkpoint_sha256": "ab" * 32,
    "accuracy": {"kind": "regions"},
    "analysis": {
        "photos": 400, "source": "synthetic", "layers": LAYERS, "float_layers": ["b:conv"], "holds": True, "trials": 3,
    },
}  # fmt: skip


@pytest.fixture
def printed(tmp_path: Path) -> Path:
    path = tmp_path / "analysis.json"
    path.write_text(json.dumps(PRINTED))
    return path


def test_the_costliest_layer_is_first(printed: Path) -> None:
    table = read_sensitivity(printed)
    assert list_cells(table) == [
        ("b:conv", "20.0", "0.0300", "-0.40", "+0.00", "yes"),
        ("a:conv", "40.0", "0.0020", "+0.00", "+0.10", ""),
    ]
    caption = write_caption(table)
    assert "w8a8 of checkpoint abababababab: all 2 layers, on 400 photos (synthetic); the budget holds" in caption
    text = "\n".join(render_markdown([table], escape_markdown))
    assert "| regions' macro-F1 |" in text and "| b:conv | 20.0 | 0.0300 |" in text
    assert render_markdown([], escape_markdown) == []


def test_a_layer_that_stays_float_is_hollow(printed: Path) -> None:
    svg = draw_sensitivity(read_sensitivity(printed), "layers0")
    assert svg is not None and "stays float" in svg and "in int8" in svg and "fill: none" in svg
    assert svg.index(">b<") < svg.index(">a<")


@pytest.mark.parametrize("harm", ["analysis", "accuracy", "layers", "number", "list", "nonsense"])
def test_what_is_no_analysis_is_refused(harm: str, printed: Path) -> None:
    body = json.loads(printed.read_text())
    if harm in ("analysis", "accuracy"):
        del body[harm]
    elif harm == "layers":
        body["analysis"]["layers"] = [{"layer": "a:conv"}]
    elif harm == "number":
        body["analysis"]["layers"][0]["mean_abs"] = "much"
    printed.write_text("nonsense" if harm == "nonsense" else json.dumps([] if harm == "list" else body))
    with pytest.raises(MeasurementError, match="not an analysis of layers") as caught:
        read_sensitivity(printed)
    assert caught.value.remedy == "imageqx quantize --analyze --json > analysis.json"
