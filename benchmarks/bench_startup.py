"""Measure what opening a file costs: load, first inference and memory, each in a fresh process, in turns.

    python -m benchmarks.bench_startup --rounds 9

Seconds are the process's own processor time, which a busy machine changes less than the clock. An app may keep what its
runtime makes of a file (``optimised``): it depends on the runtime's version and the processor, and is no artifact.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.memory import read_memory

REFERENCE = "imageqx_w8a8.tflite"
KEPT = ("imageqx_fp32.onnx", "imageqx_w8a8.onnx")
OPTIMISED = ".optimised.onnx"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_startup", description=__doc__)
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts/imageqx"), help="an exported folder")
    parser.add_argument("--rounds", type=int, default=9, help="processes of each file (default: 9)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.open is not None:
        print(json.dumps(open_once(options.open)))
        return 0
    with tempfile.TemporaryDirectory() as place:
        files = sorted(path for path in options.artifacts.iterdir() if path.suffix in (".onnx", ".tflite"))
        files += [save_optimised(options.artifacts / name, Path(place)) for name in KEPT]
        rows = summarise(measure(files, options.rounds))
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        show(rows, options.rounds)
    return 0


def save_optimised(path: Path, folder: Path) -> Path:
    """Write the graph that ONNX Runtime makes of a file on this processor, as an app would keep it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / f"{path.stem}{OPTIMISED}")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return Path(options.optimized_model_filepath)


def measure(files: Sequence[Path], rounds: int) -> dict[str, list[dict[str, float]]]:
    """Open every file in a fresh process per round; the order rotates, so that no file always follows the same one."""
    found: dict[str, list[dict[str, float]]] = {path.name: [] for path in files}
    for turn in range(rounds + 1):
        start = turn % len(files)
        for path in [*files[start:], *files[:start]]:
            command = [sys.executable, "-m", "benchmarks.bench_startup", "--open", str(path)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            if turn:  # the first reads libraries and files from the disk
                found[path.name].append(json.loads(done.stdout.splitlines()[-1]))
    return found


def open_once(path: Path) -> dict[str, float]:
    """Load a file and run it once, on one thread.

    Returns:
        ``load_ms`` and ``first_ms`` of processor time, and ``memory_mib``: the peak of the resident memory above what
        it was once the runtime was imported.
    """
    pixels = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), np.uint8)
    runtime = importlib.import_module("onnxruntime" if path.suffix == ".onnx" else "ai_edge_litert.interpreter")
    before, begun = read_memory("VmRSS"), time.process_time()
    run = _open_onnx(runtime, path) if path.suffix == ".onnx" else _open_tflite(runtime, path)
    loaded = time.process_time()
    run(pixels)
    ended = time.process_time()
    memory = (read_memory("VmHWM") - before) / 1024
    return {"load_ms": 1e3 * (loaded - begun), "first_ms": 1e3 * (ended - loaded), "memory_mib": memory}


def _open_onnx(runtime: Any, path: Path) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if path.name.endswith(OPTIMISED):
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda pixels: session.run(None, {session.get_inputs()[0].name: pixels})


def _open_tflite(runtime: Any, path: Path) -> Any:
    opened = runtime.Interpreter(str(path), num_threads=1)
    runner = opened.get_signature_runner()
    return lambda pixels: runner(image=pixels)


def summarise(found: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, list[float]]]:
    """Return lower quartile, median and upper quartile per file: of each figure, and of load + first beside ours.

    ``ratio`` is load and first inference together, over those of w8a8.tflite in the same round.
    """
    whole = {name: [row["load_ms"] + row["first_ms"] for row in rows] for name, rows in found.items()}
    summary: dict[str, dict[str, list[float]]] = {}
    for name, rows in found.items():
        figures = {figure: [row[figure] for row in rows] for figure in rows[0]}
        figures["ratio"] = [a / b for a, b in zip(whole[name], whole[REFERENCE], strict=True)]
        summary[name] = {figure: statistics.quantiles(values, n=4) for figure, values in figures.items()}
    return summary


def show(rows: dict[str, dict[str, list[float]]], rounds: int) -> None:
    """Print a table: medians, with quartiles in brackets."""
    table = Table(title=f"{rounds} processes each, in turns; median (quartiles)", title_justify="left")
    columns = {"load_ms": "load, CPU ms", "first_ms": "first, CPU ms", "memory_mib": "MiB above import"}
    columns["ratio"] = f"load + first × {REFERENCE}"
    for name in ("file", *columns.values()):
        table.add_column(name, justify="left" if name == "file" else "right")
    for name, row in rows.items():
        cells = [f"{row[figure][1]:.1f} ({row[figure][0]:.1f}…{row[figure][2]:.1f})" for figure in columns]
        table.add_row(name, *cells)
    Console(width=120).print(table)


if __name__ == "__main__":
    sys.exit(main())
