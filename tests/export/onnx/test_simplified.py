"""What onnxsim, which many tools run first, makes of the files: docs/export.md says it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from imageqx_export.bundle.golden import load_golden_pixels

onnx = pytest.importorskip("onnx")
onnxsim = pytest.importorskip("onnxsim")


@pytest.mark.parametrize(("precision", "whole"), [("fp16", 0.51), ("w8", 0.28)])
def test_stored_weights_survive_without_folding_alone(exported: Path, precision: str, whole: float) -> None:
    """Folded, a Cast of the weights becomes float32 weights; the answers are the same to the bit either way."""
    import onnxruntime

    model = onnx.load(exported / f"imageqx_{precision}.onnx")
    float32 = (exported / "imageqx_fp32.onnx").stat().st_size
    pixels = load_golden_pixels(exported)[:1]
    answers = []
    for folding, share in ((True, 1.0), (False, whole)):
        simple, equal = onnxsim.simplify(model, skip_constant_folding=not folding)
        content = simple.SerializeToString()
        assert equal and len(content) / float32 == pytest.approx(share, abs=0.01)
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        answers.append(session.run(None, {"image": pixels}))
    for folded, kept in zip(*answers, strict=True):
        np.testing.assert_array_equal(folded, kept)
