"""The command that judges photos."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from imageqx_export.cli.help import PlainCommand
from imageqx_export.cli.options import (
    DEFAULT_CHECKPOINT,
    MODEL,
    OUTPUT,
    ThresholdsOption,
    use_one_thread_each,
)

app = typer.Typer(rich_markup_mode=None)


@app.command(
    cls=PlainCommand,
    rich_help_panel="Artifacts",
    epilog="""
    Example: imageqx predict hand.jpg mole.png --attention attention.png
             imageqx predict my_photos --html sheet
             imageqx predict my_photos 'more/**/*.HEIC' --json > verdicts.jsonl
             find my_photos -newer last -name '*.jpg' -print0 | imageqx predict -
    """,
)
def predict(
    photos: Annotated[
        list[str],
        typer.Argument(
            help="Photos, folders of them at any depth, patterns, or - for names on standard input.", metavar="PHOTO"
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
    json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print a line of JSON per photo (JSON Lines) instead of words.", rich_help_panel=OUTPUT
        ),
    ] = False,
) -> None:
    """Assess the quality of photos, with advice on how to retake poor ones.

    All cores work, and each photo's row comes as soon as those before it. One that cannot be read stops none
    of the others: it has a row with the reason, and the exit code is 1 at the end.
    """
    use_one_thread_each()
    from imageqx_export.cli.show import predict as show
    from imageqx_export.decisions import apply_thresholds
    from imageqx_export.errors import PhotoError
    from imageqx_export.predict.batch import judge_photos
    from imageqx_export.predict.overlay import draw_attention, refuse_many
    from imageqx_export.predict.sheet import open_sheet
    from imageqx_export.predict.sources import gather_photos
    from imageqx_export.runtimes import load_judge

    runtime = load_judge(artifact)
    spec = runtime.spec if thresholds is None else apply_thresholds(runtime.spec, thresholds)
    found = gather_photos(photos, sys.stdin.buffer.read)
    if attention is not None:
        refuse_many(found.photos, attention)
    rows = judge_photos(found.photos, runtime, spec, open_another=partial(load_judge, artifact), progress=show.open_bar)
    tally = show.Tally()
    maps = []
    page = None
    with nullcontext() if html is None else open_sheet(html, spec) as sheet:
        for row in rows:
            show.show_row(row, as_json=json)
            tally.add(row)
            if sheet is not None:
                sheet.add(row)
            if attention is not None and row.attention is not None and not isinstance(row.result, PhotoError):
                maps.append((row.result, row.attention))
        page = None if sheet is None else sheet.publish()
    if attention is not None and maps:
        draw_attention(maps, spec, attention)
    show.show_end(tally, found.left_out, attention if maps else None, page, as_json=json)
    raise typer.Exit(1 if tally.unreadable else 0)
