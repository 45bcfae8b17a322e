"""Examples of what `imageqx evaluate` writes: the program's own numbers of a few made-up answers, cut to a few rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import BaseModel

from imageqx_export import networks
from imageqx_export.data.kinds import KINDS
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.evaluation import mos, report
from imageqx_export.evaluation.binary import report as binary_report
from imageqx_export.evaluation.binary import scores as binary
from imageqx_export.evaluation.binary.result import BinaryEvaluation
from imageqx_export.evaluation.intervals import wilson
from imageqx_export.evaluation.result import Evaluation
from imageqx_export.evaluation.robustness.render import to_json
from imageqx_export.evaluation.robustness.result import Cell, KindResult, Robustness
from imageqx_export.evaluation.scores import measure
from imageqx_export.model_spec import ModelSpec
from website.evaluation_kinds import BinaryEvaluationFile, EvaluationFile, OpinionsFile, RaterRow, RobustnessFile

_MODEL = "imageqx_w8a8.onnx"


def make_evaluation_examples(spec: ModelSpec) -> tuple[BaseModel, ...]:
    """Return an evaluation, a check of robustness, a comparison with scores, and a rater's row."""
    return (_evaluate(spec), _evaluate_votes(), _degrade(spec), _compare_scores(), _rate())


def _evaluate(spec: ModelSpec) -> EvaluationFile:
    """Return eight photos, two of each label, of which one blurred one is not called poor."""
    quality = np.repeat(np.arange(4), 2)
    reasons = np.zeros((8, 5), np.float32)
    reasons[quality == 3, spec.reasons.index("blurry")] = 1
    answers = np.eye(4, dtype=np.float32)[quality] * 0.8 + 0.05
    answers[-1] = (0.7, 0.05, 0.05, 0.2)
    outputs = {"quality": answers, "explanations": reasons * 0.7 + 0.1}
    pixels = np.zeros((8, 1, 1, 3), np.uint8)
    names = tuple(f"{number}.jpg" for number in range(8))
    photos = LabelledPhotos(pixels, quality, reasons, np.zeros(8, np.int64), names, "8 photos")
    found = Evaluation(_MODEL, photos.source, spec, measure(photos, outputs, spec), (), 8, None)
    whole = report.to_json(found)
    for row in (whole["reliability"], *whole["explanations"].values()):
        row["bins"] = row["bins"][-1:]
    for name in ("explanations", "curves"):
        whole[name] = {"blurry": whole[name]["blurry"]}
    example: EvaluationFile = EvaluationFile.model_validate(whole)
    return example


def _evaluate_votes() -> BinaryEvaluationFile:
    """Return six photos, of which raters call half good, and the model one more."""
    spec = networks.spec("duke-iqa")
    votes = np.array([0, 1, 1, 3, 4, 4])
    ranks = (votes[:, None] > np.arange(4)) * 0.8 + 0.1
    good = np.array([[0.1], [0.3], [0.8], [0.7], [0.9], [0.9]], np.float32)
    scores = binary.measure(votes, {"good": good, "ranks": ranks.astype(np.float32)}, spec)
    whole = binary_report.to_json(BinaryEvaluation("duke-iqa_w8a8.onnx", "6 photos", spec, scores, {}, 6, None))
    whole["reliability"]["bins"] = whole["reliability"]["bins"][-1:]
    example: BinaryEvaluationFile = BinaryEvaluationFile.model_validate(whole)
    return example


def _degrade(spec: ModelSpec) -> RobustnessFile:
    """Return one kind of ten photos."""
    kind = next(one for one in KINDS if one.name == "shaken")
    mild = Cell(10, wilson(1, 10), wilson(9, 10))
    strong = Cell(10, wilson(9, 10), wilson(1, 10), wilson(9, 9))
    found = Robustness(_MODEL, "10 photos of lesions", spec, {"all": mild}, (KindResult(kind, mild, strong),))
    value: dict[str, Any] = to_json(found)
    value["reasons"] = {"blurry": value["reasons"]["blurry"]}
    return RobustnessFile.model_validate(value)


def _compare_scores() -> OpinionsFile:
    found = mos.compare_scores(
        np.array([0.9, 0.7, 0.2, 0.4, 0.1]), np.array([1.2, 2.1, 4.4, 2.9, 4.8]), model=_MODEL, table="scores.csv"
    )
    example: OpinionsFile = OpinionsFile.model_validate(mos.to_json(found))
    return example


def _rate() -> RaterRow:
    return RaterRow(image="a/IMG_0001.jpg", rater="r1", evaluation="poor_quality", reasons="blurry;bad_light")
