"""What an evaluation of a binary decision found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from imageqx_export.artifact import ModelSpec
from imageqx_export.evaluation.binary.crops import Cropped
from imageqx_export.evaluation.binary.scores import Scores
from imageqx_export.evaluation.diagnostic.aucs import Comparison
from imageqx_export.evaluation.diagnostic.prevalence import Adjusted
from imageqx_export.evaluation.trueimage.baseline import Baseline


@dataclass(frozen=True)
class BinaryEvaluation:
    """What was measured of one model on one set of photos.

    Args:
        model: What to call the model.
        source: Where the photos come from.
        spec: The rule and the threshold that were used.
        scores: On all photos.
        skin: Per group of skin types; empty where no type is known.
        skin_unknown: How many photos have no known skin type.
        adjusted: What the model would show at another prevalence; None where the photos are all of one kind.
        baseline: What the classical features reach on the same photos; None where they were not asked.
        against_baseline: The model's AUC less theirs, by DeLong's paired test; None likewise.
        cropped: Whole photos beside crops of them; None without boxes.
    """

    model: str
    source: str
    spec: ModelSpec
    scores: Scores
    skin: Mapping[str, Scores]
    skin_unknown: int
    adjusted: Adjusted | None
    baseline: Baseline | None = None
    against_baseline: Comparison | None = None
    cropped: Cropped | None = None
