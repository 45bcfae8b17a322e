"""The commands that decide: report, and baseline, which renews what reports compare with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imageqx_export.cli.help import PlainCommand
from imageqx_export.cli.options import OUTPUT, JsonOption

app = typer.Typer(rich_markup_mode=None)
_PANEL = "Performance"
_COMPARED, _LIMITS, _DETAILS = "What is compared", "Limits", "More for the report"

TargetsOption = Annotated[
    list[str] | None,
    typer.Option("--target", help="Only this target, by default all; may be repeated.", rich_help_panel=_COMPARED),
]


@app.command(
    cls=PlainCommand,
    rich_help_panel=_PANEL,
    epilog="""
    Example:
      imageqx report --baseline benchmarks/baseline.json --current runs.jsonl --history runs.jsonl \\
        --artifacts artifacts/imageqx
    """,
)
def report(
    baseline: Annotated[
        str,
        typer.Option(
            help="What to compare with: a baseline file, a history file, or a commit of --history.",
            metavar="FILE|COMMIT",
            rich_help_panel=_COMPARED,
        ),
    ],
    current: Annotated[
        str,
        typer.Option(
            help="What to check, likewise; of a history file, each target's newest commit.",
            metavar="FILE|COMMIT",
            rich_help_panel=_COMPARED,
        ),
    ],
    history: Annotated[
        Path | None,
        typer.Option(
            help="All runs of imageqx bench: they show how noisy a target is, and are drawn over time.",
            metavar="FILE",
            rich_help_panel=_COMPARED,
        ),
    ] = None,
    target: TargetsOption = None,
    size_budget: Annotated[
        int, typer.Option(min=0, help="Bytes by which a file may grow.", metavar="BYTES", rich_help_panel=_LIMITS)
    ] = 0,
    budgets: Annotated[
        Path | None,
        typer.Option(
            help="A file of budgets, whose [size_bytes] are the most that each file may have.",
            metavar="TOML",
            rich_help_panel=_LIMITS,
        ),
    ] = None,
    artifacts: Annotated[
        Path | None,
        typer.Option(
            help="The current exported folder: shows sizes by tensor, and the comparison with PyTorch.",
            metavar="DIR",
            rich_help_panel=_DETAILS,
        ),
    ] = None,
    baseline_artifacts: Annotated[
        Path | None,
        typer.Option(
            help="The baseline's exported folder, if its file has no sizes by tensor.",
            metavar="DIR",
            rich_help_panel=_DETAILS,
        ),
    ] = None,
    evaluation: Annotated[
        list[Path] | None,
        typer.Option(
            help="An artifact's evaluation.json, of imageqx evaluate; may be repeated.",
            metavar="JSON",
            rich_help_panel=_DETAILS,
        ),
    ] = None,
    runtimes: Annotated[
        Path | None,
        typer.Option(
            help="What the artifacts gave on versions of runtimes, of imageqx compat --record.",
            metavar="JSON",
            rich_help_panel=_DETAILS,
        ),
    ] = None,
    robustness: Annotated[
        list[Path] | None,
        typer.Option(
            help="An artifact's robustness.json, of imageqx evaluate --robustness; may be repeated.",
            metavar="JSON",
            rich_help_panel=_DETAILS,
        ),
    ] = None,
    sensitivity: Annotated[
        list[Path] | None,
        typer.Option(
            help="What each layer costs in int8, of imageqx quantize --analyze --json; may be repeated.",
            metavar="JSON",
            rich_help_panel=_DETAILS,
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            help="The folder to write; an earlier report there is replaced.", metavar="DIR", rich_help_panel=OUTPUT
        ),
    ] = Path("report"),
    json: JsonOption = False,
) -> None:
    """Compare benchmark results with a baseline, and report regressions of size and speed.

    Writes Markdown, JSON and an HTML page. The exit code is 0 if nothing regressed, 1 if something did, and 2 if the
    measurements are too few or too noisy to decide.
    """
    from imageqx_export.budgets.limits import read_budgets
    from imageqx_export.cli.show import report as show
    from imageqx_export.report import stage
    from imageqx_export.report.rules.verdicts import Rules

    stage.check_folder(out)
    config = stage.ReportConfig(
        baseline,
        current,
        history=history,
        artifacts=artifacts,
        baseline_artifacts=baseline_artifacts,
        evaluations=evaluation or (),
        runtimes=runtimes,
        robustness=robustness or (),
        sensitivity=sensitivity or (),
        targets=target or (),
        rules=Rules(size_growth=size_budget, size_budgets={} if budgets is None else read_budgets(budgets).size_bytes),
    )
    result = stage.report(config)
    stage.write(result, out)
    show.show_report(result, out, as_json=json)
    raise typer.Exit(result.exit_code)


@app.command(
    cls=PlainCommand,
    rich_help_panel=_PANEL,
    epilog="Example: imageqx baseline --history history.jsonl --artifacts artifacts/imageqx",
)
def baseline(
    history: Annotated[
        Path,
        typer.Option(
            help="Runs of imageqx bench; each target's newest commit is taken.",
            metavar="FILE",
            rich_help_panel=_COMPARED,
        ),
    ],
    artifacts: Annotated[
        Path,
        typer.Option(help="The exported folder that was measured.", metavar="DIR", rich_help_panel=_COMPARED),
    ],
    target: TargetsOption = None,
    out: Annotated[
        Path, typer.Option(help="The baseline file to replace.", metavar="FILE", rich_help_panel=OUTPUT)
    ] = Path("benchmarks/baseline.json"),
    json: JsonOption = False,
) -> None:
    """Make the newest benchmark runs the baseline that reports compare with.

    A target that is timed needs three runs or more; with fewer, reports cannot decide about latency.
    """
    from imageqx_export.cli.show import report as show
    from imageqx_export.report.baseline import make_baseline
    from imageqx_export.report.sides import write_baseline

    result = make_baseline(history, artifacts, targets=target or ())
    write_baseline(result, out)
    show.show_baseline(result, out, as_json=json)
