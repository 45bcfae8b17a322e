"""The command that fine-tunes trained weights for int8."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imageqx_export.cli import options
from imageqx_export.cli.help import PlainCommand

app = typer.Typer(rich_markup_mode=None)


@app.command(
    cls=PlainCommand,
    rich_help_panel="Model",
    epilog="""
    Examples:
      imageqx finetune --photos my_photos --out models/imageqx.w8a8.json
    With the ranges of a recipe, and from weights that were fine-tuned before:
      imageqx finetune --recipe build/w8a8.json --epochs 8 --learning-rate 0.003
      imageqx finetune --recipe models/imageqx.w8a8.json --further --out models/further.w8a8.json
    With ReLU in the place of the first seven SiLUs, which takes less time on a phone and more epochs here:
      imageqx finetune --relu 7 --epochs 8 --learning-rate 0.02 --out models/relu.w8a8.json
    """,
)
def finetune(
    checkpoint: options.CheckpointOption = options.DEFAULT_CHECKPOINT,
    photos: options.ClassFoldersOption = None,
    annotations: options.AnnotationsOption = None,
    images: options.ImagesOption = None,
    photo_share: options.PhotoShareOption = 0.7,
    rated_share: options.RatedShareOption = 0.7,
    synthetic_scenes: options.SyntheticOption = 2048,
    validation_samples: options.ValidationSamplesOption = 256,
    held_out_samples: options.TestSamplesOption = 1000,
    recipe: Annotated[
        Path | None,
        typer.Option(
            help="The w8a8 recipe to start from; else the one at --out, or, if there is none, a new one.",
            metavar="JSON",
            rich_help_panel=options.QUANTIZATION,
        ),
    ] = None,
    further: Annotated[
        bool,
        typer.Option(
            "--further",
            help="Start from the fine-tuned weights that --recipe names, instead of from the checkpoint's.",
            rich_help_panel=options.QUANTIZATION,
        ),
    ] = False,
    relu: Annotated[
        str | None,
        typer.Option(
            help="SiLUs that become ReLUs: how many, counted from the network's entry, or their paths in the recipe, "
            "separated by commas.",
            metavar="COUNT|PATHS",
            rich_help_panel=options.QUANTIZATION,
        ),
    ] = None,
    budgets: options.BudgetsOption = None,
    epochs: options.EpochsOption = 3,
    samples: options.SamplesOption = 2048,
    batch_size: options.BatchSizeOption = 16,
    seed: options.SeedOption = 0,
    fresh: options.FreshOption = False,
    learning_rate: Annotated[
        float,
        typer.Option(
            min=0,
            help="Adam's, at the top of the cosine schedule, in int8 steps: about how far a weight moves per update.",
            rich_help_panel=options.OPTIMIZER,
        ),
    ] = 0.002,
    ema_decay: options.EmaDecayOption = 0.98,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The recipe to write, by default CHECKPOINT's name with .w8a8.json; its weights lie beside the "
            "checkpoint.",
            metavar="JSON",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    json: options.JsonOption = False,
) -> None:
    """Fine-tune a checkpoint's weights for w8a8 (quantization-aware training).

    The quantized network learns to give the answers of the float one, on the kinds of samples that imageqx train uses.
    An interrupted run resumes where it stopped when the same command is given again. The weights and the recipe are
    written in any case; the exit code is 1 if the quantized network still loses more accuracy than its budget.
    """
    from imageqx_export.artifact import Precision
    from imageqx_export.budgets.limits import read_budgets
    from imageqx_export.checkpoint import find_model
    from imageqx_export.cli.show import finetune as show
    from imageqx_export.data.sources import Sources
    from imageqx_export.quantize.qat import stage
    from imageqx_export.quantize.qat.loop import QatConfig
    from imageqx_export.support.progress import bar
    from imageqx_export.support.shipped import refuse_packaged

    request = stage.Request(
        checkpoint=refuse_packaged(checkpoint),
        out=out or checkpoint.with_suffix(".w8a8.json"),
        recipe=recipe,
        sources=Sources(photos, annotations, images),
        config=QatConfig(
            checkpoint_sha256="",
            recipe_sha256="",
            epochs=epochs,
            samples=samples,
            batch_size=batch_size,
            learning_rate=learning_rate,
            ema_decay=ema_decay,
            synthetic_scenes=synthetic_scenes,
            photo_share=photo_share,
            rated_share=rated_share,
            validation_samples=validation_samples,
            seed=seed,
        ),
        budget=read_budgets(budgets, find_model(checkpoint)).cost(Precision.W8A8),
        held_out_samples=held_out_samples,
        resume=not fresh,
        further=further,
        relu=relu,
    )
    result = stage.fine_tune(request, progress=bar, report=show.show_epoch)
    show.show_finetuning(result, as_json=json)
    raise typer.Exit(1 if result.problems else 0)
