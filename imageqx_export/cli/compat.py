"""The command that asks accelerators what they make of artifacts."""

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
    epilog="Example: imageqx compat artifacts/imageqx --target gpu --target ethos-u:U65-256,U85-1024",
)
def compat(
    folder: Annotated[Path, typer.Argument(help="The folder with manifest.json.", metavar="ARTIFACTS")],
    target: Annotated[
        list[str], typer.Option(help="qualcomm[:SM8550,SM8650…], gpu or ethos-u[:U65-256…]; may be repeated.")
    ],
    file: Annotated[
        list[Path] | None, typer.Option(help="A file of yours instead of the folder's; may be repeated.")
    ] = None,
    precisions: Annotated[str | None, typer.Option(help="Of fp32, fp16, w8, w8a8; with commas.")] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="The artifacts' own checkpoint: compare with it on the 64 pictures of imageqx parity, not on the "
            "golden ones."
        ),
    ] = None,
    steps: Annotated[bool, typer.Option("--steps", help="Compare single operators of w8a8.onnx too.")] = False,
    accept_qualcomm_license: Annotated[
        bool,
        typer.Option(
            "--accept-qualcomm-license", help="You accept the Qualcomm AI Stack License (see docs/accelerators.md)."
        ),
    ] = False,
    record: Annotated[
        Path | None,
        typer.Option(help="Write what was proved here; exports put it into the manifest.", metavar="JSON"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Compile and run artifacts for phones' accelerators on their makers' simulators; exit 1 if one answers wrongly."""
    from imageqx_export.artifact import Precision
    from imageqx_export.cli.options import parse_names
    from imageqx_export.cli.show.compat import show_compat
    from imageqx_export.compat.proofs import record_proofs
    from imageqx_export.compat.stage import check_compat
    from imageqx_export.support.progress import bar

    names = parse_names("precision", precisions, Precision) if precisions else []
    report = check_compat(
        folder,
        target,
        files=file or (),
        precisions=[Precision(name) for name in names],
        checkpoint=checkpoint,
        steps=steps,
        accept_license=accept_qualcomm_license,
        progress=bar,
    )
    if record is not None:
        record_proofs(record, report)
    show_compat(report, as_json=json)
    raise typer.Exit(0 if report.passed else 1)
