"""What two releases say to an app's maker."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageqx_export import networks
from imageqx_export.artifact import ModelSpec
from imageqx_export.release.client import Source
from imageqx_export.release.diff import compare_releases
from tests.release.tiny import Publisher, write_export

SPEC = networks.spec("imageqx")


@pytest.mark.parametrize(
    ("change", "what", "breaks"),
    [
        ({"labels": ("lesion", "healthy_skin", "no_skin", "poor_quality")}, "labels", True),
        ({"reasons": SPEC.reasons[::-1]}, "reasons", True),
        (
            {"outputs": tuple(one.model_copy(update={"name": one.name + "2"}) for one in SPEC.outputs)},
            "outputs[0].name",
            True,
        ),
        ({"preprocessing": SPEC.preprocessing.model_copy(update={"width": 240})}, "preprocessing.width", True),
        ({"inputs": (SPEC.inputs[0].model_copy(update={"meaning": "RGB"}),)}, "inputs[0].meaning", False),
        ({"thresholds": {**SPEC.thresholds, "blurry": 0.25}}, "thresholds.blurry", False),
        ({"poor_quality_threshold": 0.125}, "poor_quality_threshold", False),
    ],
)
def test_what_breaks_an_app(
    change: dict[str, object], what: str, breaks: bool, publisher: Publisher, export: Path, tmp_path: Path
) -> None:
    spec: ModelSpec = SPEC.model_copy(update=change)
    publisher.publish(export, "1.0.0")
    publisher.publish(write_export(tmp_path / "newer", seed=2, spec=spec, size=4100), "1.1.0")
    source = Source(str(publisher.tree), publisher.root, tmp_path / "cache")
    comparison = compare_releases("imageqx", "1.0.0", "stable", source)
    rows = {row.what: row for row in comparison.rows}
    assert (comparison.old, comparison.new) == ("1.0.0", "1.1.0")
    assert (rows[what].kind == "breaks") is breaks
    assert bool(comparison.breaks) is breaks
    assert (rows["tflite-w8a8"].kind, rows["tflite-w8a8"].old, rows["tflite-w8a8"].new) == ("size", 4000, 4100)
