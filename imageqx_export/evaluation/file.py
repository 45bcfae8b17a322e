"""Evaluate a file: a checkpoint or an artifact, on one held-out side of photos."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from imageqx_export.data.labels import Split
from imageqx_export.data.sources import Sources, load_held_out
from imageqx_export.decisions import apply_thresholds
from imageqx_export.errors import UnknownNameError
from imageqx_export.evaluation import stage
from imageqx_export.evaluation.raters import measure_split_agreement
from imageqx_export.evaluation.result import Evaluation
from imageqx_export.runtimes import load_judge
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
    """

    file: Path
    out: Path
    sources: Sources = field(default_factory=Sources)
    split: str = "test"
    samples: int = 1000
    thresholds: Path | None = None


def evaluate_file(config: EvaluationConfig, *, progress: Progress = silent) -> Evaluation:
    """Run a file over photos that no training has seen, and write the report.

    Args:
        config: Which file, on which photos, and where to.
        progress: Opens bars.

    Raises:
        UnknownNameError: There is no such split to evaluate on.
        DatasetError: The photos cannot be used.
        ArtifactError: The file cannot be run, or ``out`` has something else in it.
    """
    side = next((name for name in _SPLITS if name == config.split), None)
    if side is None:
        raise UnknownNameError("split to evaluate on", config.split, _SPLITS)
    single = config.sources.single()
    stage.check_folder(config.out)
    runtime = load_judge(config.file)
    spec = runtime.spec
    if config.thresholds is not None:
        spec = apply_thresholds(spec, config.thresholds)
    photos = load_held_out(side, single, config.samples, progress=progress)
    agreement = None if single.annotations is None else measure_split_agreement(single.annotations, side)
    return stage.evaluate(
        runtime, photos, config.out, model_name=config.file.name, agreement=agreement, spec=spec, progress=progress
    )
