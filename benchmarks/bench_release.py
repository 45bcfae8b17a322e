"""A pull over loopback beside curl and sha256sum, a cached pull, and a publish of twelve artifacts, in one run.

``make bench-release``: each measure takes its turn in every round, so that what else the machine does meets all alike.
Times are of the wall; beside them CPU seconds, which a busy machine does not stretch.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import quantiles

from imageqx_export.artifact import Format, Precision
from imageqx_export.release.ceremony import init_keys
from imageqx_export.release.client import Source
from imageqx_export.release.names import parse_wanted
from imageqx_export.release.pull import pull
from imageqx_export.release.store import FolderStore
from tests.release.servers import serve

ROOT = Path(__file__).parents[1]
CONSTANT = 0.15
"""Seconds that a first pull may take beside the bytes: four signed lists, the release's description, the manifest."""
RATIO = 1.3
CACHED = 0.3
PUBLISH = 5.0

Row = tuple[float, float]
"""Seconds of the wall and of the CPU, this process's children included."""


def measure(work: Callable[[], object]) -> Row:
    """Return what one run takes."""
    before, begun = _count_cpu(), time.perf_counter()
    work()
    return time.perf_counter() - begun, _count_cpu() - before


def _count_cpu() -> float:
    rows = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(row.ru_utime + row.ru_stime for row in rows)


def main() -> int:
    """Measure, print the table, and say whether each target is met."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--artifacts", type=Path, default=ROOT / "artifacts" / "imageqx")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--publishes", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        found = run(options.artifacts.absolute(), Path(place), options.rounds, options.publishes)
    for name, rows in found.items():
        walls, cpus = ([row[k] for row in rows] for k in (0, 1))
        low, middle, high = quantiles(walls, n=4) if len(walls) > 1 else walls * 3
        cpu = sorted(cpus)[len(cpus) // 2]
        print(f"{name:<36} {middle:8.3f} s  ({low:.3f}–{high:.3f})  CPU {cpu:.3f} s  n={len(rows)}")
    middles = {name: sorted(row[0] for row in rows)[len(rows) // 2] for name, rows in found.items()}
    limits = {
        "a first pull": RATIO * middles["curl and sha256sum"] + CONSTANT,
        "a cached pull": CACHED,
        "imageqx publish": PUBLISH,
    }
    for name, limit in limits.items():
        print(f"{name}: {middles[name]:.3f} s, limit {limit:.3f} s: {'met' if middles[name] <= limit else 'MISSED'}")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0 if all(middles[name] <= limit for name, limit in limits.items()) else 1


def run(artifacts: Path, place: Path, rounds: int, publishes: int) -> dict[str, list[Row]]:
    """Return every run's times, by measure."""
    tree, keys = place / "tree", place / "keys"
    init_keys(FolderStore(tree), keys, lambda root: "bench")
    environment = {**os.environ, "IMAGEQX_KEYS_PASSPHRASE": "bench"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # users start it from bytecode
    program = str(Path(sys.executable).parent / "imageqx")
    command = [program, "publish", str(artifacts), "--keys", str(keys), "--to", str(tree)]
    found: dict[str, list[Row]] = {
        name: [] for name in ("curl and sha256sum", "a first pull", "a cached pull", "imageqx publish")
    }
    for number in range(publishes):
        words = [*command, "--version", f"1.{number}.0"]
        publish = partial(subprocess.run, words, env=environment, check=True, capture_output=True, cwd=ROOT)
        found["imageqx publish"].append(measure(publish))
    wanted = parse_wanted("imageqx@1.0.0")
    with serve(tree) as (address, _):
        model = f"{address}/imageqx/1.0.0/imageqx_w8a8.tflite"

        def ask_curl() -> None:
            subprocess.run(["curl", "-sf", "-o", str(place / "curled"), model], check=True)
            subprocess.run(["sha256sum", str(place / "curled")], check=True, capture_output=True)

        def ask_us() -> None:
            source = Source(address, keys / "root.json", place / "cache")
            pull(wanted, Format.TFLITE, Precision.W8A8, source, place / "out")

        ask_us()  # the libraries are loaded now
        for _ in range(rounds):
            for name in ("cache", "out"):
                shutil.rmtree(place / name)
            found["curl and sha256sum"].append(measure(ask_curl))
            found["a first pull"].append(measure(ask_us))
            shutil.rmtree(place / "out")
            found["a cached pull"].append(measure(ask_us))
    return found


if __name__ == "__main__":
    sys.exit(main())
