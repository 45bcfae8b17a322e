"""Gather what a report shows from runs, artifacts, evaluations and the comparison with the checkpoint."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from imageqx_export.artifact import Manifest
from imageqx_export.bench.model import BenchRun, Measurement
from imageqx_export.bench.summary import Summary, summarise
from imageqx_export.bundle.runtimes import RuntimeTable
from imageqx_export.parity.compare import TOLERANCES, ParityReport
from imageqx_export.report.model import Breakdown, Layers, Pair, Parity, ParityCell, Point, Proved, Row, SideFacts
from imageqx_export.report.rules.comparable import MeasuredRun
from imageqx_export.report.sides import Side
from imageqx_export.report.sizes.parts import Sizes, compare_sizes


def build_rows(baseline: Side, current: Side) -> tuple[Row, ...]:
    """Return one row an artifact and target that either side has."""
    artifacts = dict.fromkeys((*current.artifacts, *baseline.artifacts))
    found = []
    for target in dict.fromkeys((*current.targets, *baseline.targets)):
        for name in artifacts:
            before, after = baseline.find(name, target), current.find(name, target)
            if before or after:
                found.append(_build_row(name, target, before, after))
    return tuple(found)


def _build_row(artifact: str, target: str, before: Sequence[MeasuredRun], after: Sequence[MeasuredRun]) -> Row:
    newest = after[-1][1] if after else None
    old, new = ([(m, summarise(m)) for _, m in side] for side in (before, after))

    def pair(read: Callable[[Measurement, Summary], float | None]) -> Pair:
        return Pair(before=_take_median(read(*one) for one in old), after=_take_median(read(*one) for one in new))

    return Row(
        artifact=artifact,
        target=target,
        size=pair(lambda m, s: m.size_bytes),
        load=pair(lambda m, s: s.load_p50),
        first=pair(lambda m, s: s.first_p50),
        p50=pair(lambda m, s: s.p50),
        p90=pair(lambda m, s: s.p90),
        p99=pair(lambda m, s: s.p99),
        memory=pair(lambda m, s: m.peak_memory_bytes),
        instructions=pair(lambda m, s: m.instructions.count if m.instructions else None),
        max_error=pair(lambda m, s: m.max_error),
        photo=pair(lambda m, s: s.photo_p50),
        photo_cold=pair(lambda m, s: s.photo_cold_p50),
        kernels=newest.kernels if newest else None,
        remarks=_list_remarks(newest),
    )


def _list_remarks(newest: Measurement | None) -> tuple[str, ...]:
    if newest is None:
        return ("not measured in the current runs",)
    if newest.unavailable is None:
        return newest.notes
    return (f"{'broke' if newest.failed else 'unavailable'}: {newest.unavailable}", *newest.notes)


def _take_median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return statistics.median(known) if known else None


def list_points(runs: Iterable[BenchRun]) -> tuple[Point, ...]:
    """Return every measurement of every run once, the oldest run first."""
    once = {run.run_id: run for run in runs}
    return tuple(
        Point(
            artifact=m.artifact,
            target=run.target,
            run_id=run.run_id,
            commit=run.commit,
            started=run.started,
            size=m.size_bytes,
            p50=summarise(m).p50,
            instructions=m.instructions.count if m.instructions else None,
        )
        for run in sorted(once.values(), key=lambda run: run.started)
        for m in run.measurements
    )


def list_layers(side: Side) -> tuple[Layers, ...]:
    """Return the profile of each artifact and target, from the newest run that has one."""
    newest = {(m.artifact, run.target): m.layers for run in side.runs for m in run.measurements if m.layers}
    return tuple(Layers(artifact=name, target=target, layers=found) for (name, target), found in newest.items())


def list_breakdowns(before: Iterable[Sizes], after: Iterable[Sizes]) -> tuple[Breakdown, ...]:
    """Return where the bytes of each current artifact are, and where they came from or went."""
    old = {sizes.artifact: sizes for sizes in before}
    return tuple(
        Breakdown(sizes=sizes, changes=compare_sizes(old[sizes.artifact], sizes) if sizes.artifact in old else None)
        for sizes in after
    )


def list_proofs(manifest: Manifest, side: Side) -> tuple[Proved, ...]:
    """Return what a manifest says of accelerators, of those of its artifacts that ``side`` measured."""
    measured = {m.artifact for run in side.runs for m in run.measurements}
    return tuple(
        Proved(artifact=artifact.path.name, proofs=artifact.proofs)
        for artifact in manifest.artifacts
        if artifact.path.name in measured
    )


def list_runtimes(table: RuntimeTable, side: Side) -> RuntimeTable:
    """Return what a record says of the very files that ``side`` measured, by their digests."""
    measured = {m.sha256 for run in side.runs for m in run.measurements}
    return table.model_copy(update={"rows": tuple(row for row in table.rows if row.sha256 in measured)})


def build_parity(report: ParityReport) -> Parity:
    """Return the artifacts' own comparison, without numbers that are none."""
    cells = []
    for artifact in report.artifacts:
        limit = TOLERANCES[artifact.precision].max_abs
        if artifact.problems or not artifact.outputs:
            cells.append(
                ParityCell(
                    artifact=artifact.path,
                    output="file",
                    max_abs=None,
                    mean_abs=None,
                    limit=limit,
                    differing=0,
                    decisions=0,
                    problems=artifact.problems or ("nothing was compared",),
                )
            )
        cells += [
            ParityCell(
                artifact=artifact.path,
                output=row.output,
                max_abs=_drop_infinite(row.max_abs),
                mean_abs=_drop_infinite(row.mean_abs),
                limit=limit,
                differing=row.differing,
                decisions=row.decisions,
                problems=row.problems,
            )
            for row in artifact.outputs
        ]
    return Parity(images=report.images, source=report.source, cells=tuple(cells))


def _drop_infinite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def describe_side(side: Side) -> SideFacts:
    """Say what a side's runs were."""
    return SideFacts(label=side.label, runs=tuple(_describe_run(run) for run in side.runs))


def _describe_run(run: BenchRun) -> str:
    when = datetime.fromtimestamp(run.started, UTC).strftime("%Y-%m-%d %H:%M UTC")
    machine, p = run.machine, run.schedule
    commit, plus, dirty = run.commit.partition("+")
    tools = ", ".join(f"{name} {version}" for name, version in sorted(run.tool_versions.items()))
    kind = (
        "quick, decides nothing" if p.quick else f"{p.processes} processes, {p.runs} runs and {p.seconds:g} s or more"
    )
    cores = f"{machine.cores} {'core' if machine.cores == 1 else 'cores'}, " if machine.cores else ""
    return (
        f"{run.target}: {run.run_id}, commit {commit[:12]}{plus}{dirty}, {when}; "
        f"{machine.name}, {cores}{machine.abi}, {machine.system}; {kind}, {p.threads} "
        f"{'thread' if p.threads == 1 else 'threads'}; {tools or 'no tool named its version'}"
    )
