"""Write down what was measured of a binary decision: as JSON for machines, as Markdown for people."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from imageqx_export.evaluation.binary import grids
from imageqx_export.evaluation.binary.result import BinaryEvaluation
from imageqx_export.evaluation.binary.scores import Scores
from imageqx_export.evaluation.diagnostic.aucs import Comparison
from imageqx_export.evaluation.diagnostic.rates import RATES
from imageqx_export.evaluation.report import (
    describe_baseline,
    describe_bins,
    describe_curve,
    describe_measures,
    make_environment,
)
from imageqx_export.evaluation.skin_types import FEWEST


def to_json(evaluation: BinaryEvaluation) -> dict[str, Any]:
    """Return an evaluation as JSON-able values: sorted keys, None for what could not be measured, no NaN.

    A measure ``x`` has its 95 % interval beside it as ``x_ci``, a pair or None.
    """
    binary, cropped = evaluation.spec.binary, evaluation.cropped
    assert binary is not None
    value: dict[str, Any] = {
        "schema_version": 1,
        "kind": "binary",
        "model": evaluation.model,
        "source": evaluation.source,
        "threshold": binary.threshold,
        "good_when_at_least": None if binary.ranks is None else binary.ranks.good_when_at_least,
        "raters": None if binary.ranks is None else binary.ranks.raters,
        **_describe_scores(evaluation.scores),
        "curves": {"good": describe_curve(evaluation.scores.curve)},
        "skin": {name: _describe_scores(scores) for name, scores in evaluation.skin.items()},
        "skin_unknown": evaluation.skin_unknown,
        "adjusted": None if evaluation.adjusted is None else asdict(evaluation.adjusted),
    }
    if evaluation.baseline is not None:
        value["baseline"] = describe_baseline(evaluation.baseline)
    if evaluation.against_baseline is not None:
        value["against_baseline"] = _describe_comparison(evaluation.against_baseline)
    if cropped is not None:
        value["cropped"] = {"photos": cropped.photos, **_describe_comparison(cropped.comparison)}
    sorted_value: dict[str, Any] = json.loads(json.dumps(value, sort_keys=True, allow_nan=False))
    return sorted_value


def to_markdown(evaluation: BinaryEvaluation) -> str:
    """Return an evaluation as Markdown that shows the figures beside it."""
    environment = make_environment("imageqx_export.evaluation.binary")
    binary = evaluation.spec.binary
    assert binary is not None
    enough, raters = (1, 2) if binary.ranks is None else (binary.ranks.good_when_at_least, binary.ranks.raters)
    return environment.get_template("report.md.j2").render(
        e=evaluation,
        enough=enough,
        raters=raters,
        fewest=FEWEST,
        main=grids.build_main,
        counts=grids.build_counts,
        reliability=grids.build_reliability,
        skin=grids.build_skin,
        comparisons=grids.build_comparisons(evaluation),
    )


def _describe_scores(scores: Scores) -> dict[str, Any]:
    rates = scores.rates
    measures = {
        "auc": scores.curve.auc,
        **{name: getattr(rates, name) for name in RATES},
        "calibration_slope": scores.recalibration.slope,
        "calibration_intercept": scores.recalibration.intercept,
    }
    return {
        "photos": rates.photos,
        "good": rates.good,
        "confusion": asdict(rates),
        **describe_measures(measures),
        "reliability": describe_bins(scores.reliability),
        "votes": scores.votes.tolist(),
        "votes_error": scores.votes_error,
    }


def _describe_comparison(found: Comparison) -> dict[str, Any]:
    measures = {"first_auc": found.first, "second_auc": found.second, "difference": found.difference}
    return {**describe_measures(measures), "z": found.z, "p": found.p}
