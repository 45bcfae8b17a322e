"""Show who agrees on versions of runtimes: our files and other tools'; and what other phone runtimes make of our ONNX.

``python -m benchmarks.bench_runtimes --markdown`` prints the tables of docs/runtimes.md: our rows from
models/imageqx.runtimes.json, which ``imageqx compat --record`` writes; the peers' asked now, each compared with what it
says itself on this CPU, so that its own loss by quantization is not held against it; and ncnn, MNN and ExecuTorch, each
in an environment of its own, in turns with ONNX Runtime. ``--only peers`` or ``--only phones`` leaves the rest out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bench_accelerators import make_peers
from benchmarks.phone_runtimes import Row, measure
from imageqx_export.bundle.runtimes import RuntimeRow, read_runtimes
from imageqx_export.cli.options import DEFAULT_CHECKPOINT
from imageqx_export.compat.versions.grid import lay_out, shorten_artifact
from imageqx_export.compat.versions.stage import check_runtimes
from imageqx_export.support.progress import bar

PARTS = ("ours", "peers", "phones")


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts/imageqx"))
    parser.add_argument("--checkpoint", type=Path, default=DEFAULT_CHECKPOINT)
    parser.add_argument("--record", type=Path, default=DEFAULT_CHECKPOINT.with_suffix(".runtimes.json"))
    parser.add_argument("--runtimes", default="onnxruntime,tflite-runtime,litert", help="as of imageqx compat")
    parser.add_argument("--only", choices=PARTS, action="append", help="may be repeated")
    parser.add_argument(
        "--cache", type=Path, default=Path("build/bench_accelerators"), help="where peers' files are kept"
    )
    parser.add_argument("--rounds", type=int, default=7, help="of latency, 2 or more")
    options = parser.parse_args(argv)
    parts = options.only or PARTS
    if "ours" in parts:
        print(to_markdown(read_runtimes(options.record).rows))
    if "peers" in parts:
        files = make_peers(options.artifacts, options.checkpoint, options.cache)
        found = check_runtimes(options.artifacts, options.runtimes.split(","), files=files, progress=bar)
        print(to_markdown(found.results))
    if "phones" in parts:
        print(show_phones(measure(options.artifacts, options.checkpoint, options.rounds)))
    return 0


def to_markdown(rows: Sequence[RuntimeRow]) -> str:
    """Return the tables for docs/runtimes.md."""
    lines: list[str] = []
    for grid in lay_out(rows):
        heads = ["runtime", *(f"{shorten_artifact(name)}{grid.suffix}" for name in grid.artifacts), "an app depends on"]
        lines += ["", "| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
        for line in grid.lines:
            cells = ("–" if cell is None else cell.text for cell in line.cells)
            lines.append("| " + " | ".join((line.place, *cells, line.app and f"`{line.app}`")) + " |")
    return "\n".join(lines)


def show_phones(rows: Sequence[Row]) -> str:
    """Return the table of other phone runtimes."""
    heads = ("runtime", "file", "opens", "bytes", "max abs Δ", "decisions that differ", "time against ONNX Runtime")
    lines = ["", "| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    lines += ["| " + " | ".join(row.to_cells()) + " |" for row in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
