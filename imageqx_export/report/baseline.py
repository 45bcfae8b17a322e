"""Make runs the baseline, on purpose only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imageqx_export.bench.model import BenchRun
from imageqx_export.errors import MeasurementError
from imageqx_export.report.rules.comparable import is_full
from imageqx_export.report.rules.verdicts import Rules
from imageqx_export.report.sides import Baseline, Side, read_side
from imageqx_export.report.stage import read_measured_sizes


def make_baseline(
    history: Path, artifacts: Path, *, targets: Sequence[str] = (), rules: Rules | None = None
) -> Baseline:
    """Take the newest commit's runs of each target, and where the artifacts' bytes are.

    Profiles are kept of each target's newest run alone: they are long, and nothing is decided by them.

    Args:
        history: A JSON Lines history.
        artifacts: The folder that was measured.
        targets: Only these, or all.
        rules: How many runs the A/A noise takes.

    Raises:
        MeasurementError: A run is a quick one, runs are of different files, or a timed target has too few runs.
    """
    side, least = read_side(str(history), targets=targets), (rules or Rules()).baseline_runs
    for target in side.targets:
        _check_runs(side, target, least, history)
    newest = {run.target: run.run_id for run in side.runs}
    runs = tuple(run if newest[run.target] == run.run_id else _drop_layers(run) for run in side.runs)
    return Baseline(runs=runs, sizes=read_measured_sizes(artifacts, side))


def _check_runs(side: Side, target: str, least: int, history: Path) -> None:
    runs = [run for run in side.runs if run.target == target]
    remedy = f"imageqx bench ARTIFACTS --target {target} --history {history}"
    if any(run.schedule.quick for run in runs):
        raise MeasurementError("a quick run decides nothing", where=f"{history}: {target}", remedy=remedy)
    for name in side.artifacts:
        found = side.find(name, target)
        digests = {m.sha256 for _, m in found}
        if len(digests) > 1:
            raise MeasurementError(
                "runs of different files",
                where=f"{history}: {target}: {name}",
                expected="one file",
                got=f"{len(digests)} digests at one commit",
                remedy="commit, then " + remedy,
            )
        timed = [pair for pair in found if pair[1].seconds]
        enough = [pair for pair in timed if is_full(pair)]
        if timed and len(enough) < least:
            raise MeasurementError(
                "too few runs to measure the A/A noise",
                where=f"{history}: {target}: {name}",
                expected=f"at least {least} full runs of one commit; five are better",
                got=str(len(enough)),
                remedy=remedy,
            )


def _drop_layers(run: BenchRun) -> BenchRun:
    kept = tuple(m.model_copy(update={"layers": ()}) for m in run.measurements)
    return run.model_copy(update={"measurements": kept})
