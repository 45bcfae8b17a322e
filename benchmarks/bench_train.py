"""Measure training beside the loop that one would write first with torchvision, in one run.

``python -m benchmarks.bench_train`` prints a table of photos per second: the step alone on a batch that is ready, the
loader alone, and the whole loop; ``--json`` prints the numbers. Both have the same network, loss, optimiser, batch,
machine and threads. They take turns, so that a busy machine slows them alike, and a ratio is the median over the
pairs of turns. It exits with 1 if a target is missed; what cannot be measured here is said, and is no pass.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from benchmarks.training_loops import Batch, Contestant, Ours, Reference, Setting, pictures, write_folder
from imageqx_export.cli.show.console import out
from imageqx_export.support.progress import Progress, bar

STEP_RATIO, LOOP_RATIO = 1.0, 1.0
GPU_LOADER_RATIO = 2.0
SCENES = 136
NOT_MEASURED = "not measured here"

Pairs = list[tuple[float, float]]


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark and return the exit code."""
    gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=32, help="photos a step (default 32)")
    parser.add_argument("--size", type=int, default=224, help="pixels a side, a multiple of 16 (default 224)")
    parser.add_argument("--repeats", type=int, default=3, help="pairs of turns of each measurement (default 3)")
    parser.add_argument(
        "--steps", type=int, default=40 if gpu else 2, help="steps a turn (default 40 with a GPU, or 2)"
    )
    parser.add_argument("--json", action="store_true", help="print numbers instead of a table")
    options = parser.parse_args(argv)
    if min(options.batch, options.repeats, options.steps) < 1 or options.size % 16 or not 32 <= options.size <= 224:
        parser.error("--batch, --repeats and --steps are at least 1; --size is a multiple of 16 from 32 to 224")
    setting = Setting(options.batch, options.size, torch.device("cuda" if gpu else "cpu"), _cores())
    facts = _facts(setting, options.repeats, options.steps)
    results = _results(_measured(setting, options.repeats, options.steps))
    if options.json:
        print(json.dumps({**facts, "results": results}, indent=2, ensure_ascii=False))
    else:
        _print(facts, results)
    return 1 if any(result["verdict"] == "MISSED" for result in results.values()) else 0


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _facts(setting: Setting, repeats: int, steps: int) -> dict[str, Any]:
    return {
        "device": torch.cuda.get_device_name() if setting.device.type == "cuda" else f"CPU ({platform.machine()})",
        "cores": setting.workers,
        "threads": torch.get_num_threads(),
        "workers_of_reference": setting.workers,
        "load_before": round(os.getloadavg()[0], 2),
        "torch": torch.__version__,
        "batch": setting.batch,
        "size": setting.size,
        "repeats": repeats,
        "steps": steps,
    }


def _measured(setting: Setting, repeats: int, steps: int) -> dict[str, Pairs]:
    bank = pictures(SCENES)
    with tempfile.TemporaryDirectory() as folder:
        write_folder(bank, Path(folder))
        pairs = measure(Ours(bank, setting), Reference(Path(folder), setting), setting, repeats, steps, bar)
    if setting.device.type == "cuda":
        pairs["gpu"] = measure_gpu(Ours(bank, setting, torch.bfloat16), setting, repeats, steps, bar)
    return pairs


def _results(measured: dict[str, Pairs]) -> dict[str, dict[str, Any]]:
    """Return what was measured in photos per second, with the ratios' median and range, the target and the verdict."""
    names = ("ours", "reference")
    rows: dict[str, tuple[str, tuple[str, str], float | None]] = {
        "step": ("training step", names, STEP_RATIO),
        "loader": ("loader", names, None),
        "loop": ("whole loop", names, LOOP_RATIO),
        "gpu": ("GPU, bf16: loader beside step", ("loader", "step"), GPU_LOADER_RATIO),
    }
    return {name: _result(*row, measured.get(name)) for name, row in rows.items()}


def _result(what: str, names: tuple[str, str], target: float | None, pairs: Pairs | None) -> dict[str, Any]:
    if pairs is None:
        return {"what": what, "target": target, "verdict": NOT_MEASURED}
    ratios = [first / second for first, second in pairs]
    ratio = statistics.median(ratios)
    medians = {name: statistics.median(values) for name, values in zip(names, zip(*pairs, strict=True), strict=True)}
    verdict = "no target" if target is None else "ok" if ratio >= target else "MISSED"
    rounded = {name: round(value, 2) for name, value in medians.items()}
    low, high = round(min(ratios), 3), round(max(ratios), 3)
    return {
        "what": what,
        **rounded,
        "ratio": round(ratio, 3),
        "low": low,
        "high": high,
        "target": target,
        "verdict": verdict,
    }


def _print(facts: dict[str, Any], results: dict[str, dict[str, Any]]) -> None:
    table = Table(title="training, photos per second", title_justify="left")
    for name in ("what", "ours", "reference", "ratio (range)", "target", ""):
        table.add_column(name, justify="left" if name in ("what", "") else "right")
    for result in results.values():
        target = f"≥ {result['target']:g} ×" if result["target"] else "none"
        if result["verdict"] == NOT_MEASURED:
            table.add_row(result["what"], "", "", "", target, f"GPU: {NOT_MEASURED}")
            continue
        first, second = (f"{value:.1f}" for value in list(result.values())[1:3])
        ratio = f"{result['ratio']:.2f} × ({result['low']:.2f}–{result['high']:.2f})"
        table.add_row(result["what"], first, second, ratio, target, result["verdict"])
    out.print(table)
    out.print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items()), highlight=False)


def ready_batch(contestant: Contestant) -> Batch:
    """Load one batch, and see the loader to its end, so that none of its processes works on."""
    (batch,) = contestant.batches(1)
    return batch


def step_seconds(contestant: Contestant, batch: Batch, count: int) -> float:
    """Time ``count`` steps on a batch that is ready, after one that is not counted."""
    contestant.step(batch)
    start = _now()
    for _ in range(count):
        contestant.step(batch)
    return _now() - start


def loader_seconds(contestant: Contestant, count: int) -> float:
    """Time ``count`` batches, from nothing to the last."""
    start = _now()
    if sum(1 for _ in contestant.batches(count)) != count:
        raise RuntimeError("the loader gave another number of batches than was asked for")
    return _now() - start


def loop_seconds(contestant: Contestant, count: int) -> float:
    """Time ``count`` turns of the whole loop, after one that is not counted, while which a loader may load ahead."""
    stream = contestant.batches(count + 1)
    contestant.step(next(stream))
    start = _now()
    for batch in stream:
        contestant.step(batch)
    return _now() - start


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def measure(
    ours: Contestant, reference: Contestant, setting: Setting, repeats: int, steps: int, progress: Progress
) -> dict[str, Pairs]:
    """Return photos per second of the step, the loader and the loop, a pair (ours, reference) per repeat."""
    both = (ours, reference)
    # As many batches for each worker: none of them waits for the others at the end of a turn.
    loads = setting.workers * max(2, -(-steps // setting.workers))
    ready = [ready_batch(contestant) for contestant in both]
    for contestant in both:  # memory, kernels and workers' imports are there before any clock runs
        loop_seconds(contestant, 1)
        loader_seconds(contestant, setting.workers)
    timings: dict[str, tuple[int, Callable[[int], float]]] = {
        "step": (steps, lambda i: step_seconds(both[i], ready[i], steps)),
        "loader": (loads, lambda i: loader_seconds(both[i], loads)),
        "loop": (steps, lambda i: loop_seconds(both[i], steps)),
    }
    pairs: dict[str, Pairs] = {name: [] for name in timings}
    with progress("measuring", repeats * len(timings)) as advance:
        for _ in range(repeats):
            for name, (count, seconds) in timings.items():
                first, second = (count * setting.batch / seconds(i) for i in (0, 1))
                pairs[name].append((first, second))
                advance()
    return pairs


def measure_gpu(ours: Contestant, setting: Setting, repeats: int, steps: int, progress: Progress) -> Pairs:
    """Return photos per second of the loader and of the step, a pair per repeat, in the arithmetic of ``ours``."""
    ready = ready_batch(ours)
    loop_seconds(ours, steps)
    photos = steps * setting.batch
    pairs: Pairs = []
    with progress("measuring bf16", repeats) as advance:
        for _ in range(repeats):
            pairs.append((photos / loader_seconds(ours, steps), photos / step_seconds(ours, ready, steps)))
            advance()
    return pairs


if __name__ == "__main__":
    raise SystemExit(main())
