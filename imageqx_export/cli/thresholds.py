"""The command that chooses thresholds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imageqx_export.cli.help import PlainCommand
from imageqx_export.cli.options import (
    DEFAULT_CHECKPOINT,
    OUTPUT,
    AnnotationsOption,
    CheckpointOption,
    ClassFoldersOption,
    HeldOutOption,
    ImagesOption,
    JsonOption,
)

app = typer.Typer(rich_markup_mode=None)
_CRITERION = "Criterion (exactly one)"


@app.command(
    cls=PlainCommand,
    rich_help_panel="Model",
    epilog="Example: imageqx thresholds --retake-budget 0.10 --photos my_photos --thresholds-out clinic.json",
)
def thresholds(
    checkpoint: CheckpointOption = DEFAULT_CHECKPOINT,
    retake_budget: Annotated[
        float | None,
        typer.Option(
            help="A limit on the false positive rate, 0 to 1: at most this share of the good photos is sent back for a "
            "retake, and of the photos that do not have a fault (such as blurry), at most this share is told it.",
            metavar="SHARE",
            rich_help_panel=_CRITERION,
        ),
    ] = None,
    ppv: Annotated[
        float | None,
        typer.Option(
            help="A minimum precision, 0 to 1: of the photos that are accepted, at least this share is good; of those "
            "that are told a fault, at least this share has it.",
            metavar="SHARE",
            rich_help_panel=_CRITERION,
        ),
    ] = None,
    youden: Annotated[
        bool,
        typer.Option(
            "--youden",
            help="The highest Youden index, sensitivity + specificity - 1.",
            rich_help_panel=_CRITERION,
        ),
    ] = False,
    annotations: AnnotationsOption = None,
    images: ImagesOption = None,
    photos: ClassFoldersOption = None,
    samples: HeldOutOption = 1000,
    temperature: Annotated[
        bool,
        typer.Option(
            "--temperature/--no-temperature",
            help="Run temperature scaling first, which makes probabilities match frequencies; or keep the "
            "checkpoint's temperatures.",
            rich_help_panel="Temperature scaling",
        ),
    ] = True,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The checkpoint to write; by default --checkpoint is replaced.", metavar="FILE", rich_help_panel=OUTPUT
        ),
    ] = None,
    thresholds_out: Annotated[
        Path | None,
        typer.Option(
            help="Also write the thresholds alone, for imageqx predict --thresholds.",
            metavar="JSON",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Choose the decision thresholds of a checkpoint on validation photos.

    Temperatures and thresholds are written into the checkpoint's header; the weights do not change. Only the validation
    split is used.
    """
    from imageqx_export.cli.show import thresholds as show
    from imageqx_export.data.sources import Sources
    from imageqx_export.support.progress import bar
    from imageqx_export.support.shipped import refuse_packaged
    from imageqx_export.thresholds import stage
    from imageqx_export.thresholds.criteria import make_criterion

    config = stage.ThresholdsConfig(
        checkpoint,
        make_criterion(retake_budget, ppv, youden),
        out or refuse_packaged(checkpoint),
        fit=temperature,
        thresholds_out=thresholds_out,
    )
    sources = Sources(photos, annotations, images)
    written, choice = stage.choose_from_sources(config, sources, samples=samples, progress=bar)
    show.show_choice(written, choice, thresholds_out, as_json=json)
