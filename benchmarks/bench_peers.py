"""Show what our files are worth beside the peers' at their best, in one run.

``python -m benchmarks.bench_peers`` prints a table; ``--markdown`` that of docs/int8-peers.md, ``--json`` its numbers.
Every peer starts from the same fp32 files or checkpoint and the same calibration photos, in an environment of its own,
made by uv of pinned wheels; what fails or cannot be had is a row that says so. Of each file:

- *time*: processor time of an inference on one thread, in fresh processes that take turns; the ratio to our TFLite
  w8a8's in the same round: median and quartiles over the rounds.
- *start*: processor time of the load and the first inference, likewise; and the peak memory above the imported runtime.
- *worth*: on held-out samples that neither training nor calibration saw, against our fp32 ONNX file.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.int8_measures import Score, score_outputs, shorten
from benchmarks.peers import tools
from benchmarks.peers.tools import PEERS, Peer
from imageqx_export.artifact import Format, Manifest, ModelSpec, Pixels, Precision
from imageqx_export.bench.host.facts import describe_machine, pick_cores
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.data.images import gather_calibration_images
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.data.sources import Sources, load_held_out
from imageqx_export.errors import ImageQXError
from imageqx_export.support.folders import temporary_folder
from imageqx_export.support.progress import bar

OURS = "imageqx"
REFERENCE = "TFLite w8a8"
RUNS = 20
COLUMNS: tuple[str, ...] = (
    "made by",
    "runs on",
    "scheme",
    "MB",
    f"CPU time × {REFERENCE}",
    "load + first, CPU ms",
    "MiB above import",
    "labels' macro-F1 (lost)",
    "reasons' macro-F1 (lost)",
    "same label",
    "max |Δ|",
)
_RUNTIMES = {Format.ONNX: "ONNX Runtime", Format.TFLITE: "LiteRT"}


@dataclass
class Row:
    """What is known of one file; ``trouble`` says why the rest is not."""

    peer: Peer
    target: Path | None = None
    trouble: str = ""
    measured: list[dict[str, float]] = field(default_factory=list)
    score: Score | None = None

    def take(self, figure: str) -> list[float]:
        """Return a figure of every round."""
        return [one["load_ms"] + one["first_ms"] if figure == "start_ms" else one[figure] for one in self.measured]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 unless one of our own files fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts/imageqx"))
    parser.add_argument("--only", action="append", help="part of a peer's name; may be repeated; ours are always there")
    parser.add_argument("--rounds", type=int, default=9, help="processes of each file, in turn")
    parser.add_argument("--samples", type=int, default=1000, help="held-out samples")
    parser.add_argument("--calibration", type=int, default=256, help="calibration photos")
    parser.add_argument("--cache", type=Path, default=Path("build/bench_peers"), help="where the peers' files are kept")
    parser.add_argument("--json", action="store_true", help="print numbers instead of a table")
    parser.add_argument("--markdown", action="store_true", help="print the table for docs/int8-peers.md")
    options = parser.parse_args(argv)
    manifest = read_manifest(options.artifacts)
    chosen = [peer for peer in PEERS if not options.only or any(part in peer.name for part in options.only)]
    photos = gather_calibration_images(None, progress=bar)[0][: options.calibration]
    rows = list_own(options.artifacts, manifest) + make_rows(options, manifest, chosen, photos)
    score(rows, load_held_out("test", Sources(), options.samples, progress=bar), manifest.artifacts[0].spec)
    measure(rows, photos[:1], options.rounds)
    show(rows, options)
    return 1 if any(row.trouble for row in rows if row.peer.environment == "project" and OURS in row.peer.name) else 0


def list_own(artifacts: Path, manifest: Manifest) -> list[Row]:
    """Return our files: fp32, w8 and w8a8 of the formats that run here."""
    rows = []
    for format, runtime in _RUNTIMES.items():
        for precision in (Precision.FP32, Precision.W8, Precision.W8A8):
            one = next(a for a in manifest.artifacts if (a.format, a.precision) == (format, precision))
            peer = Peer(f"{OURS} {format}", str(precision), "project", runtime, format.suffix)
            rows.append(Row(peer, (artifacts / one.path).absolute()))
    return rows


def make_rows(options: argparse.Namespace, manifest: Manifest, peers: Sequence[Peer], photos: Pixels) -> list[Row]:
    """Let every peer make its file, now or earlier."""
    rows = []
    with temporary_folder("peers") as scratch, bar("the peers' conversions", len(peers)) as advance:
        sources = tools.gather_sources(options.artifacts, manifest, photos, scratch)
        for peer in peers:
            row = Row(peer)
            try:
                row.target = tools.make_file(peer, sources, options.cache)
            except ImageQXError as error:
                row.trouble = f"not made: {shorten(error)}"
            rows.append(row)
            advance()
    return rows


def score(rows: Sequence[Row], photos: LabelledPhotos, spec: ModelSpec) -> None:
    """Run every file on held-out samples, and compare it with our fp32 ONNX file."""
    there = [row for row in rows if row.target is not None]
    first = next(row for row in there if (row.peer.runtime, row.peer.scheme) == ("ONNX Runtime", "fp32"))
    assert first.target is not None
    reference = tools.run(first.peer, first.target, photos.pixels)
    with bar("measuring accuracy", len(there)) as advance:
        for row in there:
            assert row.target is not None
            try:
                row.score = score_outputs(tools.run(row.peer, row.target, photos.pixels), reference, photos, spec)
            except ImageQXError as error:
                row.trouble = f"does not run: {shorten(error)}"
            advance()


def measure(rows: Sequence[Row], pixels: Pixels, rounds: int) -> None:
    """Time every file that runs, in fresh processes that take turns: A B C A B C …."""
    timed = [row for row in rows if row.score is not None and row.peer.runtime != "Core ML"]
    cores = list(pick_cores(1) or ())
    with bar("timing in turns", rounds * len(timed)) as advance:
        for turn in range(rounds):
            start = turn % len(timed)
            for row in [*timed[start:], *timed[:start]]:
                request = {"mode": "measure", "runtime": row.peer.runtime, "target": str(row.target), "runs": RUNS}
                request |= {"dtype": row.peer.dtype, "cores": cores}
                if not row.trouble:
                    try:
                        row.measured.append(tools.call(tools.prepare(row.peer.home), request, pixels)[0])
                    except ImageQXError as error:
                        row.trouble = f"does not run: {shorten(error)}"
                advance()


def show(rows: Sequence[Row], options: argparse.Namespace) -> None:
    """Print everything in the form that was asked for."""
    cells = make_cells(rows)
    machine = describe_machine(pick_cores(1))
    title = f"{options.rounds} rounds, {options.samples} samples, {machine.name}, {datetime.now(UTC):%Y-%m-%d}"
    if options.json:
        keyed = [dict(zip(COLUMNS, row, strict=True)) for row in cells]
        raw = [{"measured": row.measured, "trouble": row.trouble} for row in rows]
        print(json.dumps({"title": title, "rows": keyed, "raw": raw}, indent=2))
    elif options.markdown:
        lines = [COLUMNS, ("---",) * 3 + ("--:",) * (len(COLUMNS) - 3), *cells]
        print("\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines))
        print(f"\n{title}", file=sys.stderr)
    else:
        table = Table(title=title, title_justify="left")
        for name in COLUMNS:
            table.add_column(name)
        for row in cells:
            table.add_row(*row)
        Console(width=200).print(table)


def make_cells(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Return the table's rows in words."""
    reference = next(row for row in rows if (row.peer.runtime, row.peer.scheme) == ("LiteRT", "w8a8"))
    return [(row.peer.name, row.peer.runtime, row.peer.scheme, *_make_figures(row, reference)) for row in rows]


def _make_figures(row: Row, reference: Row) -> tuple[str, ...]:
    size = "–" if row.target is None else f"{tools.measure_size(row.target) / 1e6:.2f}"
    if row.trouble:
        return (size, row.trouble, *["–"] * 6)
    times: tuple[str, ...] = ("–",) * 3
    if row.measured:
        # Where ours broke in some round, those before are compared.
        ratios = [a / b for a, b in zip(row.take("run_ms"), reference.take("run_ms"), strict=False)]
        memory = f"{statistics.median(row.take('memory_mib')):.0f}"
        times = (_format(ratios, ".2f"), _format(row.take("start_ms"), ".0f"), memory)
    assert row.score is not None
    lost = row.score.lost
    return (
        size,
        *times,
        f"{row.score.quality:.1f} ({lost.quality.points:+.2f})",
        f"{row.score.reasons:.1f} ({lost.explanations.points:+.2f})",
        f"{lost.agreement:.1f} %",
        f"{row.score.max_abs:.3f}",
    )


def _format(values: Sequence[float], form: str) -> str:
    """Return the median with the quartiles; a dash for none."""
    if len(values) < 2:
        return "".join(format(value, form) for value in values) or "–"
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:{form}} ({low:{form}}…{high:{form}})"


if __name__ == "__main__":
    raise SystemExit(main())
