"""The plot of accelerators' answers: a mark an answer, and no plot where nothing can be compared."""

from __future__ import annotations

import pytest

from imageqx_export.artifact import Proof
from imageqx_export.report.model import Proved
from imageqx_export.report.render.proof_plot import draw_proofs


def _proof(target: str, max_abs: float | None, verdict: str = "right") -> Proof:
    fields = {"target": target, "chips": ("any",), "verdict": verdict, "whole": True, "labels": 1, "images": 1}
    return Proof.model_validate({**fields, "max_abs": max_abs, "tool": "t"})


def test_marks_and_names() -> None:
    proved = [
        Proved(artifact="a<b>.tflite", proofs=(_proof("gpu", 0.03), _proof("qualcomm", 0.9, "wrong"))),
        Proved(artifact="none.tflite", proofs=(_proof("gpu", None),)),
    ]
    svg = draw_proofs(proved)
    assert svg is not None
    assert "a&lt;b&gt;.tflite" in svg and "none.tflite" not in svg
    assert "mathdefault" not in svg and ">0.1<" in svg
    assert "qualcomm, not right" in svg and "gpu" in svg


@pytest.mark.parametrize("distances", [[], [0.1], [None, None], [0.1, None]])
def test_nothing_to_compare(distances: list[float | None]) -> None:
    proofs = tuple(_proof("gpu", distance) for distance in distances)
    assert draw_proofs([Proved(artifact="a.tflite", proofs=proofs)]) is None
