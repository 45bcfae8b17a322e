"""The command line: each subcommand parses, calls one stage, and prints."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from imageqx_export.cli import (
    artifacts,
    bench,
    data,
    emulator,
    evaluation,
    finetune,
    quantize,
    report,
    thresholds,
    training,
)
from imageqx_export.cli.help import PlainGroup
from imageqx_export.errors import ImageQXError, StoppedError

app = typer.Typer(
    cls=PlainGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Export ImageQX to phones, and verify that every file gives PyTorch's answers.",
    epilog="""
    Example: imageqx export && imageqx predict photo.jpg --artifact artifacts/imageqx/imageqx_fp16.tflite
    """,
)
app.add_typer(artifacts.app)
app.add_typer(training.app)
app.add_typer(finetune.app)
app.add_typer(quantize.app)
app.add_typer(thresholds.app)
app.add_typer(evaluation.app)
app.add_typer(bench.app)
app.add_typer(report.app)
app.add_typer(emulator.app)
app.add_typer(data.app, name="data", rich_help_panel="Data")


def main() -> NoReturn:
    """Run the command line; every error of ours ends in one message and exit code 1, Ctrl-C in 130."""
    try:
        app()
    except KeyboardInterrupt:
        print("stopped; nothing is half-written", file=sys.stderr)
        raise SystemExit(130) from None
    except (ImageQXError, OSError) as error:
        from imageqx_export.cli.show import console  # slow to import, and --help does not need it

        # An OSError is a full disk, or a folder that may not be written to.
        known = (
            error
            if isinstance(error, ImageQXError)
            else ImageQXError(error.strerror or str(error), where=error.filename)
        )
        console.print_error(known)
        raise SystemExit(130 if isinstance(error, StoppedError) else 1) from None
    raise SystemExit(0)
