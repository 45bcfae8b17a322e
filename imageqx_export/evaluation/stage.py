"""Evaluate a checkpoint or an artifact: run it over labelled photos, measure, and write the report."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.artifact import ModelSpec, Outputs
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.data.vocabulary import choose_reasons
from imageqx_export.errors import DatasetError
from imageqx_export.evaluation import figures, report
from imageqx_export.evaluation.attention import choose_examples, draw_attention_figure
from imageqx_export.evaluation.by_skin import measure_by_skin
from imageqx_export.evaluation.raters import compare_with_raters
from imageqx_export.evaluation.result import Evaluation
from imageqx_export.evaluation.running import DPI, LAYOUT, check_folder, run
from imageqx_export.evaluation.scores import measure
from imageqx_export.runtimes.base import Runtime
from imageqx_export.support.folders import stage_folder
from imageqx_export.support.libraries import require
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from imageqx_export.evaluation.agreement import Agreement
    from imageqx_export.evaluation.trueimage.baseline import Baseline

FIGURES = ("attention.png", "reliability.png", "confusion.png", "precision_recall.png", "roc.png")
FILES = ("evaluation.json", "evaluation.md", *FIGURES)


def evaluate(
    runtime: Runtime,
    photos: LabelledPhotos,
    out: Path,
    *,
    model_name: str,
    agreement: Agreement | None = None,
    spec: ModelSpec | None = None,
    train: LabelledPhotos | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Measure a model on labelled photos and write ``evaluation.json``, ``evaluation.md`` and the figures.

    Args:
        runtime: A checkpoint's or any artifact's.
        photos: One at least, with the truth.
        out: The folder to write; an earlier evaluation there is replaced in one step, anything else is refused.
        model_name: What to call the model in the report.
        agreement: Of the raters of these photos, if there were two or more.
        spec: Thresholds to decide with in place of the runtime's own.
        train: Training photos to fit the classical features to, as a comparison; None leaves it out.
        progress: Shows the chunks of 32 photos that were run.

    Raises:
        DatasetError: There is no photo.
        ArtifactError: No photos are labelled with the model's labels and reasons, or it gives what is not finite.
        ImageQXError: ``out`` holds something else than an evaluation.
        UnavailableError: matplotlib is not installed.
    """
    require("matplotlib")
    check_folder(out)
    evaluation, outputs = assess(
        runtime, photos, model_name=model_name, agreement=agreement, spec=spec, train=train, progress=progress
    )
    with progress("writing the report", len(FIGURES)) as advance:
        _write(evaluation, photos, outputs, out, advance)
    return evaluation


def assess(
    runtime: Runtime,
    photos: LabelledPhotos,
    *,
    model_name: str,
    agreement: Agreement | None = None,
    spec: ModelSpec | None = None,
    train: LabelledPhotos | None = None,
    progress: Progress = silent,
) -> tuple[Evaluation, Outputs]:
    """Measure a model as :func:`evaluate` does, and write nothing.

    Returns:
        What was measured, and the model's outputs for every photo.

    Raises:
        DatasetError: There is no photo.
        ArtifactError: No photos are labelled with the model's labels and reasons, or it gives what is not finite.
    """
    spec = spec or runtime.spec
    if len(photos) == 0:
        raise DatasetError("no photos to evaluate on", where=photos.source, expected="one at least")
    choose_reasons(spec.labels, spec.reasons)
    outputs = run(runtime, photos, model_name, progress)
    scores = measure(photos, outputs, spec)
    evaluation = Evaluation(
        model=model_name,
        source=photos.source,
        spec=spec,
        scores=scores,
        skin=measure_by_skin(photos, outputs, spec),
        skin_unknown=int((photos.fitzpatrick == 0).sum()),
        raters=None if agreement is None else compare_with_raters(agreement, scores),
        baseline=None if train is None else _compare_with_baseline(train, photos, progress),
    )
    return evaluation, outputs


def _compare_with_baseline(train: LabelledPhotos, photos: LabelledPhotos, progress: Progress) -> Baseline:
    from imageqx_export.evaluation.trueimage.baseline import ask_labels, measure_baseline

    return measure_baseline(train, photos, (ask_labels(train), ask_labels(photos)), progress=progress)


def _write(
    evaluation: Evaluation, photos: LabelledPhotos, outputs: Outputs, out: Path, advance: Callable[[], None]
) -> None:
    with stage_folder(out, LAYOUT) as staging:
        (staging.path / "evaluation.json").write_text(json.dumps(report.to_json(evaluation), indent=2) + "\n")
        (staging.path / "evaluation.md").write_text(report.to_markdown(evaluation), encoding="utf-8")
        for name, figure in _draw_figures(evaluation, photos, outputs):
            # Without the version of matplotlib, so that the same numbers give the same bytes for longer.
            figure.savefig(staging.path / name, dpi=DPI, facecolor="white", metadata={"Software": None})
            advance()
        staging.publish()


def _draw_figures(evaluation: Evaluation, photos: LabelledPhotos, outputs: Outputs) -> Iterable[tuple[str, Figure]]:
    scores, spec = evaluation.scores, evaluation.spec
    where = f"{evaluation.model}, {scores.photos:,} photos"
    yield "confusion.png", figures.draw_confusion(scores.confusion, spec.labels, f"{where}: decisions")
    yield "roc.png", figures.draw_roc(scores.curves, f"{where}: ROC")
    yield "precision_recall.png", figures.draw_precision_recall(scores.curves, f"{where}: precision and recall")
    yield "reliability.png", figures.draw_reliability(scores.reliabilities, f"{where}: reliability")
    yield (
        "attention.png",
        draw_attention_figure(choose_examples(photos, outputs, spec), spec.reasons, f"{where}: where the model looks"),
    )
