"""The command that quantizes a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imageqx_export.cli.help import PlainCommand
from imageqx_export.cli.options import (
    DEFAULT_CHECKPOINT,
    OUTPUT,
    PHOTOS,
    QUANTIZATION,
    BudgetsOption,
    CheckpointOption,
    ClassFoldersOption,
    JsonOption,
)

app = typer.Typer(rich_markup_mode=None)
_ANALYSIS = "Analysis of single layers"


@app.command(
    cls=PlainCommand,
    rich_help_panel="Model",
    epilog="""
    Examples:
      imageqx quantize --precision w8a8 --out models/imageqx.w8a8.json
    With activation ranges from your own photos:
      imageqx quantize --calibration my_photos --out clinic.w8a8.json
    What each layer costs, and the fewest that must stay float:
      imageqx quantize --analyze --jobs 2 --chart layers.png --out analyzed.w8a8.json
    """,
)
def quantize(
    checkpoint: CheckpointOption = DEFAULT_CHECKPOINT,
    precision: Annotated[
        str,
        typer.Option(help="w8 (int8 weights) or w8a8 (int8 weights and activations).", rich_help_panel=QUANTIZATION),
    ] = "w8a8",
    calibration: Annotated[
        Path | None,
        typer.Option(
            help="Take activation ranges from the photos in this folder (256 or more) instead of synthetic ones.",
            metavar="DIR",
            rich_help_panel=QUANTIZATION,
        ),
    ] = None,
    budgets: BudgetsOption = None,
    photos: ClassFoldersOption = None,
    samples: Annotated[
        int,
        typer.Option(
            min=1,
            help="Test samples to measure the accuracy loss on, of --photos or synthetic scenes.",
            rich_help_panel=PHOTOS,
        ),
    ] = 1000,
    analyze: Annotated[
        bool,
        typer.Option(
            "--analyze",
            help="Measure the accuracy loss of each layer alone, and keep the fewest in float that the budget needs.",
            rich_help_panel=_ANALYSIS,
        ),
    ] = False,
    analysis_samples: Annotated[
        int, typer.Option(min=1, help="Validation samples to measure layers on.", rich_help_panel=_ANALYSIS)
    ] = 400,
    chart: Annotated[
        Path | None,
        typer.Option(help="Draw the layers' losses as a bar chart.", metavar="PNG", rich_help_panel=_ANALYSIS),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that measure layers.", rich_help_panel=_ANALYSIS)] = 1,
    cache: Annotated[
        Path,
        typer.Option(
            help="Keeps what was measured, so that an interrupted analysis resumes.",
            metavar="DIR",
            rich_help_panel=_ANALYSIS,
        ),
    ] = Path("build/quantize"),
    out: Annotated[
        Path | None,
        typer.Option(
            help="The recipe to write, by default CHECKPOINT's name with .PRECISION.json.",
            metavar="JSON",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Choose how a checkpoint is quantized to int8, and write that as a recipe.

    The recipe, JSON, holds the scale of every int8 tensor and what stays float; imageqx export follows it. The exit
    code is 1 if the quantized network loses more accuracy than its budget. Of a network with reasons or labels of its
    own, of which there are no photos, the loss is not measured.
    """
    from imageqx_export.artifact import Precision
    from imageqx_export.budgets.limits import read_budgets
    from imageqx_export.checkpoint import find_model
    from imageqx_export.cli.show import quantize as show
    from imageqx_export.errors import UnknownNameError
    from imageqx_export.quantize import stage
    from imageqx_export.quantize.sensitivity.cache import Cache
    from imageqx_export.support.progress import bar
    from imageqx_export.support.shipped import refuse_packaged

    if precision not in (Precision.W8, Precision.W8A8):
        raise UnknownNameError("INT8 precision", precision, [Precision.W8, Precision.W8A8])
    request = stage.Request(
        checkpoint=checkpoint,
        precision=Precision(precision),
        calibration=calibration,
        budget=read_budgets(budgets, find_model(checkpoint)).cost(Precision(precision)),
        budget_asked=budgets is not None,
        out=out or refuse_packaged(checkpoint).with_suffix(f".{precision}.json"),
        photos=photos,
        samples=samples,
        analysis=analysis_samples if analyze else None,
        chart=chart if analyze else None,
        jobs=jobs,
    )
    result = stage.quantize(request, cache=Cache(cache), progress=bar)
    show.show_quantized(result, as_json=json)
    raise typer.Exit(1 if result.problems else 0)
