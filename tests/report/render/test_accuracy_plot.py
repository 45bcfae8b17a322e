"""The plot of each label's and each reason's F1: marks where they were measured; no plot where only means are known."""

from __future__ import annotations

import re

from imageqx_export.report.model import Accuracy, NamedScore
from imageqx_export.report.render.accuracy_plot import draw_accuracies


def _accuracy(artifact: str, *scores: NamedScore) -> Accuracy:
    return Accuracy(artifact=artifact, macro_f1=0.8, interval=None, photos=9, source="any", scores=scores)


def test_names_artifacts_and_marks() -> None:
    told = NamedScore(name="poor_quality", f1=0.5, interval=(0.4, 0.75))
    lone, unknown = NamedScore(name="b<c>", f1=1.0, interval=None), NamedScore(name="never", f1=None, interval=None)
    svg = draw_accuracies([_accuracy("a<b>.onnx", told, unknown), _accuracy("c.tflite", told, lone)])
    assert svg is not None
    for text in ("poor quality", "b&lt;c&gt;", "a&lt;b&gt;.onnx", "c.tflite", "95 % interval", "never"):
        assert text in svg
    assert re.search(r"<use [^>]*--series-0", svg) and re.search(r"<use [^>]*--series-1", svg)


def test_what_is_left_out_is_said() -> None:
    many = [_accuracy(f"{n}.onnx", NamedScore(name="b", f1=0.5, interval=None)) for n in range(8)]
    svg = draw_accuracies(many)
    assert svg is not None and "6 of 8 evaluations" in svg and "7.onnx" not in svg
    few = draw_accuracies(many[:6])
    assert few is not None and "evaluations" not in few


def test_nothing_but_means() -> None:
    assert draw_accuracies([]) is None
    assert draw_accuracies([_accuracy("a.onnx")]) is None
    assert draw_accuracies([_accuracy("a.onnx", NamedScore(name="b", f1=None, interval=None))]) is None
