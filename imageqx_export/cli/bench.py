"""The command that measures artifacts: here, on emulated phones and on attached ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imageqx_export.cli.help import PlainCommand
from imageqx_export.cli.options import MODEL, OUTPUT, FormatsOption, JsonOption

app = typer.Typer(rich_markup_mode=None)
_MEASUREMENT, _ANDROID = "Measurement", "Android phones"


@app.command(
    cls=PlainCommand,
    rich_help_panel="Performance",
    epilog="Example: imageqx bench artifacts/imageqx --target host --target emulated:cortex-a76 --quick",
)
def bench(
    folder: Annotated[
        Path | None,
        typer.Argument(help="An exported folder, with manifest.json.", metavar="ARTIFACTS", show_default=False),
    ] = None,
    target: Annotated[
        list[str],
        typer.Option(
            help="Where to measure: host, emulated:cortex-a53, emulated:cortex-a76, emulated:i8mm, adb (an Android "
            "phone; adb:SERIAL if several are attached), ios:UDID or web:chromium. May be repeated.",
            rich_help_panel=_MEASUREMENT,
        ),
    ] = ["host"],  # noqa: B006  # typer copies it
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="A smoke test: few runs, whose timings are too noisy to compare.",
            rich_help_panel=_MEASUREMENT,
        ),
    ] = False,
    threads: Annotated[
        int, typer.Option(min=1, help="Threads that the runtime may use.", rich_help_panel=_MEASUREMENT)
    ] = 1,
    instructions: Annotated[
        bool,
        typer.Option(
            "--instructions",
            help="Also count CPU instructions on the host, minutes per artifact; emulated phones always do.",
            rich_help_panel=_MEASUREMENT,
        ),
    ] = False,
    formats: FormatsOption = "onnx,coreml,tflite",
    precisions: Annotated[
        str,
        typer.Option(
            help="Number formats, of fp32, fp16, w8, w8a8; by default all.", metavar="A,B", rich_help_panel=MODEL
        ),
    ] = "",
    benchmark_model: Annotated[
        Path | None,
        typer.Option(
            help="LiteRT's benchmark_model program for arm64, which then measures the .tflite files.",
            metavar="FILE",
            rich_help_panel=_ANDROID,
        ),
    ] = None,
    fixed_performance: Annotated[
        bool,
        typer.Option(
            "--fixed-performance",
            help="Use Android's fixed-performance mode, which holds the clock frequency, while measuring.",
            rich_help_panel=_ANDROID,
        ),
    ] = False,
    history: Annotated[
        Path | None,
        typer.Option(
            help="Append the results to this file, for imageqx report.",
            metavar="FILE",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    shared: Annotated[
        Path | None,
        typer.Option(
            "--import",
            help="Measure nothing; append the run that android_demo or ios_demo shared to --history.",
            metavar="FILE",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Measure the latency, memory, size and instructions of artifacts.

    The exit code is 1 if an artifact fails to run, or if nothing could be measured.
    """
    if shared is not None:
        _import(shared, folder, history, as_json=json)
        return
    if folder is None:
        raise typer.BadParameter("needs ARTIFACTS, an exported folder, or --import FILE")
    from imageqx_export.artifact import Format, Precision
    from imageqx_export.bench.history import append_run, check_history
    from imageqx_export.bench.model import QUICK, Schedule
    from imageqx_export.bench.stage import BenchConfig, measure
    from imageqx_export.bench.summary import has_passed
    from imageqx_export.bench.targets import AdbOptions, make_targets
    from imageqx_export.cli.options import parse_names
    from imageqx_export.cli.show import bench as show
    from imageqx_export.support.progress import bar

    targets = make_targets(target, AdbOptions(benchmark_model, fixed_performance))
    config = BenchConfig(
        (QUICK if quick else Schedule()).model_copy(update={"threads": threads}),
        formats=[Format(name) for name in parse_names("format", formats, Format)],
        precisions=[Precision(n) for n in parse_names("precision", precisions, Precision)] if precisions else None,
        instructions=instructions,
    )
    if history is not None:
        check_history(history)
    runs = []
    try:
        for one in targets:
            run = measure(folder, one, config, progress=bar)
            runs.append(run)
            if history is not None:  # at once, so that a later target's failure does not lose it
                with show.print_if_lost(run, history):
                    append_run(history, run)
    finally:
        if runs:
            show.show_runs(runs, as_json=json)
    raise typer.Exit(0 if all(has_passed(run) for run in runs) else 1)


def _import(shared: Path, folder: Path | None, history: Path | None, *, as_json: bool) -> None:
    """Append an app's run to a history, and show it."""
    from imageqx_export.bench.history import append_run, check_history
    from imageqx_export.bench.imported import read_shared_run
    from imageqx_export.bench.summary import has_passed
    from imageqx_export.cli.show import bench as show

    if folder is not None or history is None:
        raise typer.BadParameter("--import needs --history FILE, and no ARTIFACTS")
    check_history(history)
    run = read_shared_run(shared, history)
    append_run(history, run)
    show.show_runs([run], as_json=as_json)
    raise typer.Exit(0 if has_passed(run) else 1)
