"""The command that quantizes a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imageqx_export.cli.options import DEFAULT_CHECKPOINT, CheckpointOption, JsonOption, PhotosOption

app = typer.Typer(rich_markup_mode=None)


@app.command(
    epilog="Examples: imageqx quantize --precision w8a8 --out models/imageqx.w8a8.json · on your own photos: imageqx "
    "quantize --calibration my_photos --out clinic.w8a8.json · what each layer costs, and the fewest that must stay "
    "float: imageqx quantize --analyze --jobs 2 --chart layers.png --out analyzed.w8a8.json"
)
def quantize(
    checkpoint: CheckpointOption = DEFAULT_CHECKPOINT,
    precision: Annotated[str, typer.Option(help="Of w8 (int8 weights), w8a8 (int8 activations too).")] = "w8a8",
    calibration: Annotated[
        Path | None,
        typer.Option(help="At least 256 photos of your own to take ranges from; else painted ones.", metavar="DIR"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The recipe to write; by default beside the checkpoint.", metavar="FILE")
    ] = None,
    photos: PhotosOption = None,
    samples: Annotated[
        int, typer.Option(min=1, help="Held-out samples to measure on, of --photos or painted scenes.")
    ] = 1000,
    analyze: Annotated[
        bool,
        typer.Option("--analyze", help="Measure every layer alone, and move layers to float until the budget holds."),
    ] = False,
    analysis_samples: Annotated[
        int, typer.Option(min=1, help="Of the validation samples, how many to analyze on.")
    ] = 400,
    chart: Annotated[Path | None, typer.Option(help="Draw the analysis as a bar chart.", metavar="PNG")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes for the analysis.")] = 1,
    cache: Annotated[
        Path, typer.Option(help="Where the analysis keeps what it has measured, to go on from.", metavar="DIR")
    ] = Path("build/quantize"),
    budgets: Annotated[
        Path | None, typer.Option(help="Limits of accuracy loss, else this package's own.", metavar="TOML")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Choose every scale of an INT8 network and write them as JSON; exit 1 if it loses more than its budget."""
    from imageqx_export.artifact import Precision
    from imageqx_export.budgets.limits import read_budgets
    from imageqx_export.cli.show import quantize as show
    from imageqx_export.errors import UnknownNameError
    from imageqx_export.quantize import assess
    from imageqx_export.quantize.sensitivity.cache import Cache
    from imageqx_export.support.progress import bar

    if precision not in (Precision.W8, Precision.W8A8):
        raise UnknownNameError("INT8 precision", precision, [Precision.W8, Precision.W8A8])
    request = assess.Request(
        checkpoint=checkpoint,
        precision=Precision(precision),
        calibration=calibration,
        budget=read_budgets(budgets).cost(Precision(precision)),
        out=out or checkpoint.with_suffix(f".{precision}.json"),
        photos=photos,
        samples=samples,
        analysis=analysis_samples if analyze else None,
        chart=chart if analyze else None,
        jobs=jobs,
    )
    result = assess.quantize(request, cache=Cache(cache), progress=bar)
    show.quantized(result, as_json=json)
    raise typer.Exit(1 if result.problems else 0)
