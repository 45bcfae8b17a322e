"""The command that says what a machine can do."""

from __future__ import annotations

import typer

from imageqx_export.cli.help import PlainCommand
from imageqx_export.cli.options import DEFAULT_CHECKPOINT, JsonOption

app = typer.Typer(rich_markup_mode=None)


@app.command(
    cls=PlainCommand,
    rich_help_panel="Artifacts",
    epilog="Example: imageqx doctor --json > machine.json",
)
def doctor(json: JsonOption = False) -> None:
    """Say which formats, runtimes, emulators and tools this machine can use, and how to close each gap.

    The exit code is 1 if the main job, imageqx export, cannot run here; other gaps are told and change nothing.
    """
    from imageqx_export.cli.show.doctor import show_diagnosis
    from imageqx_export.doctor.stage import examine, list_checks

    diagnosis = examine(list_checks(DEFAULT_CHECKPOINT))
    show_diagnosis(diagnosis, as_json=json)
    raise typer.Exit(0 if diagnosis.exports else 1)
