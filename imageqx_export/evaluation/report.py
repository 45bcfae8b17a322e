"""Write down what was measured: as JSON for machines, as Markdown for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from imageqx_export.decisions import POOR
from imageqx_export.evaluation import grids
from imageqx_export.evaluation.curves import Curve
from imageqx_export.evaluation.figures import to_words
from imageqx_export.evaluation.intervals import Floats, Measure
from imageqx_export.evaluation.reliability import Reliability
from imageqx_export.evaluation.scores import LABEL, Scores
from imageqx_export.evaluation.skin_types import FEWEST
from imageqx_export.evaluation.tables import METRICS, Row, Table
from imageqx_export.evaluation.trueimage import NAME
from imageqx_export.support.escapes import escape_markdown

if TYPE_CHECKING:
    from jinja2 import Environment

    from imageqx_export.evaluation.raters import Raters
    from imageqx_export.evaluation.result import Evaluation
    from imageqx_export.evaluation.trueimage.baseline import Baseline

_POINTS = 201


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation as JSON-able values: sorted keys, None for what could not be measured, no NaN.

    A measure ``x`` has its 95 % interval beside it as ``x_ci``, a pair or None.
    """
    spec, scores = evaluation.spec, evaluation.scores
    value = {
        "schema_version": 1,
        "model": evaluation.model,
        "source": evaluation.source,
        "labels": list(spec.labels),
        "reasons": list(spec.reasons),
        "thresholds": {"poor_quality": spec.poor_quality_threshold, "reasons": spec.thresholds},
        **_describe_scores(scores),
        "curves": {row.name: describe_curve(row) for row in scores.curves},
        "skin": {group.name: _describe_scores(group.scores) for group in evaluation.skin},
        "skin_unknown": evaluation.skin_unknown,
        "raters": None if evaluation.raters is None else _describe_raters(evaluation.raters),
    }
    if evaluation.baseline is not None:
        value["baseline"] = describe_baseline(evaluation.baseline)
    sorted_value: dict[str, Any] = json.loads(json.dumps(value, sort_keys=True, allow_nan=False))
    return sorted_value


def describe_baseline(baseline: Baseline) -> dict[str, Any]:
    """Return what was measured of the classical features, as JSON-able values."""
    rows = {}
    for name, one in baseline.rows.items():
        measures = describe_measures({"auc": one.curve.auc, "average_precision": one.curve.average_precision})
        rows[name] = {**_describe_row(one.row), **measures, "threshold": one.threshold}
    low, middle, high = baseline.milliseconds
    return {
        "name": NAME,
        "fitted_to": baseline.source,
        "rows": rows,
        "milliseconds": {"lower_quartile": low, "median": middle, "upper_quartile": high},
    }


def _describe_scores(scores: Scores) -> dict[str, Any]:
    quality = {row.name: _describe_row(row) for row in scores.quality.rows}
    quality[POOR] |= _describe_ranking(scores, POOR)
    reasons = {}
    for row in scores.explanations.rows:
        reasons[row.name] = (
            _describe_row(row) | _describe_ranking(scores, row.name) | _describe_reliability(scores, row.name)
        )
    return {
        "photos": scores.photos,
        "quality": quality,
        "explanations": reasons,
        **_describe_means("quality", scores.quality),
        **_describe_means("explanations", scores.explanations),
        "confusion": scores.confusion.tolist(),
        "reliability": _describe_reliability(scores, LABEL),
    }


def _describe_row(row: Row) -> dict[str, Any]:
    counts = {"photos": row.photos, "tp": row.tp, "fp": row.fp, "fn": row.fn, "tn": row.tn}
    return {**counts, **describe_measures({metric: getattr(row, metric) for metric in METRICS})}


def _describe_means(group: str, table: Table) -> dict[str, Any]:
    return describe_measures({f"{group}_macro_{metric}": getattr(table, metric) for metric in METRICS})


def _describe_ranking(scores: Scores, name: str) -> dict[str, Any]:
    row = scores.curve(name)
    return describe_measures({"auc": row.auc, "average_precision": row.average_precision})


def _describe_reliability(scores: Scores, name: str) -> dict[str, Any]:
    return describe_bins(scores.reliability(name))


def describe_bins(row: Reliability) -> dict[str, Any]:
    """Return a calibration error and its bins as JSON-able values."""
    bins = [
        {
            "low": b.low,
            "high": b.high,
            "photos": b.count,
            "confidence": b.confidence,
            **describe_measures({"accuracy": b.accuracy}),
        }
        for b in row.bins
    ]
    return {**describe_measures({"ece": row.ece}), "ece_chance": row.chance, "bins": bins}


def describe_measures(measures: dict[str, Measure]) -> dict[str, Any]:
    """Return measures as JSON-able values, each with its interval beside it."""
    values: dict[str, Any] = {}
    for name, measure in measures.items():
        values[name] = measure.value
        values[f"{name}_ci"] = None if measure.interval is None else list(measure.interval)
    return values


def _describe_raters(raters: Raters) -> dict[str, Any]:
    return {
        group: {
            row.name: {"f1": row.mean, "f1_sd": row.sd, "pairs": row.pairs, "expert_level": row.expert} for row in rows
        }
        for group, rows in (("quality", raters.quality), ("explanations", raters.explanations))
    }


def describe_curve(row: Curve) -> dict[str, Any]:
    """Return both curves, thinned to 201 points, as JSON-able values."""
    return {
        "roc": _list_points(row.roc, "fpr", "recall"),
        "precision_recall": _list_points(row.pr, "recall", "precision"),
    }


def _list_points(points: Floats, x: str, y: str) -> dict[str, list[float]]:
    """Thin a curve to at most 201 points, the ends included, evenly by place."""
    last = len(points) - 1
    places = np.unique(np.linspace(0, last, min(_POINTS, last + 1)).round().astype(int))
    return {x: points[places, 0].tolist(), y: points[places, 1].tolist()}


def make_environment(package: str) -> Environment:
    """Return jinja2's environment for the Markdown templates of a package of evaluation.

    Args:
        package: Whose ``*.j2`` files it reads. Text from files goes through the filter ``text``, and a comparator
            through ``baseline``; an undefined name is an error.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package, "."),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["text"] = escape_markdown
    environment.filters["baseline"] = grids.describe_baseline
    return environment


def to_markdown(evaluation: Evaluation) -> str:
    """Return an evaluation as Markdown that shows the figures beside it."""
    environment = make_environment("imageqx_export.evaluation")
    environment.filters["words"] = lambda name: escape_markdown(to_words(name))
    tables = {
        "counts": grids.build_counts,
        "model": grids.build_model,
        "ranking": grids.build_ranking,
        "skin": grids.build_skin,
    }
    return environment.get_template("report.md.j2").render(e=evaluation, fewest=FEWEST, **tables)
