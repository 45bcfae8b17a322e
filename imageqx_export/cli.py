"""The command line: each subcommand parses, calls one stage, and prints."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from imageqx_export.errors import ImageQXError

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,  # rich boxes cost 0.4 s at every --help; the results are drawn with rich
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Export ImageQX to phones, and prove that every file says what PyTorch says.",
    epilog="Example: imageqx export && imageqx predict photo.jpg --artifact artifacts/imageqx/imageqx_fp16.tflite",
)

DEFAULT_CHECKPOINT = Path("models/imageqx.safetensors")

CheckpointOption = Annotated[Path, typer.Option("--checkpoint", help="The trained weights, as safetensors.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output instead of tables.")]
PhotosOption = Annotated[Path | None, typer.Option("--photos", help="A folder of photos.", metavar="DIR")]


def _one_thread_each() -> None:
    """Keep OpenMP to one thread a process, before torch is loaded: export and parity use a process per core."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def main() -> NoReturn:
    """Run the command line; every error of ours ends in one message and exit code 1."""
    try:
        app()
    except KeyboardInterrupt:
        print("stopped; nothing is half-written", file=sys.stderr)
        raise SystemExit(130) from None
    except (ImageQXError, OSError) as error:
        from imageqx_export.show import console  # slow to import, and --help does not need it

        # An OSError is a full disk, or a folder that may not be written to.
        known = error if isinstance(error, ImageQXError) else ImageQXError(str(error.strerror), where=error.filename)
        console.error(known)
        raise SystemExit(1) from None
    raise SystemExit(0)


@app.command(epilog="Example: imageqx export --formats onnx,tflite --precisions fp16 --out artifacts")
def export(
    model: Annotated[str, typer.Option(help="The network.")] = "imageqx",
    checkpoint: CheckpointOption = DEFAULT_CHECKPOINT,
    formats: Annotated[str, typer.Option(help="Of onnx, coreml, tflite; with commas.")] = "onnx,coreml,tflite",
    precisions: Annotated[str, typer.Option(help="Of fp32, fp16; with commas.")] = "fp32,fp16",
    out: Annotated[Path, typer.Option(help="The folder of all models' artifacts.")] = Path("artifacts"),
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Go on without formats that lack a library.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Write the artifacts of a checkpoint and compare each with it; exit 1 if one differs too much."""
    _one_thread_each()
    from imageqx_export.artifact import Format, Precision
    from imageqx_export.export import stage
    from imageqx_export.progress import bar
    from imageqx_export.show import artifacts as show

    result = stage.export_checkpoint(
        checkpoint,
        out,
        model=model,
        formats=[Format(name) for name in stage.parse_names("format", formats, Format)],
        precisions=[Precision(name) for name in stage.parse_names("precision", precisions, Precision)],
        allow_missing=allow_missing,
        progress=bar,
    )
    show.exported(result, as_json=json)
    raise typer.Exit(0 if result.parity.passed else 1)


@app.command(epilog="Example: imageqx parity artifacts/imageqx --photos my_photos --json")
def parity(
    folder: Annotated[Path, typer.Argument(help="The folder with manifest.json.", metavar="ARTIFACTS")],
    checkpoint: CheckpointOption = DEFAULT_CHECKPOINT,
    photos: PhotosOption = None,
    json: JsonOption = False,
) -> None:
    """Compare every artifact with the checkpoint, on painted photos or on yours; exit 1 if one differs too much."""
    _one_thread_each()
    from imageqx_export import parity as stage
    from imageqx_export.progress import bar
    from imageqx_export.show import artifacts as show

    report = stage.check(folder, checkpoint, photos, progress=bar)
    show.parity(report, as_json=json)
    raise typer.Exit(0 if report.passed else 1)


@app.command(epilog="Example: imageqx predict hand.jpg mole.png --attention why.png")
def predict(
    photos: Annotated[list[Path], typer.Argument(help="Photos of any kind.", metavar="PHOTO...")],
    artifact: Annotated[Path, typer.Option(help="A checkpoint, .onnx, .tflite or .mlpackage.")] = DEFAULT_CHECKPOINT,
    attention: Annotated[
        Path | None, typer.Option(help="Write where the model looks, as a picture.", metavar="PNG")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say whether photos are good enough, and if not, what to do differently."""
    from imageqx_export import predict as stage
    from imageqx_export.overlay import draw_attention
    from imageqx_export.runtimes import load_runtime
    from imageqx_export.show import artifacts as show

    runtime = load_runtime(artifact)
    rows = stage.judge_photos(photos, runtime)
    if attention is not None:
        draw_attention(rows, runtime.spec, attention)
    show.verdicts([verdict for verdict, _ in rows], attention, as_json=json)


@app.command(epilog="Example: imageqx train --photos my_photos --epochs 12 --small-epochs 10 --init lite0")
def train(
    photos: PhotosOption = None,
    out: Annotated[
        Path, typer.Option(help="The checkpoint to write; its card and state lie beside it.")
    ] = DEFAULT_CHECKPOINT,
    epochs: Annotated[int, typer.Option(min=1)] = 39,
    samples: Annotated[int, typer.Option(min=1, help="Samples an epoch.")] = 2048,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    learning_rate: Annotated[float, typer.Option(min=0)] = 1e-3,
    small_epochs: Annotated[int, typer.Option(min=0, help="The first epochs, at 160 px: 2.9 times as fast.")] = 0,
    init: Annotated[
        str, typer.Option(help="Of imagenet (torchvision's download), lite0 (from PyPI), random.")
    ] = "random",
    ema_decay: Annotated[float, typer.Option(min=0, max=1)] = 0.99,
    validation_samples: Annotated[int, typer.Option(min=1)] = 256,
    workers: Annotated[int, typer.Option(min=0, help="Processes that draw samples.")] = 1,
    seed: int = 0,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over, even if there is a state to resume from.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Train on painted photos and, with --photos, on lesion/, healthy_skin/ and no_skin/ of DIR; resumes by itself."""
    from imageqx_export.progress import bar
    from imageqx_export.show import training as show
    from imageqx_export.training import stage
    from imageqx_export.training.loop import TrainingConfig

    config = TrainingConfig(
        epochs=epochs,
        samples=samples,
        batch_size=batch_size,
        learning_rate=learning_rate,
        small_epochs=small_epochs,
        initialisation=init,
        ema_decay=ema_decay,
        validation_samples=validation_samples,
        workers=workers,
        seed=seed,
    )
    checkpoint = stage.train(config, out, photos, resume=not fresh, progress=bar, report=show.epoch)
    show.trained(checkpoint, as_json=json)
