"""Lay an evaluation of a binary decision out as tables of text, for Markdown and for the terminal alike."""

from __future__ import annotations

from collections.abc import Callable

from imageqx_export.evaluation.binary.result import BinaryEvaluation
from imageqx_export.evaluation.binary.scores import Scores
from imageqx_export.evaluation.diagnostic.aucs import Comparison
from imageqx_export.evaluation.diagnostic.prevalence import Spread
from imageqx_export.evaluation.diagnostic.rates import RATES, Rates
from imageqx_export.evaluation.grids import Grid, format_cell
from imageqx_export.evaluation.intervals import Measure
from imageqx_export.evaluation.skin_types import POOLED
from imageqx_export.evaluation.trueimage import NAME

_HEADS = ("AUC", *(rate.upper() for rate in RATES))


def build_main(evaluation: BinaryEvaluation) -> Grid:
    """Return the AUC and the four rates: of the model, at another prevalence, and of the classical features."""
    scores, adjusted, baseline = evaluation.scores, evaluation.adjusted, evaluation.baseline
    rows = [("the model", *_format_cells(scores.curve.auc, scores.rates))]
    if adjusted is not None:
        spreads = (adjusted.auc, *(getattr(adjusted, rate) for rate in RATES))
        name = f"the model, {100 * adjusted.prevalence:.1f} % of photos good"
        rows.append((name, *(_format_spread(one) for one in spreads)))
    if baseline is not None:
        one = baseline.rows["good"]
        counts = Rates(tp=one.row.tp, fp=one.row.fp, fn=one.row.fn, tn=one.row.tn)
        rows.append((NAME, *_format_cells(one.curve.auc, counts)))
    return Grid("Good or poor", ("", *_HEADS), tuple(rows))


def build_counts(evaluation: BinaryEvaluation) -> Grid:
    """Return how many photos have each number of votes, and how many of them pass."""
    votes = evaluation.scores.votes
    rows = [(str(k), f"{int(row.sum()):,}", *(f"{int(cell):,}" for cell in row)) for k, row in enumerate(votes)]
    head = ("votes for good", "photos", *(f"expected {k}" for k in range(len(votes))))
    return Grid("Votes", head, tuple(rows))


def build_reliability(evaluation: BinaryEvaluation) -> Grid:
    """Return the calibration slope and intercept, the calibration error, and the error in votes."""
    scores = evaluation.scores
    chance, error = scores.reliability.chance, scores.votes_error
    rows = (
        ("calibration slope", format_cell(scores.recalibration.slope), "1"),
        ("calibration intercept", format_cell(scores.recalibration.intercept), "0"),
        ("ECE", format_cell(scores.reliability.ece), "0" if chance is None else f"{chance:.2f}"),
        ("mean error in votes", "–" if error is None else f"{error:.2f}", "0"),
    )
    return Grid("Reliability", ("", "measured", "of true probabilities"), rows)


def build_skin(evaluation: BinaryEvaluation, *, pooled: bool = False) -> Grid:
    """Return the same measures per group of skin types.

    Args:
        evaluation: What was measured.
        pooled: Whether to leave out the single types, for narrow places.
    """
    names = [name for name in evaluation.skin if name in POOLED or not pooled]
    columns = (evaluation.scores, *(evaluation.skin[name] for name in names))
    rows: list[tuple[str, ...]] = [
        ("photos", *(f"{scores.rates.photos:,}" for scores in columns)),
        ("of them good", *(f"{scores.rates.good:,}" for scores in columns)),
    ]

    def add(name: str, measured: Callable[[Scores], Measure]) -> None:
        rows.append((name, *(format_cell(measured(scores)) for scores in columns)))

    add("AUC", lambda scores: scores.curve.auc)
    for rate in RATES:
        add(rate.upper(), lambda scores, rate=rate: getattr(scores.rates, rate))  # type: ignore[misc]
    add("calibration slope", lambda scores: scores.recalibration.slope)
    if evaluation.baseline is not None:
        one = evaluation.baseline.rows["good"]
        cells = (format_cell(one.curve.auc), *(format_cell(one.skin[name]) for name in names))
        rows.append((f"{NAME}: AUC", *cells))
    return Grid("By Fitzpatrick skin type", ("", "all", *names), tuple(rows))


def build_comparisons(evaluation: BinaryEvaluation) -> Grid | None:
    """Return DeLong's paired tests of the model against what it was compared with; None where that is nothing."""
    rows = []
    if evaluation.against_baseline is not None:
        rows.append(_compare(f"the model, {NAME}", evaluation.against_baseline))
    if evaluation.cropped is not None:
        name = f"whole photos, crops around the lesion ({evaluation.cropped.photos:,} photos)"
        rows.append(_compare(name, evaluation.cropped.comparison))
    head = ("first, second", "AUC of the first", "AUC of the second", "difference", "p")
    return Grid("Paired comparisons", head, tuple(rows)) if rows else None


def _compare(name: str, found: Comparison) -> tuple[str, ...]:
    p = "–" if found.p is None else ("< 0.001" if found.p < 1e-3 else f"{found.p:.3f}")
    return (name, *(format_cell(one) for one in (found.first, found.second, found.difference)), p)


def _format_cells(auc: Measure, rates: Rates) -> tuple[str, ...]:
    return (format_cell(auc), *(format_cell(getattr(rates, rate)) for rate in RATES))


def _format_spread(one: Spread) -> str:
    if one.mean is None:
        return "–"
    return f"{one.mean:.2f}" if one.sd is None else f"{one.mean:.2f} ± {one.sd:.2f}"
