"""Time the files of one export beside those of another, such as of two recipes: in turns, on one thread, in CPU time.

    OMP_NUM_THREADS=1 python -m benchmarks.bench_folders artifacts/imageqx trial/imageqx --precision w8a8

Both folders' files of a precision take turns in one process, so that a busy machine slows them alike; a row is the
second folder's time ÷ the first's, the median of the rounds' ratios and their quartiles.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bench_predict import quartiles
from imageqx_export.artifact import Pixels
from imageqx_export.bundle.golden import load_golden_pixels
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.runtimes import load_runtime

INFERENCES = 12
"""In a row, whose mean a round counts."""
TIMED = (".onnx", ".tflite")
"""Core ML runs on Apple's systems alone."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folders", type=Path, nargs=2, help="two exports of one network")
    parser.add_argument("--precision", default="w8a8")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(argv)
    rows = measure(options.folders, options.precision, options.rounds)
    if options.json:
        print(json.dumps({"rounds": options.rounds, "rows": rows}, indent=2))
    for row in () if options.json else rows:
        low, middle, high = row["ratio"]
        print(f"{row['kind']}: {middle:.3f} × ({low:.3f}–{high:.3f}) of {row['ms']:.2f} ms, {options.rounds} rounds")
    return 0


def measure(folders: Sequence[Path], precision: str, rounds: int) -> list[dict[str, Any]]:
    """Return, per kind of file, the first folder's milliseconds and the quartiles of the second's ÷ the first's."""
    pixels = load_golden_pixels(folders[0])[:1]
    rows: list[dict[str, Any]] = []
    for kind in TIMED:
        pair = [find_file(folder, kind, precision) for folder in folders]
        calls = [load(path, pixels) for path in pair]
        seen = [[time_call(call) for call in calls] for _ in range(rounds)]
        ratios = [second / first for first, second in seen]
        rows.append({"kind": kind, "ms": 1e3 * quartiles([first for first, _ in seen])[1], "ratio": quartiles(ratios)})
    return rows


def find_file(folder: Path, kind: str, precision: str) -> Path:
    """Return the file of a kind and precision that a folder's manifest names."""
    rows = read_manifest(folder).artifacts
    found = [row.path for row in rows if row.path.suffix == kind and row.precision == precision]
    if len(found) != 1:
        sys.exit(f"{folder}: {len(found)} {precision} files with {kind}, expected 1; try: imageqx export")
    return folder / found[0]


def load(path: Path, pixels: Pixels) -> Callable[[], object]:
    """Return what runs a file on one photo, warm."""
    runtime = load_runtime(path)
    for _ in range(INFERENCES // 2):
        runtime.run(pixels)
    return lambda: runtime.run(pixels)


def time_call(call: Callable[[], object]) -> float:
    """Return seconds of this process's CPU time of one inference."""
    start = time.process_time()
    for _ in range(INFERENCES):
        call()
    return (time.process_time() - start) / INFERENCES


if __name__ == "__main__":
    sys.exit(main())
