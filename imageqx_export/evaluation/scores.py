"""Everything that is measured on one set of photos; the same for all photos and for those of one skin type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import ModelSpec, Outputs
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.decisions import POOR, decide
from imageqx_export.evaluation.curves import Curve, trace_curve
from imageqx_export.evaluation.reliability import Reliability, measure_reliability
from imageqx_export.evaluation.tables import Table, build_table, count_confusion, one_hot

LABEL = "label"
"""The name of the label's own reliability, beside those of the reasons."""


@dataclass(frozen=True)
class Scores:
    """What was measured on some photos.

    Args:
        photos: How many.
        quality: Per label, as decided with the spec's thresholds.
        explanations: Per reason, given from the spec's thresholds on.
        confusion: Photos, int64 [4,4]: rows are the truth, columns what was decided.
        curves: One per reason, then one for poor quality.
        calibrations: The label's, then one per reason.
    """

    photos: int
    quality: Table
    explanations: Table
    confusion: NDArray[np.int64]
    curves: tuple[Curve, ...]
    reliabilities: tuple[Reliability, ...]

    def curve(self, name: str) -> Curve:
        """Return the curve of that reason, or of poor quality."""
        return next(curve for curve in self.curves if curve.name == name)

    def reliability(self, name: str) -> Reliability:
        """Return the reliability of that reason, or of :data:`LABEL`."""
        return next(row for row in self.reliabilities if row.name == name)


def measure(photos: LabelledPhotos, outputs: Outputs, spec: ModelSpec) -> Scores:
    """Measure a model on photos.

    Args:
        photos: N ≥ 1, with the truth.
        outputs: The model's ``quality`` [N,4] and ``explanations`` [N,5].
        spec: Names and thresholds.
    """
    quality, explanations = outputs["quality"], outputs["explanations"]
    # As float32, so that a probability that equals its threshold counts as given, as in a verdict.
    thresholds = np.array([spec.thresholds[reason] for reason in spec.reasons], np.float32)
    truth, given = photos.reasons >= 0.5, explanations >= thresholds
    decided = decide(quality, spec)
    poor = spec.labels.index(POOR)
    # The highest probability, not what the thresholds decide: calibration is of the probabilities alone.
    right = quality.argmax(1) == photos.quality
    kinds = len(spec.labels)
    return Scores(
        photos=len(photos),
        quality=build_table(one_hot(photos.quality, kinds), one_hot(decided, kinds), spec.labels),
        explanations=build_table(truth, given, spec.reasons),
        confusion=count_confusion(photos.quality, decided, kinds),
        curves=(
            *(trace_curve(truth[:, k], explanations[:, k], name) for k, name in enumerate(spec.reasons)),
            trace_curve(photos.quality == poor, quality[:, poor], POOR),
        ),
        reliabilities=(
            measure_reliability(quality.max(1), right, LABEL),
            *(measure_reliability(explanations[:, k], truth[:, k], name) for k, name in enumerate(spec.reasons)),
        ),
    )
