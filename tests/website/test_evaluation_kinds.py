"""What `imageqx evaluate` writes keeps the form that the reference states, in every part of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from imageqx_export.evaluation import report
from imageqx_export.evaluation.agreement import measure_agreement
from imageqx_export.evaluation.binary import report as binary_report
from imageqx_export.evaluation.binary.stage import BinaryConfig
from imageqx_export.evaluation.binary.stage import assess as assess_votes
from imageqx_export.evaluation.stage import assess
from imageqx_export.networks.duke_iqa.spec import spec as duke_spec
from tests.evaluation.fakes import FakeRuntime, answers, labelled
from tests.evaluation.test_stage import ratings
from website.evaluation_kinds import BinaryEvaluationFile, EvaluationFile, RaterRow


def test_an_evaluation_with_raters_and_skin_types() -> None:
    photos = labelled(0, 40)
    found, _ = assess(
        FakeRuntime(answers(photos, 1)), photos, model_name="a.onnx", agreement=measure_agreement(ratings())
    )
    whole = report.to_json(found)
    read = EvaluationFile.model_validate(whole)
    assert read.skin and read.raters is not None and read.curves["blurry"].roc.fpr
    with pytest.raises(ValidationError, match="surprise"):
        EvaluationFile.model_validate({**whole, "quality": {"lesion": {**whole["quality"]["lesion"], "surprise": 1}}})


def test_an_evaluation_beside_votes() -> None:
    rng = np.random.default_rng(0)
    votes = rng.integers(0, 5, 40)
    photos = replace(labelled(0, 40), votes=votes)
    good = np.clip(votes[:, None] / 5 + rng.normal(0, 0.1, (40, 1)), 0.01, 0.99).astype(np.float32)
    ranks = np.repeat(good, 4, 1)
    outputs = {"good": good, "ranks": ranks, "regions": np.repeat(good, 5, 1)}
    found = assess_votes(FakeRuntime(outputs, duke_spec()), photos, BinaryConfig("a.onnx"))
    read = BinaryEvaluationFile.model_validate(binary_report.to_json(found))
    assert read.adjusted is not None and read.skin and read.photos == 40


def test_a_rating_says_what_is_known() -> None:
    with pytest.raises(ValidationError, match="fitzpatrick"):
        RaterRow.model_validate({"image": "a.jpg", "rater": "r", "evaluation": "no_skin", "fitzpatrick": "7"})
    assert RaterRow(image="a.jpg", rater="r", evaluation="L57.0").patient == ""
    assert Path(RaterRow(image="a/b.jpg", rater="r", evaluation="no_skin").image).name == "b.jpg"
