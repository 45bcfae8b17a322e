"""The command that evaluates a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imageqx_export.cli.help import PlainCommand
from imageqx_export.cli.options import (
    DEFAULT_CHECKPOINT,
    MODEL,
    OUTPUT,
    PHOTOS,
    AnnotationsOption,
    ClassFoldersOption,
    HeldOutOption,
    ImagesOption,
    JsonOption,
    ThresholdsOption,
)

app = typer.Typer(rich_markup_mode=None)


@app.command(
    cls=PlainCommand,
    rich_help_panel="Model",
    epilog="Example: imageqx evaluate artifacts/imageqx/imageqx_fp16.tflite --photos my_photos --out evaluation",
)
def evaluate(
    file: Annotated[
        Path, typer.Argument(help="The model: a checkpoint, .onnx, .tflite or .mlpackage.", metavar="FILE")
    ] = DEFAULT_CHECKPOINT,
    thresholds: ThresholdsOption = None,
    annotations: AnnotationsOption = None,
    images: ImagesOption = None,
    photos: ClassFoldersOption = None,
    split: Annotated[str, typer.Option(help="The split to evaluate on: test or val.", rich_help_panel=PHOTOS)] = "test",
    samples: HeldOutOption = 1000,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="Put a classical method beside the model: trueimage (blur, light and zoom features with a logistic "
            "regression), fitted to the training side of the same photos.",
            metavar="NAME",
            rich_help_panel=MODEL,
        ),
    ] = None,
    boxes: Annotated[
        Path | None,
        typer.Option(
            help="A table with boxes around the lesions (image, left, top, right, bottom, in pixels): compare crops "
            "with whole photos, for a model that says good or poor.",
            metavar="TABLE",
            rich_help_panel=PHOTOS,
        ),
    ] = None,
    prevalence: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=0.99,
            help="For a model that says good or poor: the share of good photos to resample to. The default is that of "
            "the paper's training photos.",
            rich_help_panel=PHOTOS,
        ),
    ] = 0.733,
    robustness: Annotated[
        bool,
        typer.Option(
            "--robustness",
            help="Instead of the tables, degrade photos that are good (of --photos, or synthetic scenes) in each kind "
            "alone, mild and strong, and tell what the model calls poor.",
            rich_help_panel=PHOTOS,
        ),
    ] = False,
    mos: Annotated[
        Path | None,
        typer.Option(
            help="Instead of the tables, compare P(poor) with people's scores of --images: a table of file and score, "
            "higher is better.",
            metavar="TABLE",
            rich_help_panel=PHOTOS,
        ),
    ] = None,
    poor_below: Annotated[
        float | None,
        typer.Option(
            help="For --mos: the score below which a photo is poor. [default: the median]", rich_help_panel=PHOTOS
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The folder to write (evaluation, robustness or mos); an earlier one there is replaced.",
            metavar="DIR",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Measure how good a model is on held-out photos.

    Writes a report with F1, recall and specificity per label and reason with 95 % intervals, ROC and precision-recall
    curves, calibration (reliability diagrams), results per skin type and attention maps. If the table has two raters
    or more, the model is also compared with the agreement between raters. Of a model that says good or poor: AUC, PPV,
    TPR, NPV and TNR, the same at another share of good photos, the calibration slope and the votes.
    """
    from imageqx_export.cli.show import evaluation as show
    from imageqx_export.data.sources import Sources
    from imageqx_export.evaluation.file import EvaluationConfig, evaluate_file
    from imageqx_export.support.progress import bar

    if robustness:
        _check_robustness(file, out, photos, split, samples, thresholds, (annotations, images, baseline, boxes), json)
        return
    if mos is not None:
        _compare_opinions(file, mos, images, out or Path("mos"), poor_below, json)
        return
    out = out or Path("evaluation")
    config = EvaluationConfig(
        file,
        out,
        Sources(photos, annotations, images),
        split,
        samples,
        thresholds,
        baseline,
        boxes,
        prevalence,
    )
    result = evaluate_file(config, progress=bar)
    show.show_evaluation(result, out, as_json=json)


def _check_robustness(
    file: Path,
    out: Path | None,
    photos: Path | None,
    split: str,
    samples: int,
    thresholds: Path | None,
    others: tuple[object, ...],
    json: bool,
) -> None:
    from imageqx_export.cli.show import evaluation as show
    from imageqx_export.errors import ImageQXError
    from imageqx_export.evaluation.robustness.file import RobustnessConfig, check_file
    from imageqx_export.support.progress import bar

    if any(others):
        raise ImageQXError(
            "--robustness degrades photos that are good as they are",
            expected="--photos, or neither for synthetic scenes",
            got="--annotations, --images, --baseline or --boxes",
            remedy="leave them out",
        )
    out = out or Path("robustness")
    result = check_file(RobustnessConfig(file, out, photos, split, samples, thresholds), progress=bar)
    show.show_robustness(result, out, as_json=json)


def _compare_opinions(
    file: Path, table: Path, images: Path | None, out: Path, poor_below: float | None, json: bool
) -> None:
    from imageqx_export.cli.show import evaluation as show
    from imageqx_export.errors import DatasetError
    from imageqx_export.evaluation.mos import compare_file
    from imageqx_export.support.progress import bar

    if images is None:
        raise DatasetError("a table and its photos go together", where=table, expected="--mos with --images")
    found = compare_file(file, table, images, out, limit=poor_below, progress=bar)
    show.show_opinions(found, out, as_json=json)
