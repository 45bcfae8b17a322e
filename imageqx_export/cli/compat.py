"""The command that asks versions of runtimes, or phones' accelerators, what they make of artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imageqx_export.cli.help import PlainCommand
from imageqx_export.cli.options import JsonOption

if TYPE_CHECKING:
    from imageqx_export.artifact import Precision

app = typer.Typer(rich_markup_mode=None)


@app.command(
    cls=PlainCommand,
    rich_help_panel="Artifacts",
    epilog="Example: imageqx compat artifacts/imageqx --runtimes onnxruntime==1.17,litert,emulated:cortex-a53",
)
def compat(
    folder: Annotated[Path, typer.Argument(help="The folder with manifest.json.", metavar="ARTIFACTS")],
    runtimes: Annotated[
        str | None,
        typer.Option(
            help="onnxruntime, litert, tflite-runtime, coremltools, each with ==VERSION or all of its versions, and "
            "emulated:CPU, web:chromium, tensorflow-lite[:arm64] (the AAR's own library); without it, and without "
            "--target, all of them.",
            metavar="A,B==1.2",
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(help="An accelerator: qualcomm[:SM8550,SM8650…], gpu or ethos-u[:U65-256…]; may be repeated."),
    ] = None,
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
    budget: Annotated[
        Path | None,
        typer.Option(help="What must hold on which versions of runtimes; else the package's own.", metavar="TOML"),
    ] = None,
    steps: Annotated[
        bool, typer.Option("--steps", help="On an accelerator, compare single operators of w8a8.onnx too.")
    ] = False,
    accept_qualcomm_license: Annotated[
        bool,
        typer.Option(
            "--accept-qualcomm-license", help="You accept the Qualcomm AI Stack License (see docs/accelerators.md)."
        ),
    ] = False,
    record: Annotated[
        Path | None,
        typer.Option(
            help="Write each row here as it comes, for exports to read: models/imageqx.runtimes.json, or of "
            "accelerators models/imageqx.proofs.json; what it has of the very same bytes is not asked again.",
            metavar="JSON",
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Ask again what the record has, too.")] = False,
    json: JsonOption = False,
) -> None:
    """Run artifacts on every version of the runtimes that apps ship, or on simulators of phones' accelerators.

    Each version runs in an environment of its own, which uv makes of pinned wheels in your cache. The exit code is 1
    where a file is not right on a version that the budget names, or an accelerator answers wrongly.
    """
    from imageqx_export.artifact import Precision
    from imageqx_export.cli.options import parse_names

    if runtimes and target:
        raise typer.BadParameter("--runtimes and --target are two questions: ask one at a time")
    chosen = [Precision(name) for name in parse_names("precision", precisions, Precision)] if precisions else []
    if target:
        passed = _ask_accelerators(
            folder, target, file or (), chosen, checkpoint, steps, accept_qualcomm_license, record, again, json
        )
    else:
        wanted = [name for name in (runtimes or "").split(",") if name.strip()]
        passed = _ask_runtimes(folder, wanted, file or (), chosen, checkpoint, budget, record, again, json)
    raise typer.Exit(0 if passed else 1)


def _ask_runtimes(
    folder: Path,
    wanted: Sequence[str],
    files: Sequence[Path],
    precisions: Sequence[Precision],
    checkpoint: Path | None,
    budget: Path | None,
    record: Path | None,
    again: bool,
    as_json: bool,
) -> bool:
    from imageqx_export.bundle.runtimes import read_runtimes, record_runtimes
    from imageqx_export.cli.show.runtimes import show_runtimes
    from imageqx_export.compat.versions.budget import read_runtime_budget
    from imageqx_export.compat.versions.model import RuntimeReport
    from imageqx_export.compat.versions.stage import check_runtimes
    from imageqx_export.support.progress import bar

    def keep(report: RuntimeReport) -> None:
        if record is not None:
            record_runtimes(record, report.to_table())

    known = read_runtimes(record) if record is not None and record.exists() else None
    report = check_runtimes(
        folder,
        wanted,
        files=files,
        precisions=precisions,
        checkpoint=checkpoint,
        budget=read_runtime_budget(budget) if budget or not files else None,
        recorded=known.model_copy(update={"rows": ()}) if again and known is not None else known,
        keep=keep,
        progress=bar,
    )
    keep(report)
    show_runtimes(report, as_json=as_json)
    return report.passed


def _ask_accelerators(
    folder: Path,
    targets: Sequence[str],
    files: Sequence[Path],
    precisions: Sequence[Precision],
    checkpoint: Path | None,
    steps: bool,
    accept_license: bool,
    record: Path | None,
    again: bool,
    as_json: bool,
) -> bool:
    from imageqx_export.bundle.proofs import read_proofs
    from imageqx_export.cli.show.compat import show_compat
    from imageqx_export.compat.model import CompatReport
    from imageqx_export.compat.proofs import record_proofs
    from imageqx_export.compat.stage import check_compat
    from imageqx_export.support.progress import bar

    def keep(report: CompatReport) -> None:
        if record is not None:
            record_proofs(record, report)

    report = check_compat(
        folder,
        targets,
        files=files,
        precisions=precisions,
        checkpoint=checkpoint,
        steps=steps,
        accept_license=accept_license,
        recorded=read_proofs(record) if record is not None and record.exists() and not again else None,
        keep=keep,
        progress=bar,
    )
    keep(report)
    show_compat(report, as_json=as_json)
    return report.passed
