"""What an evaluation found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imageqx_export.artifact import ModelSpec
from imageqx_export.evaluation.by_skin import SkinGroup
from imageqx_export.evaluation.raters import Raters
from imageqx_export.evaluation.scores import Scores

if TYPE_CHECKING:
    from imageqx_export.evaluation.trueimage.baseline import Baseline


@dataclass(frozen=True)
class Evaluation:
    """What was measured of one model on one set of photos.

    Args:
        model: What to call the model.
        source: Where the photos come from.
        spec: The labels, reasons and thresholds that were used.
        scores: On all photos.
        skin: Per group of skin types; empty where no type is known.
        skin_unknown: How many photos have no known skin type.
        raters: How well raters agree, and which F1 is at their level; None where they are not known.
        baseline: What the classical features reach on the same photos; None where they were not asked.
    """

    model: str
    source: str
    spec: ModelSpec
    scores: Scores
    skin: tuple[SkinGroup, ...]
    skin_unknown: int
    raters: Raters | None
    baseline: Baseline | None = None
