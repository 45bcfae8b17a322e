"""Time ``imageqx predict``'s batch beside the loop that assesses one photo after another, in turns, in one run.

Both assess the same 200 photos of 12 megapixels with the same model, each turn in a process of its own, which is timed
from the first photo on: opening the model is left out. The loop is today's of ``predict_photos``, once with as many
threads a photo as PyTorch takes by itself and once with one. Printed are the ratios of time, loop by batch, of every
round: their median and quartiles; and the most memory that each process had.

    python -m benchmarks.bench_predict
    python -m benchmarks.bench_predict --photos 40 --rounds 3 --json
    python -m benchmarks.bench_predict --batches
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from imageqx_export.bench.photo import HEIGHT, WIDTH, encode, make_photo
from imageqx_export.support.processes import count_cores

CHECKPOINT = Path("models/imageqx.safetensors")
TARGET = 1.7
DISTINCT = 4
BATCH, LOOP, LOOP_ONE = "assess_photos", "loop, PyTorch's own threads", "loop, one thread"


def make_photos(folder: Path, count: int) -> None:
    """Write ``count`` photos of 12 megapixels, of which a few differ."""
    for index in range(min(DISTINCT, count)):
        (folder / f"{index:03}.jpg").write_bytes(encode(make_photo(seed=index)))
    for index in range(DISTINCT, count):
        shutil.copy(folder / f"{index % DISTINCT:03}.jpg", folder / f"{index:03}.jpg")


def assess(contestant: str, folder: Path, artifact: Path) -> dict[str, float]:
    """Assess a folder's photos in this process.

    Returns:
        ``seconds``; ``start_mb`` and ``most_mb``, the memory of this process before and at most, in MB.
    """
    from imageqx_export.predict.batch import assess_photos
    from imageqx_export.predict.verdict import predict_photos
    from imageqx_export.runtimes import load_photo_model

    runtime, paths = load_photo_model(artifact), sorted(folder.iterdir())
    predict_photos(paths[:1], runtime)  # imports and first calls
    before, start = _most_mb(), time.perf_counter()
    if contestant == BATCH:
        count = sum(1 for _ in assess_photos(paths, runtime, open_another=lambda: load_photo_model(artifact)))
    else:
        count = sum(len(predict_photos([path], runtime)) for path in paths)
    assert count == len(paths)
    return {"seconds": time.perf_counter() - start, "start_mb": before, "most_mb": _most_mb()}


def _most_mb() -> float:
    """Return the most memory that this process has had, in MB; getrusage would count its parent's before exec."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1e3


def _start(contestant: str, folder: Path, artifact: Path) -> dict[str, float]:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    if contestant != LOOP:
        environment["OMP_NUM_THREADS"] = "1"
    command = [sys.executable, "-m", "benchmarks.bench_predict", "--assess", contestant, str(folder), str(artifact)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def measure(count: int, rounds: int, artifact: Path) -> dict[str, Any]:
    """Let the contestants take turns, and return every round's numbers."""
    names = [BATCH, LOOP, LOOP_ONE]
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        make_photos(folder, count)
        for turn in range(rounds):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                runs[name].append(_start(name, folder, artifact))
    rows = {}
    for name in names:
        pairs = zip(runs[name], runs[BATCH], strict=True)
        ratios = [one["seconds"] / ours["seconds"] for one, ours in pairs]
        rows[name] = {
            "seconds": statistics.median(run["seconds"] for run in runs[name]),
            "most_mb": max(run["most_mb"] for run in runs[name]),
            "start_mb": max(run["start_mb"] for run in runs[name]),
            "ratios": ratios,
        }
    return {"photos": count, "cores": count_cores(), "artifact": artifact.name, "rows": rows}


def measure_batches(rounds: int, artifact: Path = CHECKPOINT) -> dict[int, list[float]]:
    """Return milliseconds a photo that PyTorch takes for batches of several sizes on one thread, sorted, in turns."""
    import numpy as np
    import torch

    from imageqx_export.networks.pixels import normalise
    from imageqx_export.runtimes.torch import load

    torch.set_num_threads(1)
    runtime = load(artifact)
    pixels = np.random.default_rng(0).integers(0, 256, (16, 224, 224, 3), np.uint8)
    batches = {size: torch.from_numpy(pixels[:size]) for size in (1, 4, 8, 16)}
    times: dict[int, list[float]] = {size: [] for size in batches}
    with torch.inference_mode():
        for _ in range(rounds):
            for size, batch in batches.items():
                start = time.perf_counter()
                runtime.network(normalise(batch, preprocessing=runtime.spec.preprocessing))
                times[size].append(1e3 * (time.perf_counter() - start) / size)
    return {size: sorted(values) for size, values in times.items()}


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the first quartile, the median and the third."""
    if len(values) == 1:
        return (values[0],) * 3
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def _show(result: dict[str, Any]) -> None:
    title = f"{result['photos']} photos of {WIDTH} × {HEIGHT}, {result['artifact']}, {result['cores']} cores"
    table = Table("", "median s", "× batch: quartiles", "target", "MB at first", "MB at most", title=title)
    for name, row in result["rows"].items():
        low, middle, high = quartiles(row["ratios"])
        ratio = "1" if name == BATCH else f"{middle:.2f} ({low:.2f}–{high:.2f})"
        target = f"≥ {TARGET}" if name == LOOP else ""
        table.add_row(name, f"{row['seconds']:.1f}", ratio, target, f"{row['start_mb']:.0f}", f"{row['most_mb']:.0f}")
    Console().print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 if the target is met, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_predict", description=__doc__)
    parser.add_argument("--photos", type=int, default=200, help="how many (default: 200)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contestant (default: 5)")
    parser.add_argument("--artifact", type=Path, default=CHECKPOINT, help="the model (default: the checkpoint)")
    parser.add_argument("--batches", action="store_true", help="time PyTorch's batches of several sizes instead")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--assess", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.assess:
        contestant, folder, artifact = options.assess
        print(json.dumps(assess(contestant, Path(folder), Path(artifact))))
        return 0
    if options.batches:
        for size, times in measure_batches(max(2, options.rounds), options.artifact).items():
            low, middle, high = quartiles(times)
            print(f"batch of {size:2}: {middle:6.1f} ms a photo ({low:.1f}–{high:.1f})")
        return 0
    result = {**measure(options.photos, options.rounds, options.artifact), "python": platform.python_version()}
    print(json.dumps(result, indent=2)) if options.json else _show(result)
    return 0 if quartiles(result["rows"][LOOP]["ratios"])[1] >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
