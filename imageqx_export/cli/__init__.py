"""The command line: each subcommand parses, calls one stage, and prints."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from imageqx_export.cli import (
    artifacts,
    bench,
    checkpoints,
    compat,
    data,
    doctor,
    emulator,
    evaluation,
    finetune,
    keys,
    lint,
    predict,
    quantize,
    releases,
    report,
    streams,
    thresholds,
    training,
)
from imageqx_export.cli.help import PlainGroup
from imageqx_export.errors import ImageQXError, StoppedError
from imageqx_export.support.libraries import explain_imports
from imageqx_export.support.signals import raise_on_signals

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
app.add_typer(predict.app)
app.add_typer(training.app)
app.add_typer(finetune.app)
app.add_typer(checkpoints.app)
app.add_typer(quantize.app)
app.add_typer(thresholds.app)
app.add_typer(evaluation.app)
app.add_typer(bench.app)
app.add_typer(compat.app)
app.add_typer(lint.app)
app.add_typer(doctor.app)
app.add_typer(report.app)
app.add_typer(emulator.app)
app.add_typer(releases.app)
app.add_typer(keys.app, name="keys", rich_help_panel="Releases")
app.add_typer(data.app, name="data", rich_help_panel="Data")


def main() -> NoReturn:
    """Run the command line, and end with what README says.

    The exit code is 0 where all is well, 1 where something failed or regressed, 2 where nothing could be decided or the
    command line is wrong, 130 after Ctrl-C, 143 and 129 after SIGTERM and SIGHUP, and 141 where whoever read the output
    has closed it, as a shell's own.
    """
    streams.prepare()
    with raise_on_signals() as came:
        try:
            code = _run()
        except KeyboardInterrupt:
            print("stopped; nothing is half-written", file=sys.stderr)
            code = 130
        except BrokenPipeError:  # while an error was told
            code = streams.CLOSED
    raise SystemExit(streams.finish(128 + came[0] if came and code == 130 else code))


def _run() -> int:
    """Run the command line and return its exit code."""
    try:
        with explain_imports():
            app()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except (ImageQXError, OSError) as error:
        # Slow to import, and --help does not need them.
        from imageqx_export.cli.show import console
        from imageqx_export.support.untrusted import describe

        # An OSError is a full disk, or a folder that may not be written to.
        known = error if isinstance(error, ImageQXError) else ImageQXError(describe(error), where=error.filename)
        console.print_error(known)
        return 130 if isinstance(error, StoppedError) else 1
    return 0
