"""Print what a benchmark measured."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imageqx_export.bench.summary import describe_shortfall, summarise
from imageqx_export.cli.show.console import join, note, out, print_json, style
from imageqx_export.cli.show.tables import Table
from imageqx_export.errors import ImageQXError

if TYPE_CHECKING:
    from imageqx_export.bench.model import BenchRun, Measurement

QUICK_NOTE = "smoke test: these numbers decide nothing"
_COLUMNS = ("bytes", "load ms", "first", "p50", "p90", "p99", "peak MiB", "Minstr", "max |Δ|")


def show_runs(runs: Sequence[BenchRun], *, as_json: bool) -> None:
    """Print a table per target, or everything as JSON."""
    if as_json:
        print_json(_to_json(runs))
        return
    for run in runs:
        _print_table(run)


@contextmanager
def print_if_lost(run: BenchRun, history: Path) -> Iterator[None]:
    """Print the history's line of a run where the block cannot write it: it took minutes."""
    try:
        yield
    except (ImageQXError, OSError):
        note(f"{history} cannot be written; this line belongs there, and is lost unless you keep it:")
        print(run.model_dump_json(), file=sys.stderr)
        raise


def _to_json(runs: Sequence[BenchRun]) -> dict[str, Any]:
    rows = [
        {"target": run.target, "artifact": m.artifact, **summarise(m).model_dump(mode="json")}
        for run in runs
        for m in run.measurements
    ]
    note = QUICK_NOTE if any(run.schedule.quick for run in runs) else None
    return {"note": note, "summaries": rows, "runs": [run.model_dump(mode="json") for run in runs]}


def _print_table(run: BenchRun) -> None:
    quick = f" – {QUICK_NOTE}" if run.schedule.quick else ""
    table = Table(title=f"{run.target}: {run.machine.name}{quick}", title_justify="left")
    table.add_column("artifact", no_wrap=True)
    for name in _COLUMNS:
        table.add_column(name, justify="right")
    for m in run.measurements:
        table.add_row(m.artifact, f"{m.size_bytes:,}", *_make_cells(m))
    out.print(table)
    _print_photos(run)
    for m in run.measurements:
        if m.unavailable is not None:
            mark = style("failed", "bold red") if m.failed else style("unavailable", "yellow")
            out.print(join(mark, f" {m.artifact}: {m.unavailable}"), soft_wrap=True, highlight=False)
        short = describe_shortfall(m, run.schedule) if m.samples else None
        if short is not None:
            out.print(join(style("too few", "yellow"), f" {m.artifact}: {short}"), soft_wrap=True, highlight=False)
        for missing in m.notes:
            out.print(join(style("missing", "yellow"), f" {m.artifact}: {missing}"), soft_wrap=True, highlight=False)
    _print_footnotes(run)


def _print_photos(run: BenchRun) -> None:
    """Print what a person waits for, where the target timed it."""
    timed = [m for m in run.measurements if m.photos]
    if not timed:
        return
    table = Table(title=f"from a photo to a verdict, ms: {timed[0].photos[0].photo}", title_justify="left")
    table.add_column("artifact", no_wrap=True)
    for name in ("cold", "of it load", "pixels", "warm", "of it pixels", "inference"):
        table.add_column(name, justify="right")
    for m in timed:
        colds = [(one.load + one.cold.seconds, one.load, one.cold.pixels) for one in m.photos]
        warms = [(one.seconds, one.pixels, one.inference) for sample in m.photos for one in sample.warm]
        figures = [statistics.median(column) for rows in (colds, warms) for column in zip(*rows, strict=True)]
        table.add_row(m.artifact, *(f"{1e3 * seconds:.1f}" for seconds in figures))
    out.print(table)


def _make_cells(m: Measurement) -> list[str]:
    if m.unavailable is not None:
        return ["–"] * (len(_COLUMNS) - 1)
    found = summarise(m)
    times = [found.load_p50, found.first_p50, found.p50, found.p90, found.p99]
    return [
        *("–" if seconds is None else f"{seconds * 1e3:.2f}" for seconds in times),
        "–" if m.peak_memory_bytes is None else f"{m.peak_memory_bytes / 2**20:.1f}",
        "–" if m.instructions is None else f"{m.instructions.count / 1e6:.2f}",
        "–" if m.max_error is None else f"{m.max_error:.1e}",
    ]


def _print_footnotes(run: BenchRun) -> None:
    schedule, machine = run.schedule, run.machine
    lines = [
        f"schedule: ≥ {schedule.runs} runs and ≥ {schedule.seconds:g} s in {schedule.processes} fresh processes,"
        f" each after ≥ {schedule.warmup_runs} warm-up runs and ≥ {schedule.warmup_seconds:g} s; artifacts in turn;"
        f" {schedule.threads} thread{'s' * (schedule.threads > 1)}",
        f"machine: {machine.system}, {machine.abi}, cores: {machine.cores}, temperature: {_format_temperature(run)}"
        + "".join(f", {name}: {value}" for name, value in machine.facts.items() if name != "temperature"),
        "tools: " + (", ".join(f"{name} {value}" for name, value in run.tool_versions.items()) or "none ran"),
        f"run {run.run_id} of commit {run.commit[:12]}{'+dirty' * run.commit.endswith('+dirty')}",
    ]
    sources = sorted({m.instructions.source for m in run.measurements if m.instructions is not None})
    spread = max((m.instructions.spread for m in run.measurements if m.instructions is not None), default=0.0)
    if sources:
        lines.append(f"instructions: per inference, counted by {', '.join(sources)}, repeated within {spread:.4%}")
    kernels = sorted({m.kernels for m in run.measurements if m.kernels is not None})
    if kernels:
        lines.append(f"kernels, as seen running: {', '.join(kernels)}")
    fetched = {m.artifact: max((s.download_bytes or 0 for s in m.samples), default=0) for m in run.measurements}
    if any(fetched.values()):
        sizes = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in fetched.items() if size)
        lines.append(f"fetched until the first answer, runtime and page included: {sizes}")
    for line in lines:
        out.print(style(line, "dim"), soft_wrap=True, highlight=False)


def _format_temperature(run: BenchRun) -> str:
    """Return the range over all processes, or what the target said, in °C."""
    found = [t for m in run.measurements for s in m.samples for t in (s.temperature_before, s.temperature_after)]
    known = [value for value in found if value is not None]
    if known:
        return f"{min(known):g}–{max(known):g} °C"
    return run.machine.facts.get("temperature", "not readable")
