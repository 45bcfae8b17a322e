"""The commands about artifacts: export, parity."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from imageqx_export.cli.help import PlainCommand
from imageqx_export.cli.options import (
    MODEL,
    OUTPUT,
    PHOTOS,
    QUANTIZATION,
    BudgetsOption,
    FormatsOption,
    JsonOption,
    ModelsCheckpointOption,
    find_checkpoint,
    parse_forms,
    parse_names,
    use_one_thread_each,
)

app = typer.Typer(rich_markup_mode=None)
_PANEL = "Artifacts"


@app.command(
    cls=PlainCommand,
    rich_help_panel=_PANEL,
    epilog="""
    Example: imageqx export --formats onnx,tflite --precisions fp16,w8a8 --out artifacts
             imageqx export --formats onnx --batch 1,dynamic --input float32-nchw --out server
    """,
)
def export(
    model: Annotated[
        str | None,
        typer.Option(
            help="The network's name; by default the checkpoint's own, or imageqx.",
            rich_help_panel=MODEL,
            show_default=False,
        ),
    ] = None,
    checkpoint: ModelsCheckpointOption = None,
    formats: FormatsOption = "onnx,coreml,tflite",
    precisions: Annotated[
        str,
        typer.Option(
            help="Number formats: fp32, fp16, w8 (int8 weights), w8a8 (int8 weights and activations).",
            metavar="A,B",
            rich_help_panel=MODEL,
        ),
    ] = "fp32,fp16,w8,w8a8",
    batch: Annotated[
        str,
        typer.Option(
            help="Photos at a time, a file each: numbers, or dynamic for any (ONNX). Apps feed 1.",
            metavar="A,B",
            rich_help_panel=MODEL,
        ),
    ] = "1",
    input: Annotated[
        str,
        typer.Option(
            help="What the files take, a file each: uint8-nhwc, or float32-nhwc or float32-nchw in [0, 1]. Apps feed "
            "uint8-nhwc.",
            metavar="A,B",
            rich_help_panel=MODEL,
        ),
    ] = "uint8-nhwc",
    recipe: Annotated[
        list[Path] | None,
        typer.Option(
            help="A recipe of imageqx quantize, in place of the one beside the checkpoint; once for each of w8, w8a8.",
            metavar="JSON",
            rich_help_panel=QUANTIZATION,
        ),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            help="Make a new w8a8 recipe, with activation ranges from the photos in this folder (256 or more).",
            metavar="DIR",
            rich_help_panel=QUANTIZATION,
        ),
    ] = None,
    budgets: BudgetsOption = None,
    out: Annotated[
        Path, typer.Option(help="Where to write; the artifacts go to OUT/MODEL.", metavar="DIR", rich_help_panel=OUTPUT)
    ] = Path("artifacts"),
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing",
            help="Skip formats whose libraries are not installed, instead of failing.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    no_cache: Annotated[
        bool,
        typer.Option(
            "--no-cache",
            help="Convert and measure everything anew; IMAGEQX_NO_CACHE=1 keeps nothing either.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Convert a checkpoint to ONNX, Core ML and TFLite, and verify every file.

    Each file's outputs are compared with PyTorch's, and its size and accuracy loss with the budgets. If all hold, the
    folder is published in one step. If one does not, the exit code is 1, the published folder stays as it was, and the
    new files are in OUT/MODEL.rejected.

    A file with another batch or input than apps feed says so in its name and in its ModelSpec. Mean and standard
    deviation are in the graph in all.

    Conversions and measurements are kept in the user's cache (IMAGEQX_EXPORTS_CACHE, or
    ~/.cache/imageqx-export/exports; 1 GiB at most), and made anew where the checkpoint, a recipe, this program, a
    library or the processor has changed.
    """
    use_one_thread_each()
    from imageqx_export.artifact import Format, Precision
    from imageqx_export.budgets.limits import read_budgets
    from imageqx_export.checkpoint import find_model
    from imageqx_export.cli.show import artifacts as show
    from imageqx_export.export import stage
    from imageqx_export.support.progress import bar

    checkpoint = checkpoint or find_checkpoint(model or "imageqx")
    config = stage.ExportConfig(
        checkpoint,
        out,
        model=model,
        formats=[Format(name) for name in parse_names("format", formats, Format)],
        precisions=[Precision(name) for name in parse_names("precision", precisions, Precision)],
        allow_missing=allow_missing,
        recipes=recipe or (),
        calibration=calibration,
        budgets=read_budgets(budgets, model or find_model(checkpoint)),
        forms=parse_forms(input, batch),
        cache=_find_exports_cache(),
        fresh=no_cache,
    )
    result = stage.export_checkpoint(config, progress=bar)
    show.show_export(result, as_json=json)
    raise typer.Exit(0 if result.passed else 1)


def _find_exports_cache() -> Path | None:
    """Return where exports are kept; None where they shall not be, or the account has no home."""
    from imageqx_export.support.caches import find_cache

    if os.environ.get("IMAGEQX_NO_CACHE", "").lower() not in ("", "0", "false", "no"):
        return None
    with suppress(RuntimeError):  # Path.home() where neither HOME nor a list of accounts tells
        return find_cache("exports", "IMAGEQX_EXPORTS_CACHE")
    return None


@app.command(
    cls=PlainCommand,
    rich_help_panel=_PANEL,
    epilog="Example: imageqx parity artifacts/imageqx --photos my_photos --chart parity.png",
)
def parity(
    folder: Annotated[
        Path, typer.Argument(help="An exported folder, with manifest.json.", metavar="ARTIFACTS", show_default=False)
    ],
    checkpoint: ModelsCheckpointOption = None,
    photos: Annotated[
        Path | None,
        typer.Option(
            help="Compare on the photos in this folder (64 or more) instead of synthetic ones.",
            metavar="DIR",
            rich_help_panel=PHOTOS,
        ),
    ] = None,
    chart: Annotated[
        Path | None,
        typer.Option(help="Draw every artifact's differences beside its tolerance.", metavar="PNG"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Compare every artifact's outputs with PyTorch's on the same photos.

    The exit code is 1 if an artifact differs by more than its precision's tolerance.
    """
    use_one_thread_each()
    from imageqx_export.bundle.manifest import read_manifest
    from imageqx_export.cli.show import artifacts as show
    from imageqx_export.parity import stage
    from imageqx_export.parity.chart import draw_parity, refuse_without_library
    from imageqx_export.support.progress import bar

    if chart is not None:
        refuse_without_library()
    checkpoint = checkpoint or find_checkpoint(read_manifest(folder).model)
    report = stage.check(folder, checkpoint, photos, progress=bar)
    show.show_parity(report, as_json=json)
    if chart is not None:
        draw_parity(report, chart)
    raise typer.Exit(0 if report.passed else 1)
