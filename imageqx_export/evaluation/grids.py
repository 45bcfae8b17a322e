"""Lay an evaluation out as tables of text, for Markdown and for the terminal alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imageqx_export.decisions import POOR
from imageqx_export.evaluation.figures import format_measure, to_words
from imageqx_export.evaluation.intervals import Measure
from imageqx_export.evaluation.scores import LABEL, Scores
from imageqx_export.evaluation.skin_types import POOLED
from imageqx_export.evaluation.tables import METRICS, Row, Table
from imageqx_export.evaluation.trueimage import NAME

if TYPE_CHECKING:
    from imageqx_export.evaluation.raters import RatersRow
    from imageqx_export.evaluation.result import Evaluation
    from imageqx_export.evaluation.trueimage.baseline import Baseline, BaselineRow

_HEADS = {"recall": "recall", "specificity": "specificity", "precision": "precision", "f1": "F1"}
_EXPERT = {True: "yes", False: "no", None: "–"}


@dataclass(frozen=True)
class Grid:
    """A table of text.

    Args:
        title: What it shows.
        head: The columns' titles.
        rows: Cells, each row as long as the head; the first cell names the row.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def format_cell(measure: Measure) -> str:
    """Return a number with its interval, or a dash where it could not be measured."""
    return "–" if measure.value is None else format_measure(measure)


def build_counts(evaluation: Evaluation, group: str) -> Grid:
    """Return the paper's table 1 or 2: how many photos, and how well the raters agree where they are known.

    Args:
        evaluation: What was measured.
        group: ``"quality"`` or ``"explanations"``.
    """
    title = {"quality": "Table 1. Classes", "explanations": "Table 2. Reasons"}[group]
    raters = _describe_raters(evaluation, group)
    head = ("", "photos", *(("raters' F1, mean ± SD", "pairs of raters") if raters else ()))
    rows = []
    for row in _choose_table(evaluation.scores, group).rows:
        agreed = raters.get(row.name)
        more = () if agreed is None else (agreed.text, str(agreed.pairs))
        rows.append((to_words(row.name), f"{row.photos:,}", *more))
    if evaluation.raters is not None:
        mean = evaluation.raters.quality_mean if group == "quality" else evaluation.raters.explanations_mean
        rows.append(("mean", "", mean.text, ""))
    return Grid(title, head, tuple(rows))


def build_model(evaluation: Evaluation, group: str) -> Grid:
    """Return the paper's table 3 or 4: how well the model decides, with the true mean as the last row.

    Args:
        evaluation: What was measured.
        group: ``"quality"`` or ``"explanations"``.
    """
    title = {"quality": "Table 3. The model, per class", "explanations": "Table 4. The model, per reason"}[group]
    table, raters = _choose_table(evaluation.scores, group), _describe_raters(evaluation, group)
    rows = []
    for row in table.rows:
        agreed = raters.get(row.name)
        more = () if agreed is None else (_EXPERT[agreed.expert],)
        rows.append((to_words(row.name), *_format_cells(row), *more))
    names = {row.name for row in table.rows}
    below = [one.row for name, one in _list_baseline(evaluation).items() if name in names]
    rows.append(("mean", *(format_cell(getattr(table, metric)) for metric in METRICS), *(("",) if raters else ())))
    for row in below:
        rows.append((f"{NAME}: {to_words(row.name)}", *_format_cells(row), *(("",) if raters else ())))
    return Grid(title, ("", *_HEADS.values(), *(("expert level",) if raters else ())), tuple(rows))


def build_ranking(evaluation: Evaluation) -> Grid:
    """Return how well each probability ranks photos, and whether it means what it says."""
    scores = evaluation.scores
    rows = []
    for row in scores.curves:
        errors = _describe_errors(scores, row.name) if row.name != POOR else ("", "")
        rows.append((to_words(row.name), format_cell(row.auc), format_cell(row.average_precision), *errors))
    rows.append(("the most probable label", "", "", *_describe_errors(scores, LABEL)))
    for name, one in _list_baseline(evaluation).items():
        areas = format_cell(one.curve.auc), format_cell(one.curve.average_precision)
        rows.append((f"{NAME}: {to_words(name)}", *areas, "", ""))
    return Grid(
        "Ranking and reliability", ("probability of", "AUC", "average precision", "ECE", "by chance"), tuple(rows)
    )


def build_skin(evaluation: Evaluation, *, pooled: bool = False) -> Grid:
    """Return F1 of every class and reason, and more of poor quality, per group of skin types.

    Args:
        evaluation: What was measured.
        pooled: Whether to leave out the single types, for narrow places.
    """
    groups = [group for group in evaluation.skin if group.name in POOLED or not pooled]
    all_scores = (evaluation.scores, *(group.scores for group in groups))
    rows: list[tuple[str, ...]] = [("photos", *(f"{scores.photos:,}" for scores in all_scores))]

    def add(name: str, measured: Callable[[Scores], Measure]) -> None:
        rows.append((name, *(format_cell(measured(scores)) for scores in all_scores)))

    for group, mean in (("quality", "mean F1 of the classes"), ("explanations", "mean F1 of the reasons")):
        for k, row in enumerate(_choose_table(evaluation.scores, group).rows):
            add(f"{to_words(row.name)}: F1", lambda scores, g=group, k=k: _choose_table(scores, g).rows[k].f1)  # type: ignore[misc]
        add(mean, lambda scores, g=group: _choose_table(scores, g).f1)  # type: ignore[misc]
    add("poor quality: recall", lambda scores: scores.quality.row(POOR).recall)
    add("poor quality: specificity", lambda scores: scores.quality.row(POOR).specificity)
    add("poor quality: AUC", lambda scores: scores.curve(POOR).auc)
    add("label: ECE", lambda scores: scores.reliability(LABEL).ece)
    if evaluation.baseline is not None:
        one = evaluation.baseline.rows[POOR]
        cells = (format_cell(one.curve.auc), *(format_cell(one.skin[group.name]) for group in groups))
        rows.append((f"{NAME}: poor quality: AUC", *cells))
    return Grid("By Fitzpatrick skin type", ("", "all", *(group.name for group in groups)), tuple(rows))


def describe_baseline(baseline: Baseline) -> str:
    """Say what the classical features were fitted to, and what a photo takes."""
    low, middle, high = baseline.milliseconds
    return (
        f"{NAME}: blur, light and zoom by classical features (Vodrahalli et al. 2021) and a logistic regression, "
        f"fitted to {baseline.source}, with Youden's threshold there; {middle:.1f} ms a photo ({low:.1f}–{high:.1f}), "
        "on one thread of the machine that wrote this"
    )


def _list_baseline(evaluation: Evaluation) -> Mapping[str, BaselineRow]:
    return {} if evaluation.baseline is None else evaluation.baseline.rows


def _format_cells(row: Row) -> tuple[str, ...]:
    return tuple(format_cell(getattr(row, metric)) for metric in METRICS)


def _choose_table(scores: Scores, group: str) -> Table:
    return scores.quality if group == "quality" else scores.explanations


def _describe_raters(evaluation: Evaluation, group: str) -> dict[str, RatersRow]:
    if evaluation.raters is None:
        return {}
    rows = evaluation.raters.quality if group == "quality" else evaluation.raters.explanations
    return {row.name: row for row in rows}


def _describe_errors(scores: Scores, name: str) -> tuple[str, str]:
    row = scores.reliability(name)
    return format_cell(row.ece), "–" if row.chance is None else f"{row.chance:.2f}"
