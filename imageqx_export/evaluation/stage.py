"""Evaluate a checkpoint or an artifact: run it over labelled photos, measure, and write the report."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from imageqx_export.artifact import ModelSpec, Outputs
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.errors import ArtifactError, DatasetError
from imageqx_export.evaluation import figures, report
from imageqx_export.evaluation.attention import choose_examples, draw_attention_figure
from imageqx_export.evaluation.by_skin import measure_by_skin
from imageqx_export.evaluation.raters import compare_with_raters
from imageqx_export.evaluation.result import Evaluation
from imageqx_export.evaluation.scores import measure
from imageqx_export.networks.imageqx.spec import LABELS, REASONS
from imageqx_export.runtimes.base import Runtime
from imageqx_export.support.folders import Layout, stage_folder
from imageqx_export.support.libraries import require
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from imageqx_export.evaluation.agreement import Agreement

CHUNK = 32
FIGURES = ("attention.png", "reliability.png", "confusion.png", "precision_recall.png", "roc.png")
FILES = ("evaluation.json", "evaluation.md", *FIGURES)
_LAYOUT = Layout.of_names("an evaluation", {*FILES, "calibration.png"})  # the earlier name of reliability.png
_DPI = 110


def evaluate(
    runtime: Runtime,
    photos: LabelledPhotos,
    out: Path,
    *,
    model_name: str,
    agreement: Agreement | None = None,
    spec: ModelSpec | None = None,
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
        progress: Shows the chunks of 32 photos that were run.

    Raises:
        DatasetError: There is no photo.
        ArtifactError: The model has other labels or reasons, or gives numbers that are not finite.
        ImageQXError: ``out`` holds something else than an evaluation.
        UnavailableError: matplotlib is not installed.
    """
    require("matplotlib", "imageqx-export[train]")
    check_folder(out)
    evaluation, outputs = assess(
        runtime, photos, model_name=model_name, agreement=agreement, spec=spec, progress=progress
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
    progress: Progress = silent,
) -> tuple[Evaluation, Outputs]:
    """Measure a model as :func:`evaluate` does, and write nothing.

    Returns:
        What was measured, and the model's outputs for every photo.

    Raises:
        DatasetError: There is no photo.
        ArtifactError: The model has other labels or reasons, or gives numbers that are not finite.
    """
    spec = spec or runtime.spec
    if len(photos) == 0:
        raise DatasetError("no photos to evaluate on", where=photos.source, expected="one at least")
    if (spec.labels, spec.reasons) != (LABELS, REASONS):
        raise ArtifactError("another model's labels or reasons", where=model_name, got=f"{spec.labels}, {spec.reasons}")
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
    )
    return evaluation, outputs


def run(runtime: Runtime, photos: LabelledPhotos, name: str, progress: Progress = silent) -> Outputs:
    """Run a model over photos, 32 at a time.

    Returns:
        ``quality`` [N,4], ``explanations`` [N,5] and ``attention`` [N,5,7,7].

    Raises:
        ArtifactError: An output is not finite.
    """
    starts = range(0, len(photos), CHUNK)
    parts: list[Outputs] = []
    with progress(f"running {name}", len(starts)) as advance:
        for start in starts:
            parts.append(runtime.run(photos.pixels[start : start + CHUNK]))
            advance()
    outputs = {key: np.concatenate([part[key] for part in parts]) for key in ("quality", "explanations", "attention")}
    for key, value in outputs.items():
        bad = int((~np.isfinite(value)).sum())
        if bad:
            raise ArtifactError(
                "outputs that are not numbers",
                where=f"{name}: {key}",
                expected="finite values",
                got=f"{bad} of {value.size} are NaN or infinite",
                remedy="imageqx parity",
            )
    return outputs


def check_folder(out: Path) -> None:
    """Refuse a place that holds anything but an earlier evaluation, as the new one replaces the folder whole.

    Raises:
        ImageQXError: It does.
    """
    _LAYOUT.refuse_other(out)


def _write(
    evaluation: Evaluation, photos: LabelledPhotos, outputs: Outputs, out: Path, advance: Callable[[], None]
) -> None:
    with stage_folder(out, _LAYOUT) as staging:
        (staging.path / "evaluation.json").write_text(json.dumps(report.to_json(evaluation), indent=2) + "\n")
        (staging.path / "evaluation.md").write_text(report.to_markdown(evaluation), encoding="utf-8")
        for name, figure in _figures(evaluation, photos, outputs):
            # Without the version of matplotlib, so that the same numbers give the same bytes for longer.
            figure.savefig(staging.path / name, dpi=_DPI, facecolor="white", metadata={"Software": None})
            advance()
        staging.publish()


def _figures(evaluation: Evaluation, photos: LabelledPhotos, outputs: Outputs) -> Iterable[tuple[str, Figure]]:
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
