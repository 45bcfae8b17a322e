"""Evaluate a model that says good or poor: run it over rated photos, measure, and write the report."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from imageqx_export.artifact import ModelSpec, Outputs
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.errors import ArtifactError, DatasetError
from imageqx_export.evaluation.binary import figures, report
from imageqx_export.evaluation.binary.crops import Box, Cropped, crop_photos
from imageqx_export.evaluation.binary.result import BinaryEvaluation
from imageqx_export.evaluation.binary.scores import GOOD, measure
from imageqx_export.evaluation.diagnostic.aucs import Comparison, compare_aucs
from imageqx_export.evaluation.diagnostic.prevalence import resample_to_prevalence
from imageqx_export.evaluation.diagnostic.truth import find_good
from imageqx_export.evaluation.running import DPI, LAYOUT, check_folder, run
from imageqx_export.evaluation.skin_types import group_by_skin
from imageqx_export.evaluation.trueimage import NAME
from imageqx_export.evaluation.trueimage.baseline import Baseline, measure_baseline
from imageqx_export.runtimes.base import Runtime
from imageqx_export.support.folders import stage_folder
from imageqx_export.support.libraries import require
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PREVALENCE = 660 / 900
"""The share of good photos among the 900 that Jeong et al. trained on, to which they resampled."""


@dataclass(frozen=True)
class BinaryConfig:
    """How a model is measured, and what it is put beside.

    Args:
        model_name: What to call the model in the report.
        spec: The threshold to decide with in place of the runtime's own.
        train: Training photos to fit the classical features to; None leaves them out.
        boxes: Per photo's name the box around the lesion; None leaves crops out.
        images: The folder of the photos that have boxes.
        prevalence: The share of good photos to resample to, in (0, 1).
    """

    model_name: str
    spec: ModelSpec | None = None
    train: LabelledPhotos | None = None
    boxes: Mapping[str, Box] | None = None
    images: Path | None = None
    prevalence: float = PREVALENCE


def evaluate(
    runtime: Runtime,
    photos: LabelledPhotos,
    out: Path,
    config: BinaryConfig,
    *,
    progress: Progress = silent,
) -> BinaryEvaluation:
    """Measure a model on rated photos and write ``evaluation.json``, ``evaluation.md`` and the figures.

    Args:
        runtime: A checkpoint's or any artifact's, with a binary decision.
        photos: One at least, with votes.
        out: The folder to write; an earlier evaluation there is replaced in one step, anything else is refused.
        config: How to measure it.
        progress: Shows the chunks of 32 photos that were run.

    Raises:
        DatasetError: There is no photo, or a comparison needs photos that are not there.
        ArtifactError: The model gives numbers that are not finite.
        ImageQXError: ``out`` holds something else than an evaluation.
        UnavailableError: matplotlib is not installed.
    """
    require("matplotlib")
    check_folder(out)
    found = assess(runtime, photos, config, progress=progress)
    with progress("writing the report", 4) as advance:
        _write(found, out, advance)
    return found


def assess(
    runtime: Runtime, photos: LabelledPhotos, config: BinaryConfig, *, progress: Progress = silent
) -> BinaryEvaluation:
    """Measure a model as :func:`evaluate` does, and write nothing.

    Raises:
        DatasetError: There is no photo, or a comparison needs photos that are not there.
        ArtifactError: The model gives numbers that are not finite.
    """
    spec, name = config.spec or runtime.spec, config.model_name
    if len(photos) == 0:
        raise DatasetError("no photos to evaluate on", where=photos.source, expected="one at least")
    if spec.binary is None or photos.votes is None:
        raise ArtifactError("a model, or photos, without a yes or no", where=name, got=f"labels {spec.labels}")
    outputs, votes = run(runtime, photos, name, progress), photos.votes
    scores, truth = measure(votes, outputs, spec), find_good(votes, spec)
    good = outputs[spec.binary.output][:, 0].astype(np.float64)
    skin = {
        name: measure(votes[chosen], {key: value[chosen] for key, value in outputs.items()}, spec)
        for name, chosen in group_by_skin(photos.fitzpatrick).items()
    }
    adjusted = None
    if scores.rates.good not in (0, len(photos)):
        adjusted = resample_to_prevalence(truth, good, spec.binary.threshold, config.prevalence)
    baseline = None if config.train is None else _fit_baseline(config.train, photos, spec, progress)
    cropped = None
    if config.boxes is not None and config.images is not None:
        cropped = _compare_crops(runtime, photos, good, spec, config.boxes, config.images, progress)
    return BinaryEvaluation(
        model=name,
        source=photos.source,
        spec=spec,
        scores=scores,
        skin=skin,
        skin_unknown=int((photos.fitzpatrick == 0).sum()),
        adjusted=adjusted,
        baseline=baseline,
        against_baseline=_compare_with(truth, good, baseline),
        cropped=cropped,
    )


def _fit_baseline(train: LabelledPhotos, photos: LabelledPhotos, spec: ModelSpec, progress: Progress) -> Baseline:
    assert train.votes is not None and photos.votes is not None
    questions = ({GOOD: find_good(train.votes, spec)}, {GOOD: find_good(photos.votes, spec)})
    return measure_baseline(train, photos, questions, progress=progress)


def _compare_with(truth: np.ndarray, good: np.ndarray, baseline: Baseline | None) -> Comparison | None:
    if baseline is None or min(truth.sum(), (~truth).sum()) < 2:
        return None
    return compare_aucs(truth, good, baseline.rows[GOOD].probabilities)


def _compare_crops(
    runtime: Runtime,
    photos: LabelledPhotos,
    good: np.ndarray,
    spec: ModelSpec,
    boxes: Mapping[str, Box],
    images: Path,
    progress: Progress,
) -> Cropped:
    assert spec.binary is not None and photos.votes is not None
    chosen = np.array([place for place, name in enumerate(photos.names) if name in boxes], np.int64)
    if len(chosen) == 0:
        raise DatasetError(
            "no photo that is evaluated has a box",
            expected="boxes of photos of the split that is evaluated, by the names in the annotation table",
            got=f"{len(boxes)} boxes, such as that of {next(iter(boxes))}",
        )
    names = [photos.names[place] for place in chosen]
    pixels = crop_photos(boxes, names, images, spec.preprocessing)
    crops = replace(photos, pixels=pixels, names=tuple(names), votes=photos.votes[chosen])
    crops = replace(crops, quality=photos.quality[chosen], fitzpatrick=photos.fitzpatrick[chosen])
    outputs: Outputs = run(runtime, crops, "crops", progress)
    truth = find_good(photos.votes[chosen], spec)
    comparison = compare_aucs(truth, good[chosen], outputs[spec.binary.output][:, 0].astype(np.float64))
    return Cropped(len(chosen), comparison)


def _write(evaluation: BinaryEvaluation, out: Path, advance: Callable[[], None]) -> None:
    with stage_folder(out, LAYOUT) as staging:
        (staging.path / "evaluation.json").write_text(json.dumps(report.to_json(evaluation), indent=2) + "\n")
        (staging.path / "evaluation.md").write_text(report.to_markdown(evaluation), encoding="utf-8")
        for name, figure in _draw(evaluation):
            # Without the version of matplotlib, so that the same numbers give the same bytes for longer.
            figure.savefig(staging.path / name, dpi=DPI, facecolor="white", metadata={"Software": None})
            advance()
        staging.publish()


def _draw(evaluation: BinaryEvaluation) -> Iterable[tuple[str, Figure]]:
    scores, binary = evaluation.scores, evaluation.spec.binary
    assert binary is not None
    where = f"{evaluation.model}, {scores.rates.photos:,} photos"
    curves = [replace(scores.curve, name="the model")]
    if evaluation.baseline is not None:
        curves.append(replace(evaluation.baseline.rows[GOOD].curve, name=NAME))
    yield "roc.png", figures.draw_operating_point(curves, scores.rates, binary.threshold, f"{where}: ROC")
    yield "confusion.png", figures.draw_decisions(scores.rates, f"{where}: decisions")
    yield (
        "reliability.png",
        figures.draw_calibration(scores.reliability, scores.recalibration, f"{where}: calibration"),
    )
    if binary.ranks is not None:
        yield "votes.png", figures.draw_votes(scores.votes, f"{where}: votes")
