"""The chart of a comparison: every output that was computed has a dot, and one that was not is named."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imageqx_export.artifact import Precision
from imageqx_export.parity.chart import draw_parity
from imageqx_export.parity.compare import ArtifactParity, OutputParity, ParityReport


def _report(*distances: float) -> ParityReport:
    outputs = tuple(
        OutputParity(
            output=name,
            max_abs=distance,
            mean_abs=0,
            cosine=1,
            sqnr_db=None,
            decisions=0,
            differing=0,
            excused=0,
            problems=() if math.isfinite(distance) else ("NaN",),
        )
        for name, distance in zip(("quality", "explanations", "attention"), distances, strict=False)
    )
    artifact = ArtifactParity(path="m_fp32.onnx", precision=Precision.FP32, outputs=outputs)
    return ParityReport(checkpoint_sha256="0", images=64, source="generated", artifacts=(artifact,))


def _count(path: Path, colour: tuple[int, int, int]) -> int:
    with Image.open(path) as image:
        return int((np.asarray(image.convert("RGB")) == colour).all(2).sum())


@pytest.mark.parametrize(("distance", "more"), [(1e-6, True), (0.0, True), (math.inf, False)])
def test_a_dot_an_output(tmp_path: Path, distance: float, more: bool) -> None:
    draw_parity(_report(1e-6), tmp_path / "one.png")
    draw_parity(_report(1e-6, distance), tmp_path / "two.png")
    orange = (213, 94, 0)
    assert _count(tmp_path / "one.png", orange) == 0
    assert (_count(tmp_path / "two.png", orange) > 0) == more
