"""Show what the benchmark itself costs: per inference, and for a whole quick run.

``python -m benchmarks.bench_harness`` prints a table; ``--json`` prints its numbers. It exits with 1 if a target is
missed. Three figures:

- *empty model*: what the runner reports for a model that does nothing, less a bare loop of the same library calls with
  two clock readings around all of it, in processes that take turns. That is all the harness adds to a sample.
- *real model*: the same two, of an artifact; the median of the pairs' ratios. Shown for information: on a machine that
  does other things too, a pair differs by more than the harness.
- *quick*: ``imageqx bench --quick`` of twelve artifacts on this machine. Where the folder has fewer, copies under other
  names fill it up.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.tiny_models import write_onnx, write_tflite
from imageqx_export.artifact import Artifact, Format, Manifest
from imageqx_export.bench.host.facts import pick_cores
from imageqx_export.bench.worker.launch import Launcher

INFERENCE_SECONDS = 0.010
SHARE = 0.01
QUICK_SECONDS = 60.0
QUICK_ARTIFACTS = 12
COMMAND = "python -m benchmarks.bench_harness"

BARE = """
import json, pathlib, sys, time
request = json.loads(pathlib.Path(sys.argv[1]).read_text())
import os
if request["cores"] is not None:
    os.sched_setaffinity(0, request["cores"])
import numpy as np
image, runs = np.zeros(request["shape"], np.uint8), request["runs"]
if request["format"] == "tflite":
    from ai_edge_litert.interpreter import Interpreter
    model = Interpreter(model_path=request["path"], num_threads=1)
    model.allocate_tensors()
    index, wanted = model.get_input_details()[0]["index"], [d["index"] for d in model.get_output_details()]
    def loop(times):
        for _ in range(times):
            model.set_tensor(index, image)
            model.invoke()
            for output in wanted:
                model.get_tensor(output)
else:
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(request["path"], options, providers=["CPUExecutionProvider"])
    feeds = {session.get_inputs()[0].name: image}
    def loop(times):
        for _ in range(times):
            session.run(None, feeds)
loop(request["warmup_runs"])
begin = time.perf_counter()
loop(runs)
took = (time.perf_counter() - begin) / runs
pathlib.Path(sys.argv[2]).write_text(json.dumps({"seconds": took}))
"""


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts/imageqx"))
    parser.add_argument("--pairs", type=int, default=9, help="processes of each kind, in turn")
    parser.add_argument("--json", action="store_true", help="print numbers instead of a table")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        results: dict[str, Any] = {"empty": {}, "real": {}}
        for format, write in ((Format.TFLITE, write_tflite), (Format.ONNX, write_onnx)):
            tiny = write(folder / f"tiny{format.suffix}", (1, 4, 4, 3))
            results["empty"][format.value] = compare(folder, format, tiny, [1, 4, 4, 3], 3000, options.pairs)
            real = options.artifacts / f"imageqx_fp32{format.suffix}"
            results["real"][format.value] = compare(folder, format, real, [1, 224, 224, 3], 30, options.pairs)
        results["quick"] = time_quick_bench(options.artifacts, folder)
    rows = _build_rows(results)
    passed = all(ok for *_, ok in rows)
    print(json.dumps({**results, "passed": passed}, indent=2)) if options.json else _print(rows, results)
    return 0 if passed else 1


def compare(folder: Path, format: Format, path: Path, shape: list[int], runs: int, pairs: int) -> dict[str, float]:
    """Time the runner and a bare loop in processes that take turns, on the same core.

    Returns:
        ``runner_s`` and ``bare_s``, medians over the processes of the mean inference; ``added_s`` and ``ratio``, the
        medians over the pairs of their difference and their quotient.
    """
    bare = folder / "bare.py"
    bare.write_text(BARE)
    launcher, cores = Launcher(1), pick_cores(1)
    request = {
        "mode": "time",
        "path": str(path.resolve()),
        "format": format.value,
        "threads": 1,
        "runs": runs,
        "seconds": 0,
        "warmup_runs": max(3, runs // 10),
        "warmup_seconds": 0,
        "cores": cores and list(cores),
        "shape": shape,
    }
    ours, theirs = [], []
    for _ in range(pairs):
        theirs.append(launcher.run(request, script=bare)["seconds"])
        ours.append(statistics.mean(launcher.run(request)["seconds"]))
    return {
        "runner_s": statistics.median(ours),
        "bare_s": statistics.median(theirs),
        "added_s": statistics.median(a - b for a, b in zip(ours, theirs, strict=True)),
        "ratio": statistics.median(a / b for a, b in zip(ours, theirs, strict=True)),
    }


def time_quick_bench(artifacts: Path, place: Path) -> dict[str, Any]:
    """Run ``imageqx bench --quick`` on twelve artifacts and return how long it took."""
    folder, copies = place / "twelve", 0
    shutil.copytree(artifacts, folder)
    manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    found: list[Artifact] = list(manifest.artifacts)
    for original in manifest.artifacts * (QUICK_ARTIFACTS // len(manifest.artifacts)):
        if len(found) >= QUICK_ARTIFACTS:
            break
        copies += 1
        name = Path(f"{original.path.stem}_copy{copies}{original.path.suffix}")
        copy = shutil.copytree if (folder / original.path).is_dir() else shutil.copy
        copy(folder / original.path, folder / name)
        found.append(original.model_copy(update={"path": name}))
    changed = manifest.model_copy(update={"artifacts": tuple(found)})
    (folder / "manifest.json").write_text(changed.model_dump_json())
    code = "import sys; from imageqx_export.cli.bench import app; app()"
    begin, worked = time.perf_counter(), _read_processor_seconds()
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), "--quick", "--json"], capture_output=True, text=True, check=True
    )
    took, worked = time.perf_counter() - begin, _read_processor_seconds() - worked
    ran = sum(m["unavailable"] is None for m in json.loads(done.stdout)["runs"][0]["measurements"])
    return {"seconds": took, "cpu_s": worked, "artifacts": len(found), "ran": ran, "copies": copies}


def _read_processor_seconds() -> float:
    """Return the processor time of all processes that were waited for: what a busy machine does not stretch as much."""
    used = os.times()
    return used.children_user + used.children_system


def _build_rows(results: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    rows = []
    for name, found in results["empty"].items():
        share = found["added_s"] / INFERENCE_SECONDS
        text = f"{found['added_s'] * 1e6:+.2f} µs = {share:+.4%} of 10 ms (runner {found['runner_s'] * 1e6:.2f},"
        rows.append(
            (f"empty {name} model", f"{text} bare {found['bare_s'] * 1e6:.2f})", f"< {SHARE:.0%}", share < SHARE)
        )
    quick = results["quick"]
    what = f"bench --quick, {quick['artifacts']} artifacts ({quick['copies']} copies; {quick['ran']} can run here)"
    figure = f"{quick['seconds']:.1f} s ({quick['cpu_s']:.1f} s of processor time)"
    rows.append((what, figure, f"≤ {QUICK_SECONDS:g} s", quick["seconds"] <= QUICK_SECONDS))
    return rows


def _print(rows: list[tuple[str, str, str, bool]], results: dict[str, Any]) -> None:
    console = Console(width=150)
    table = Table(title=COMMAND, title_justify="left")
    for name in ("what", "figure", "target", ""):
        table.add_column(name)
    for *cells, ok in rows:
        table.add_row(*cells, "ok" if ok else "MISSED")
    for name, found in results["real"].items():
        times = f"runner {found['runner_s'] * 1e3:.2f} ms, bare {found['bare_s'] * 1e3:.2f} ms"
        table.add_row(f"real {name} model, runner / bare", f"{found['ratio']:.4f} × ({times})", "", "for information")
    console.print(table)


if __name__ == "__main__":
    raise SystemExit(main())
