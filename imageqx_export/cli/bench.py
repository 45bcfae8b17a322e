"""The command that measures artifacts: here, on emulated phones and on attached ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imageqx_export.cli.options import JsonOption

app = typer.Typer(rich_markup_mode=None)


@app.command(epilog="Example: imageqx bench artifacts/imageqx --target host --target emulated:cortex-a76 --quick")
def bench(
    folder: Annotated[Path, typer.Argument(help="The folder with manifest.json.", metavar="ARTIFACTS")],
    target: Annotated[
        list[str],
        typer.Option(help="host, emulated:cortex-a53|cortex-a76|i8mm, adb[:SERIAL] or ios:UDID; may be repeated."),
    ] = ["host"],  # noqa: B006  # typer copies it
    quick: Annotated[bool, typer.Option("--quick", help="A smoke test, whose numbers decide nothing.")] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads that the runtime may use.")] = 1,
    instructions: Annotated[
        bool, typer.Option("--instructions", help="Count instructions too; minutes an artifact on the host.")
    ] = False,
    formats: Annotated[str, typer.Option(help="Of onnx, coreml, tflite; with commas.")] = "onnx,coreml,tflite",
    precisions: Annotated[str, typer.Option(help="Of fp32, fp16, w8, w8a8; with commas. Without it, all.")] = "",
    history: Annotated[
        Path | None, typer.Option(help="Append the runs to this JSON Lines file.", metavar="FILE")
    ] = None,
    benchmark_model: Annotated[
        Path | None, typer.Option(help="LiteRT's benchmark_model for arm64, for adb targets.", metavar="FILE")
    ] = None,
    fixed_performance: Annotated[
        bool, typer.Option("--fixed-performance", help="Hold an adb phone's clock while it is measured.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Measure size, latency, memory and instructions; exit 1 if an artifact breaks or nothing could be measured."""
    from imageqx_export.artifact import Format, Precision
    from imageqx_export.bench.history import append_run
    from imageqx_export.bench.model import QUICK, Schedule
    from imageqx_export.bench.stage import measure
    from imageqx_export.bench.summary import passed
    from imageqx_export.bench.targets import AdbOptions, make_targets
    from imageqx_export.cli.options import parse_names
    from imageqx_export.cli.show import bench as show
    from imageqx_export.support.progress import bar

    targets = make_targets(target, AdbOptions(benchmark_model, fixed_performance))
    schedule = (QUICK if quick else Schedule()).model_copy(update={"threads": threads})
    runs = []
    for one in targets:
        run = measure(
            folder,
            one,
            schedule,
            formats=[Format(name) for name in parse_names("format", formats, Format)],
            precisions=[Precision(n) for n in parse_names("precision", precisions, Precision)] if precisions else None,
            instructions=instructions,
            progress=bar,
        )
        runs.append(run)
        if history is not None:  # at once, so that a later target's failure does not lose it
            append_run(history, run)
    show.measured(runs, as_json=json)
    raise typer.Exit(0 if all(passed(run) for run in runs) else 1)
