"""The command that builds the emulated phones."""

from __future__ import annotations

from typing import Annotated

import typer

from imageqx_export.cli.help import PlainCommand
from imageqx_export.cli.options import JsonOption

app = typer.Typer(rich_markup_mode=None)


@app.command(
    cls=PlainCommand,
    rich_help_panel="Performance",
    epilog="Example: imageqx emulator && imageqx bench artifacts/imageqx --target emulated:cortex-a76",
)
def emulator(
    mirror: Annotated[
        str | None,
        typer.Option(help="The Debian archive to download from; by default, the one that apt uses.", metavar="URL"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Build the emulated Arm phones that imageqx bench measures on.

    They are built once, in the user's cache; parts that are there already are kept.
    """
    import time

    from imageqx_export.bench.emulator import build
    from imageqx_export.cli.show import emulator as show
    from imageqx_export.support.progress import bar

    begin = time.monotonic()
    parts = build(mirror, bar)
    show.show_parts(parts, time.monotonic() - begin, as_json=json)
