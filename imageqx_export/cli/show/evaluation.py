"""Print how a model scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.cli.show.console import note, out, print_json
from imageqx_export.cli.show.tables import Table

if TYPE_CHECKING:
    from imageqx_export.evaluation.binary.result import BinaryEvaluation
    from imageqx_export.evaluation.grids import Grid
    from imageqx_export.evaluation.mos import OpinionScores
    from imageqx_export.evaluation.result import Evaluation
    from imageqx_export.evaluation.robustness.result import Robustness


def show_evaluation(evaluation: Evaluation | BinaryEvaluation, folder: Path, *, as_json: bool) -> None:
    """Print the model's tables, with 95 % intervals; as JSON, what ``evaluation.json`` has."""
    from imageqx_export.evaluation import grids, report
    from imageqx_export.evaluation.binary.result import BinaryEvaluation

    if isinstance(evaluation, BinaryEvaluation):
        _show_binary(evaluation, folder, as_json=as_json)
        return
    if as_json:
        print_json(report.to_json(evaluation))
        return
    note(f"{evaluation.model} on {evaluation.scores.photos:,} photos: {evaluation.source}; in brackets 95 % intervals")
    for grid in (
        grids.build_model(evaluation, "quality"),
        grids.build_model(evaluation, "explanations"),
        grids.build_ranking(evaluation),
        *([grids.build_skin(evaluation, pooled=True)] if evaluation.skin else []),
    ):
        _print(grid)
    note(f"tables, curves and pictures: {folder / 'evaluation.md'}")


def show_robustness(found: Robustness, folder: Path, *, as_json: bool) -> None:
    """Print what a model calls poor, per kind of degradation; as JSON, what ``robustness.json`` has."""
    from imageqx_export.evaluation.robustness import render

    if as_json:
        print_json(render.to_json(found))
        return
    note(f"{found.model} on {found.photos:,} photos: {found.source}; in brackets 95 % intervals")
    _print(render.build_table(found))
    note(f"the table, and a photo of each kind with its verdict: {folder / 'robustness.md'}")


def show_opinions(found: OpinionScores, folder: Path, *, as_json: bool) -> None:
    """Print how well P(poor) goes with people's scores; as JSON, what ``mos.json`` has."""
    from imageqx_export.evaluation import mos

    if as_json:
        print_json(mos.to_json(found))
        return
    note(f"{found.model} on {found.photos:,} photos of {found.table}; in brackets 95 % intervals")
    _print(mos.build_table(found))
    note(f"the same as JSON: {folder / mos.FILE}")


def _show_binary(evaluation: BinaryEvaluation, folder: Path, *, as_json: bool) -> None:
    from imageqx_export.evaluation.binary import grids, report

    if as_json:
        print_json(report.to_json(evaluation))
        return
    rates = evaluation.scores.rates
    counts = f"{rates.photos:,} photos, {rates.good:,} good"
    note(f"{evaluation.model} on {counts}: {evaluation.source}; in brackets 95 % intervals")
    comparisons = grids.build_comparisons(evaluation)
    for grid in (
        grids.build_main(evaluation),
        *([] if comparisons is None else [comparisons]),
        grids.build_reliability(evaluation),
        *([grids.build_skin(evaluation, pooled=True)] if evaluation.skin else []),
    ):
        _print(grid)
    note(f"tables, curves and pictures: {folder / 'evaluation.md'}")


def _print(grid: Grid) -> None:
    table = Table(title=grid.title, title_justify="left")
    for k, name in enumerate(grid.head):
        table.add_column(name, justify="right" if k else "left", no_wrap=True)
    for row in grid.rows:
        table.add_row(*row)
    out.print(table)
