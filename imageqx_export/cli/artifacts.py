"""The commands about artifacts: export, parity, predict."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from imageqx_export.cli.options import DEFAULT_CHECKPOINT, CheckpointOption, JsonOption, PhotosOption, parse_names

app = typer.Typer(rich_markup_mode=None)


def _one_thread_each() -> None:
    """Keep OpenMP to one thread a process, before torch is loaded: export and parity use a process per core."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@app.command(epilog="Example: imageqx export --formats onnx,tflite --precisions fp16,w8a8 --out artifacts")
def export(
    model: Annotated[str, typer.Option(help="The network.")] = "imageqx",
    checkpoint: CheckpointOption = DEFAULT_CHECKPOINT,
    formats: Annotated[str, typer.Option(help="Of onnx, coreml, tflite; with commas.")] = "onnx,coreml,tflite",
    precisions: Annotated[str, typer.Option(help="Of fp32, fp16, w8, w8a8; with commas.")] = "fp32,fp16,w8,w8a8",
    out: Annotated[Path, typer.Option(help="The folder of all models' artifacts.")] = Path("artifacts"),
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Go on without formats that lack a library.")
    ] = False,
    recipe: Annotated[
        list[Path] | None, typer.Option(help="A recipe to quantize with, else the checkpoint's.", metavar="JSON")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="256 photos or more to make w8a8's recipe with.", metavar="DIR")
    ] = None,
    budgets: Annotated[
        Path | None,
        typer.Option(help="Limits of size and accuracy loss, else this package's own.", metavar="TOML"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write the artifacts of a checkpoint and compare each with PyTorch; exit 1 if one differs or weighs too much."""
    _one_thread_each()
    from imageqx_export.artifact import Format, Precision
    from imageqx_export.budgets.limits import read_budgets
    from imageqx_export.cli.show import artifacts as show
    from imageqx_export.export import stage
    from imageqx_export.support.progress import bar

    result = stage.export_checkpoint(
        checkpoint,
        out,
        model=model,
        formats=[Format(name) for name in parse_names("format", formats, Format)],
        precisions=[Precision(name) for name in parse_names("precision", precisions, Precision)],
        allow_missing=allow_missing,
        recipes=recipe or (),
        calibration=calibration,
        budgets=read_budgets(budgets),
        progress=bar,
    )
    show.exported(result, as_json=json)
    raise typer.Exit(0 if result.passed else 1)


@app.command(epilog="Example: imageqx parity artifacts/imageqx --photos my_photos --json")
def parity(
    folder: Annotated[Path, typer.Argument(help="The folder with manifest.json.", metavar="ARTIFACTS")],
    checkpoint: CheckpointOption = DEFAULT_CHECKPOINT,
    photos: PhotosOption = None,
    json: JsonOption = False,
) -> None:
    """Compare every artifact with PyTorch, on painted photos or on yours; exit 1 if one differs too much."""
    _one_thread_each()
    from imageqx_export.cli.show import artifacts as show
    from imageqx_export.parity import stage
    from imageqx_export.support.progress import bar

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
    thresholds: Annotated[
        Path | None, typer.Option(help="A clinic's own thresholds, in place of the file's.", metavar="JSON")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say whether photos are good enough, and if not, what to do differently."""
    from imageqx_export.cli.show import artifacts as show
    from imageqx_export.decisions import apply_thresholds
    from imageqx_export.predict.overlay import draw_attention
    from imageqx_export.predict.verdict import judge_photos
    from imageqx_export.runtimes import load_runtime

    runtime = load_runtime(artifact)
    spec = runtime.spec if thresholds is None else apply_thresholds(runtime.spec, thresholds)
    rows = judge_photos(photos, runtime, spec)
    if attention is not None:
        draw_attention(rows, spec, attention)
    show.verdicts([verdict for verdict, _ in rows], attention, as_json=json)
