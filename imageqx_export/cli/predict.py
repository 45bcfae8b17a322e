"""The command that assesses photos."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imageqx_export.cli.help import PlainCommand
from imageqx_export.cli.options import (
    DEFAULT_CHECKPOINT,
    MODEL,
    OUTPUT,
    ThresholdsOption,
    use_one_thread_each,
)

if TYPE_CHECKING:
    from imageqx_export.artifact import ModelSpec
    from imageqx_export.predict.sources import GatheredPhotos
    from imageqx_export.runtimes.base import Runtime

app = typer.Typer(rich_markup_mode=None)


@app.command(
    cls=PlainCommand,
    rich_help_panel="Artifacts",
    epilog="""
    Example: imageqx predict hand.jpg mole.png --attention attention.png
             imageqx predict my_photos --html sheet
             imageqx predict my_photos 'more/**/*.HEIC' --json > verdicts.jsonl
             find my_photos -newer last -name '*.jpg' -print0 | imageqx predict -
             imageqx predict s3://bucket/photos --out s3://bucket/verdicts.parquet --engine ray:10.0.0.1:6379
    """,
)
def predict(
    photos: Annotated[
        list[str],
        typer.Argument(
            help="Photos, folders of them at any depth, patterns, their addresses, or - for names on standard input.",
            metavar="PHOTO",
        ),
    ],
    artifact: Annotated[
        Path,
        typer.Option(help="The model: a checkpoint, .onnx, .tflite or .mlpackage.", rich_help_panel=MODEL),
    ] = DEFAULT_CHECKPOINT,
    thresholds: ThresholdsOption = None,
    attention: Annotated[
        Path | None,
        typer.Option(
            help="Draw the attention maps, where the model looks for each reason, as one picture of at most 64 photos.",
            metavar="PNG",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            help="Write a contact sheet: a page with every photo, its verdict and where the model looks.",
            metavar="DIR",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            help="Write a table of a row per photo, to a file or an address such as s3://…; a run that was stopped "
            "goes on when it is given again.",
            metavar="PARQUET",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            help="What runs it with --out: threads of this machine, ray (a cluster of its cores), or ray:ADDRESS.",
            metavar="ENGINE",
            rich_help_panel=MODEL,
        ),
    ] = "threads",
    json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print a line of JSON per photo (JSON Lines) instead of words.", rich_help_panel=OUTPUT
        ),
    ] = False,
) -> None:
    """Assess the quality of photos, with advice on how to retake poor ones.

    All cores work, and each photo's row comes as soon as those before it. One that cannot be read stops none
    of the others: it has a row with the reason, and the exit code is 1 at the end. With --out the rows go to a
    Parquet table, of the names that --json prints; --engine ray spreads an archive over a cluster.
    """
    use_one_thread_each()
    from imageqx_export.cli.show import predict as show
    from imageqx_export.decisions import apply_thresholds
    from imageqx_export.predict.archive.engines import THREADS, choose_engine
    from imageqx_export.predict.overlay import refuse_addresses, refuse_many
    from imageqx_export.predict.sources import gather_photos
    from imageqx_export.runtimes import load_photo_model

    if out is None and engine != THREADS:
        raise typer.BadParameter("it writes a table: add --out verdicts.parquet", param_hint="'--engine'")
    if out is not None and (attention is not None or html is not None):
        raise typer.BadParameter("it takes no --attention or --html", param_hint="'--out'")
    chosen = choose_engine(engine)
    runtime = load_photo_model(artifact)
    spec = runtime.spec if thresholds is None else apply_thresholds(runtime.spec, thresholds)
    found = gather_photos(photos, sys.stdin.buffer.read)
    if out is not None:
        from imageqx_export.predict.archive.stage import OpenModel, assess_archive
        from imageqx_export.support.files import digest

        model = OpenModel(artifact, digest(artifact), runtime, spec)
        summary = assess_archive(found.photos, model, out, chosen, progress=show.open_bar)
        show.show_summary(summary, found.left_out, as_json=json)
        raise typer.Exit(1 if summary.unreadable.count else 0)
    if attention is not None:
        refuse_many(found.photos, attention)
    if attention is not None or html is not None:
        refuse_addresses(found.photos)
    unreadable = _print_rows(found, runtime, spec, partial(load_photo_model, artifact), attention, html, as_json=json)
    raise typer.Exit(1 if unreadable else 0)


def _print_rows(
    found: GatheredPhotos,
    runtime: Runtime,
    spec: ModelSpec,
    open_another: Callable[[], Runtime],
    attention: Path | None,
    html: Path | None,
    *,
    as_json: bool,
) -> int:
    """Print each photo's row as it comes, and draw what is asked for; return how many could not be read."""
    from imageqx_export.cli.show import predict as show
    from imageqx_export.errors import PhotoError
    from imageqx_export.predict.batch import assess_photos
    from imageqx_export.predict.overlay import draw_attention
    from imageqx_export.predict.sheet import open_sheet

    rows = assess_photos(found.photos, runtime, spec, open_another=open_another, progress=show.open_bar)
    tally = show.Tally()
    maps = []
    page = None
    with nullcontext() if html is None else open_sheet(html, spec) as sheet:
        for row in rows:
            show.show_row(row, as_json=as_json)
            tally.add(row)
            if sheet is not None:
                sheet.add(row)
            if attention is not None and row.attention is not None and not isinstance(row.result, PhotoError):
                maps.append((row.result, row.attention))
        page = None if sheet is None else sheet.publish()
    if attention is not None and maps:
        draw_attention(maps, spec, attention)
    show.show_end(tally, found.left_out, attention if maps else None, page, as_json=as_json)
    return tally.unreadable.count
