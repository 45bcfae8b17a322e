"""The commands that choose thresholds and measure a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imageqx_export.cli.options import DEFAULT_CHECKPOINT, CheckpointOption, JsonOption, PhotosOption

app = typer.Typer(rich_markup_mode=None)


@app.command(epilog="Example: imageqx thresholds --retake-budget 0.10 --photos my_photos --thresholds-out clinic.json")
def thresholds(
    checkpoint: CheckpointOption = DEFAULT_CHECKPOINT,
    retake_budget: Annotated[
        float | None,
        typer.Option(help="The lowest thresholds that send back, or blame, at most this share of those without fault."),
    ] = None,
    ppv: Annotated[
        float | None,
        typer.Option(help="Of the photos that pass, at least this share is good; of those told a reason, has it."),
    ] = None,
    youden: Annotated[bool, typer.Option("--youden", help="The highest sensitivity + specificity - 1.")] = False,
    annotations: Annotated[
        Path | None, typer.Option(help="A table of ratings; its validation split is used.", metavar="TABLE")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="The folder of the table's photos.", metavar="DIR")] = None,
    photos: Annotated[
        Path | None,
        typer.Option(help="Photos in lesion/, healthy_skin/ and no_skin/; its validation side is used.", metavar="DIR"),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="How many to make, of --photos or painted scenes.")] = 1000,
    temperature: Annotated[
        bool, typer.Option("--temperature/--no-temperature", help="Fit temperatures first, or keep the file's.")
    ] = True,
    out: Annotated[
        Path | None, typer.Option(help="The checkpoint to write; by default the old one is replaced.")
    ] = None,
    thresholds_out: Annotated[
        Path | None, typer.Option(help="Write the thresholds alone too, for predict --thresholds.", metavar="JSON")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Choose thresholds, and fit temperatures, on validation photos; by one criterion, into the checkpoint's header."""
    from imageqx_export.cli.show import thresholds as show
    from imageqx_export.data.sources import Sources
    from imageqx_export.support.progress import bar
    from imageqx_export.thresholds import stage
    from imageqx_export.thresholds.criteria import criterion

    checkpoint_, choice = stage.calibrate(
        checkpoint,
        criterion(retake_budget, ppv, youden),
        out,
        sources=Sources(photos, annotations, images),
        samples=samples,
        fit=temperature,
        thresholds_out=thresholds_out,
        progress=bar,
    )
    show.chosen(checkpoint_, choice, thresholds_out, as_json=json)


@app.command(epilog="Example: imageqx evaluate artifacts/imageqx/imageqx_fp16.tflite --photos my_photos --out report")
def evaluate(
    file: Annotated[
        Path, typer.Argument(help="A checkpoint, .onnx, .tflite or .mlpackage.", metavar="[FILE]")
    ] = DEFAULT_CHECKPOINT,
    annotations: Annotated[
        Path | None, typer.Option(help="A table of ratings; two raters or more are compared.", metavar="TABLE")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="The folder of the table's photos.", metavar="DIR")] = None,
    photos: PhotosOption = None,
    split: Annotated[str, typer.Option(help="Of test, val.")] = "test",
    samples: Annotated[int, typer.Option(min=1, help="How many to make, of --photos or painted scenes.")] = 1000,
    thresholds: Annotated[
        Path | None, typer.Option(help="A clinic's own thresholds, in place of the file's.", metavar="JSON")
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to write; an earlier evaluation is replaced.")] = Path(
        "evaluation"
    ),
    json: JsonOption = False,
) -> None:
    """Measure a model: the paper's tables with 95 % intervals, curves, calibration, skin types and attention maps."""
    from imageqx_export.cli.show import evaluation as show
    from imageqx_export.data.sources import Sources
    from imageqx_export.evaluation.file import evaluate_file
    from imageqx_export.support.progress import bar

    sources = Sources(photos, annotations, images)
    result = evaluate_file(file, out, sources, split=split, samples=samples, thresholds=thresholds, progress=bar)
    show.evaluated(result, out, as_json=json)
