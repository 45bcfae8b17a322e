"""Everything that is measured of a binary decision on one set of photos; the same for those of one skin type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import ModelSpec, Outputs
from imageqx_export.data.votes import RATERS
from imageqx_export.decisions import decide_good
from imageqx_export.evaluation.curves import Curve, trace_curve
from imageqx_export.evaluation.diagnostic.rates import Rates, count_rates
from imageqx_export.evaluation.diagnostic.slope import Recalibration, fit_recalibration
from imageqx_export.evaluation.diagnostic.truth import find_good
from imageqx_export.evaluation.reliability import Reliability, measure_reliability
from imageqx_export.evaluation.tables import count_confusion

GOOD = "good"


@dataclass(frozen=True)
class Scores:
    """What was measured on some photos.

    Args:
        rates: Counts, PPV, TPR, NPV and TNR at the spec's threshold.
        curve: How the probability of good ranks photos.
        reliability: Whether it means what it says, in bins.
        recalibration: The calibration slope and intercept.
        votes: Photos, int64 [5,5]: rows are the raters' votes, columns those that the ranks expect, rounded.
        votes_error: Mean |expected − given| votes; None where the model has no ranks.
    """

    rates: Rates
    curve: Curve
    reliability: Reliability
    recalibration: Recalibration
    votes: NDArray[np.int64]
    votes_error: float | None


def measure(votes: NDArray[np.int64], outputs: Outputs, spec: ModelSpec) -> Scores:
    """Measure a model on photos.

    Args:
        votes: How many of four raters call each photo good, int64 [N], N ≥ 1.
        outputs: The model's.
        spec: With a binary decision.
    """
    assert spec.binary is not None
    good, truth = outputs[spec.binary.output], find_good(votes, spec)
    ranks = spec.binary.ranks
    expected = None if ranks is None else outputs[ranks.output].sum(1) * (RATERS / ranks.raters)
    counted = np.zeros(0, np.int64) if expected is None else np.rint(expected).astype(np.int64)
    given = votes if expected is not None else counted
    return Scores(
        rates=count_rates(truth, decide_good(good, spec)),
        curve=trace_curve(truth, good[:, 0], GOOD),
        reliability=measure_reliability(good[:, 0], truth, GOOD),
        recalibration=fit_recalibration(truth, good[:, 0].astype(np.float64)),
        votes=count_confusion(given, counted, RATERS + 1),
        votes_error=None if expected is None else float(np.abs(expected - votes).mean()),
    )
