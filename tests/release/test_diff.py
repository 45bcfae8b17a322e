"""What two releases say to an app's maker."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageqx_export import networks
from imageqx_export.artifact import ModelSpec
from imageqx_export.release.client import Source
from imageqx_export.release.contents import collect
from imageqx_export.release.diff import compare_releases, find_differences
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
        (
            {
                "preprocessing": SPEC.preprocessing.model_copy(update={"width": 240}),
                "inputs": (SPEC.inputs[0].model_copy(update={"shape": (1, 224, 240, 3)}),),
            },
            "preprocessing.width",
            True,
        ),
        ({"inputs": (SPEC.inputs[0].model_copy(update={"meaning": "RGB"}),)}, "inputs[0].meaning", False),
        ({"thresholds": {**SPEC.thresholds, "blurry": 0.25}}, "thresholds.blurry", False),
        ({"poor_quality_threshold": 0.125}, "poor_quality_threshold", False),
    ],
)
def test_what_breaks_an_app(change: dict[str, object], what: str, breaks: bool, export: Path, tmp_path: Path) -> None:
    spec: ModelSpec = SPEC.model_copy(update=change)
    newer = write_export(tmp_path / "newer", seed=2, spec=spec, size=4100)
    old, new = (collect(one, "1.0.0", one.parent / "model.safetensors").release for one in (export, newer))
    rows = {row.what: row for row in find_differences(old, new)}
    assert (rows[what].kind == "breaks") is breaks
    assert any(row.kind == "breaks" for row in rows.values()) is breaks
    assert (rows["tflite-w8a8"].kind, rows["tflite-w8a8"].old, rows["tflite-w8a8"].new) == ("size", 4000, 4100)


def test_versions_and_channels_are_compared(published: Publisher, tmp_path: Path) -> None:
    source = Source(str(published.tree), published.root, tmp_path / "cache")
    comparison = compare_releases("imageqx", "1.0.0", "beta", source)
    assert (comparison.old, comparison.new, comparison.breaks) == ("1.0.0", "1.1.0-beta.1", ())
