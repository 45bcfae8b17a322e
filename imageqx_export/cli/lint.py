"""The command that looks at model files without running them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imageqx_export.cli.help import PlainCommand
from imageqx_export.cli.options import JsonOption

app = typer.Typer(rich_markup_mode=None)


@app.command(
    cls=PlainCommand,
    rich_help_panel="Artifacts",
    epilog="Example: imageqx lint artifacts/imageqx my_model.onnx app-release.apk",
)
def lint(
    files: Annotated[
        list[Path],
        typer.Argument(help="Anybody's .onnx, .tflite, .mlpackage, .so, .aar or .apk, or a folder.", metavar="FILE..."),
    ],
    json: JsonOption = False,
) -> None:
    """Say what keeps phones' accelerators from taking model files, or computing them right; exit 1 on errors."""
    from imageqx_export.cli.show.lint import show_lint
    from imageqx_export.lint.stage import lint_files
    from imageqx_export.support.progress import bar

    report = lint_files(files, progress=bar)
    show_lint(report, as_json=json)
    raise typer.Exit(0 if report.passed else 1)
