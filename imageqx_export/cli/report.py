"""The commands that decide: report, and baseline, which renews what reports compare with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imageqx_export.cli.options import JsonOption

app = typer.Typer(rich_markup_mode=None)

TargetsOption = Annotated[
    list[str] | None, typer.Option("--target", help="Only this target; may be repeated. Without it, all.")
]


@app.command(
    epilog="Example: imageqx report --baseline benchmarks/baseline.json --current runs.jsonl --history runs.jsonl "
    "--artifacts artifacts/imageqx"
)
def report(
    baseline: Annotated[str, typer.Option(help="A baseline or history file, or a commit of --history.")],
    current: Annotated[str, typer.Option(help="Likewise; of a history, each target's newest commit is taken.")],
    history: Annotated[
        Path | None, typer.Option(help="All runs: they measure the noise and are drawn as lines.", metavar="FILE")
    ] = None,
    artifacts: Annotated[
        Path | None, typer.Option(help="The current artifacts: where bytes are, and parity.json.", metavar="DIR")
    ] = None,
    baseline_artifacts: Annotated[
        Path | None, typer.Option(help="The baseline's, where its file has no sizes by tensor.", metavar="DIR")
    ] = None,
    evaluation: Annotated[
        list[Path] | None, typer.Option(help="An artifact's evaluation.json; may be repeated.", metavar="FILE")
    ] = None,
    target: TargetsOption = None,
    size_budget: Annotated[int, typer.Option(min=0, help="Bytes that a file may grow.")] = 0,
    budgets: Annotated[Path | None, typer.Option(help="A TOML file of budgets, whose [size_bytes] is read.")] = None,
    out: Annotated[Path, typer.Option(help="The folder to write; an earlier report is replaced.")] = Path("report"),
    json: JsonOption = False,
) -> None:
    """Say what changed, with reasons; exit 0 if nothing regressed, 1 if something did, 2 if it cannot be decided."""
    from imageqx_export.budgets.limits import read_budgets
    from imageqx_export.cli.show import report as show
    from imageqx_export.report import stage
    from imageqx_export.report.rules.verdicts import Rules

    stage.check_folder(out)
    result = stage.report(
        baseline,
        current,
        history=history,
        artifacts=artifacts,
        baseline_artifacts=baseline_artifacts,
        evaluations=evaluation or (),
        targets=target or (),
        rules=Rules(size_growth=size_budget, size_budgets={} if budgets is None else read_budgets(budgets).size_bytes),
    )
    stage.write(result, out)
    show.reported(result, out, as_json=json)
    raise typer.Exit(result.exit_code)


@app.command(epilog="Example: imageqx baseline --history history.jsonl --artifacts artifacts/imageqx")
def baseline(
    history: Annotated[Path, typer.Option(help="Runs; each target's newest commit is taken.", metavar="FILE")],
    artifacts: Annotated[Path, typer.Option(help="The artifacts that were measured.", metavar="DIR")],
    target: TargetsOption = None,
    out: Annotated[Path, typer.Option(help="The file to replace.", metavar="FILE")] = Path("benchmarks/baseline.json"),
    json: JsonOption = False,
) -> None:
    """Make the newest runs of a history the baseline; of a timed target three or more, or reports decide nothing."""
    from imageqx_export.cli.show import report as show
    from imageqx_export.report import baseline as renew
    from imageqx_export.report.sides import write_baseline

    result = renew.baseline(history, artifacts, targets=target or ())
    write_baseline(result, out)
    show.renewed(result, out, as_json=json)
