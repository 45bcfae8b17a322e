"""Evaluate a file: a checkpoint or an artifact, on one held-out side of photos."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from imageqx_export.artifact import ModelSpec
from imageqx_export.data.labels import LabelledPhotos, Split
from imageqx_export.data.settings import choose_settings
from imageqx_export.data.sources import Sources, load_held_out
from imageqx_export.data.vocabulary import require_vocabulary
from imageqx_export.decisions import apply_thresholds
from imageqx_export.errors import DatasetError, UnknownNameError
from imageqx_export.evaluation import stage
from imageqx_export.evaluation.binary import stage as binary
from imageqx_export.evaluation.binary.crops import read_boxes
from imageqx_export.evaluation.binary.result import BinaryEvaluation
from imageqx_export.evaluation.raters import measure_split_agreement
from imageqx_export.evaluation.result import Evaluation
from imageqx_export.evaluation.running import check_folder
from imageqx_export.evaluation.trueimage.baseline import refuse_unknown
from imageqx_export.runtimes import load_photo_model
from imageqx_export.runtimes.base import Runtime
from imageqx_export.support.progress import Progress, silent

_SPLITS: tuple[Split, ...] = ("test", "val")


@dataclass(frozen=True)
class EvaluationConfig:
    """The parameters of a file's evaluation.

    Args:
        file: A checkpoint, .onnx, .tflite or .mlpackage.
        out: The folder to write; an earlier evaluation is replaced.
        sources: Where photos come from; synthetic scenes alone, unless given.
        split: ``"test"`` or ``"val"``.
        samples: How many to make; of a table all photos are taken.
        thresholds: A clinic's own thresholds, in place of the file's; or None.
        baseline: ``"trueimage"``, to put the classical features beside the model, fitted to as many samples of the
            training side; or None.
        boxes: A table of boxes around the lesions, to put crops beside whole photos, for a model that says good or
            poor; or None.
        prevalence: The share of good photos to resample to, likewise; in (0, 1).
    """

    file: Path
    out: Path
    sources: Sources = field(default_factory=Sources)
    split: str = "test"
    samples: int = 1000
    thresholds: Path | None = None
    baseline: str | None = None
    boxes: Path | None = None
    prevalence: float = binary.PREVALENCE


def evaluate_file(config: EvaluationConfig, *, progress: Progress = silent) -> Evaluation | BinaryEvaluation:
    """Run a file over photos that no training has seen, and write the report.

    Args:
        config: Which file, on which photos, and where to.
        progress: Opens bars.

    Raises:
        UnknownNameError: There is no such split to evaluate on, or no such baseline.
        DatasetError: The photos cannot be used.
        ArtifactError: The file cannot be run, or ``out`` has something else in it.
    """
    side = next((name for name in _SPLITS if name == config.split), None)
    if side is None:
        raise UnknownNameError("split to evaluate on", config.split, _SPLITS)
    refuse_unknown(config.baseline)
    single = config.sources.single()
    check_folder(config.out)
    runtime = load_photo_model(config.file)
    _refuse_boxes(config, runtime.spec)
    spec = runtime.spec
    if config.thresholds is not None:
        spec = apply_thresholds(spec, config.thresholds)
    settings = choose_settings(spec)
    photos = load_held_out(side, single, config.samples, settings=settings, progress=progress)
    train = None
    if config.baseline is not None:
        if spec.binary is None:
            require_vocabulary(spec, config.file)  # a comparator answers all that raters are asked
        train = load_held_out("train", single, config.samples, settings=settings, progress=progress)
    if spec.binary is not None:
        return _evaluate_binary(config, runtime, spec, photos, train, progress)
    agreement = None if single.annotations is None else measure_split_agreement(single.annotations, side)
    return stage.evaluate(
        runtime,
        photos,
        config.out,
        model_name=config.file.name,
        agreement=agreement,
        spec=spec,
        train=train,
        progress=progress,
    )


def _refuse_boxes(config: EvaluationConfig, spec: ModelSpec) -> None:
    if config.boxes is not None and (spec.binary is None or config.sources.images is None):
        raise DatasetError(
            "boxes are for rated photos and a model that says good or poor",
            where=config.boxes,
            expected="--annotations with --images, and such a model",
            got="a model with labels" if spec.binary is None else "no table of photos",
        )


def _evaluate_binary(
    config: EvaluationConfig,
    runtime: Runtime,
    spec: ModelSpec,
    photos: LabelledPhotos,
    train: LabelledPhotos | None,
    progress: Progress,
) -> BinaryEvaluation:
    boxes = None if config.boxes is None else read_boxes(config.boxes)
    return binary.evaluate(
        runtime,
        photos,
        config.out,
        binary.BinaryConfig(
            config.file.name,
            spec=spec,
            train=train,
            boxes=boxes,
            images=config.sources.images,
            prevalence=config.prevalence,
        ),
        progress=progress,
    )
