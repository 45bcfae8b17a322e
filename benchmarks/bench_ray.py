"""Time ``predict`` on Ray with one worker and with two, in turns, in one run.

Both assess the same photos of 12 megapixels into a table, each turn in a process of its own on a cluster of this
machine that runs already. What is timed is a photo, once every worker has finished its first block: an archive for
which a cluster is worth it takes hours, and a worker's start, which imports PyTorch and opens the model, seconds. That
start and the whole stage's time are told beside. Printed are the ratios of time, one worker's by two's, of every round:
their median and quartiles; and the most memory that a worker had, and the process that leads them.

    python -m benchmarks.bench_ray
    python -m benchmarks.bench_ray --photos 48 --rounds 3 --json
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.bench_predict import CHECKPOINT, make_photos, quartiles
from imageqx_export.bench.photo import HEIGHT, WIDTH
from imageqx_export.predict.archive.rows import Rows
from imageqx_export.predict.archive.stage import Block, Engine, OpenModel

TARGET = 1.7
WORKERS = (1, 2)


class Memory:
    """The most memory that processes below this one had, while the block lasts."""

    def __init__(self) -> None:
        self.worker_mb = 0.0
        self._over = threading.Event()

    def __enter__(self) -> Memory:
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            for process in psutil.Process().children(recursive=True):
                try:
                    if "_assess_block" in " ".join(process.cmdline()):
                        self.worker_mb = max(self.worker_mb, _read_most_mb(process.pid))
                except (psutil.Error, OSError):  # it has just ended
                    continue


class Arrivals:
    """An engine that notes when each block of another's was done.

    Args:
        engine: The other.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.at: list[float] = []
        self.photos: list[int] = []

    def __call__(self, blocks: Sequence[Block], model: OpenModel) -> Iterator[tuple[Block, Rows]]:
        """Assess as the other does."""
        for block, rows in self._engine(blocks, model):
            self.at.append(time.perf_counter())
            self.photos.append(len(block.photos))
            yield block, rows

    def time_photo(self, workers: int) -> float:
        """Return the seconds a photo, of the blocks that came after each worker's first one."""
        return (self.at[-1] - self.at[workers - 1]) / sum(self.photos[workers:])


def _read_most_mb(pid: int | str) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1e3


def assess(workers: int, folder: Path, artifact: Path) -> dict[str, float]:
    """Assess a folder's photos on a cluster of so many workers; return ``photo_ms``, ``seconds`` and memory in MB."""
    from ray.cluster_utils import Cluster

    from imageqx_export.predict.archive.cluster import OBJECT_STORE, connect_ray
    from imageqx_export.predict.archive.stage import assess_archive, open_model
    from imageqx_export.predict.sources import gather_photos

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    begun = time.perf_counter()
    node = {"num_cpus": workers, "object_store_memory": OBJECT_STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    cluster_s = time.perf_counter() - begun
    try:
        with tempfile.TemporaryDirectory() as out, Memory() as memory:
            found = gather_photos([str(folder)])
            start = time.perf_counter()
            engine = Arrivals(connect_ray(cluster.address))
            assess_archive(found.photos, open_model(artifact), f"{out}/verdicts.parquet", engine)
            seconds = time.perf_counter() - start
    finally:
        cluster.shutdown()
    return {
        "photo_ms": 1e3 * engine.time_photo(workers),
        "first_s": engine.at[workers - 1] - start,
        "seconds": seconds,
        "cluster_s": cluster_s,
        "worker_mb": memory.worker_mb,
        "driver_mb": _read_most_mb("self"),
    }


def measure(count: int, rounds: int, artifact: Path) -> dict[str, Any]:
    """Let one and two workers take turns, and return every round's numbers."""
    runs: dict[int, list[dict[str, float]]] = {workers: [] for workers in WORKERS}
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        make_photos(folder, count)
        for turn in range(rounds):
            for workers in WORKERS if turn % 2 == 0 else reversed(WORKERS):
                command = [sys.executable, "-m", "benchmarks.bench_ray", "--assess", str(workers), text, str(artifact)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                runs[workers].append(json.loads(done.stdout.splitlines()[-1]))
    pairs = zip(runs[1], runs[2], strict=True)
    return {"photos": count, "runs": runs, "ratios": [one["photo_ms"] / two["photo_ms"] for one, two in pairs]}


def _show(result: dict[str, Any]) -> None:
    table = Table(
        "workers",
        "ms a photo",
        "s to each worker's first block",
        "s of the whole stage",
        "cluster's start s",
        "MB a worker at most",
        "MB of the leader at most",
        title=f"{result['photos']} photos of {WIDTH} × {HEIGHT} on Ray",
    )
    for workers, runs in result["runs"].items():
        medians = [
            statistics.median(run[name] for run in runs) for name in ("photo_ms", "first_s", "seconds", "cluster_s")
        ]
        most = [max(run[name] for run in runs) for name in ("worker_mb", "driver_mb")]
        table.add_row(str(workers), *(f"{value:.1f}" for value in medians), *(f"{value:.0f}" for value in most))
    Console().print(table)
    low, middle, high = quartiles(result["ratios"])
    print(f"one worker's time a photo by two's: {middle:.2f} ({low:.2f}–{high:.2f}); target ≥ {TARGET}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 if the target is met, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_ray", description=__doc__)
    parser.add_argument("--photos", type=int, default=400, help="how many (default: 400)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (default: 3)")
    parser.add_argument("--artifact", type=Path, default=CHECKPOINT, help="the model (default: the checkpoint)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--assess", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.assess:
        workers, folder, artifact = options.assess
        print(json.dumps(assess(int(workers), Path(folder), Path(artifact))))
        return 0
    result = measure(options.photos, options.rounds, options.artifact)
    print(json.dumps(result, indent=2)) if options.json else _show(result)
    return 0 if quartiles(result["ratios"])[1] >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
