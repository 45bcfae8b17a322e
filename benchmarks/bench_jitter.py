"""Measure how much steadier F1's loss is on few photos when answers are jittered, and whether it means the same.

``python -m benchmarks.bench_jitter`` runs the exported fp32 and w8a8 ONNX files on synthetic test samples, splits these
into parts as small as an analysis' photos, and prints the losses' mean over the parts and their standard deviation:
for the decisions as they are, and for those of :func:`measure_jittered_accuracy` in quantize/sensitivity/jitter.py. It
exits with 1 if the spread that ``imageqx quantize --analyze`` uses does not halve the deviation of both macro-F1s.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from imageqx_export.cli.show.console import out
from imageqx_export.data.sources import Sources, load_held_out
from imageqx_export.evaluation.accuracy_loss import Accuracy, accuracy
from imageqx_export.evaluation.by_skin import select_photos
from imageqx_export.quantize.sensitivity.jitter import SPREAD, measure_jittered_accuracy
from imageqx_export.runtimes import load_runtime
from imageqx_export.support.progress import bar

SPREADS = (0.25, SPREAD, 1.0)
MACRO = ("labels' macro-F1", "reasons' macro-F1")
Losses = dict[str, NDArray[np.float64]]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts/imageqx"))
    parser.add_argument("--samples", type=int, default=4000, help="test samples (default 4000)")
    parser.add_argument("--part", type=int, default=400, help="samples a part (default 400)")
    parser.add_argument("--json", action="store_true", help="print numbers instead of a table")
    options = parser.parse_args(argv)
    if options.samples < 2 * options.part:
        parser.error(f"--samples: expected two parts of {options.part} at least, got {options.samples}")
    losses = measure(options.artifacts, options.samples, options.part)
    plain, chosen = losses["0"], losses[f"{SPREAD:g}"]
    missed = [name for name in MACRO if 2 * chosen[name].std() > plain[name].std()]
    if options.json:
        found = {
            spread: {k: {"mean": v.mean(), "deviation": v.std()} for k, v in row.items()}
            for spread, row in losses.items()
        }
        print(json.dumps({"losses": found, "missed": missed}, indent=2))
    else:
        out.print(make_table(losses, options.samples // options.part, options.part))
        out.print(f"not halved: {', '.join(missed) or 'none'}")
    return 1 if missed else 0


def measure(artifacts: Path, samples: int, part: int) -> dict[str, Losses]:
    """Return each part's losses in points, [parts], per spread and figure; ``"0"`` has the decisions as they are."""
    photos = load_held_out("test", Sources(), samples, progress=bar)
    runtimes = [load_runtime(artifacts / f"imageqx_{precision}.onnx") for precision in ("fp32", "w8a8")]
    spec, count = runtimes[0].spec, samples // part
    rows: dict[str, list[dict[str, float]]] = {}
    with bar("parts", count) as advance:
        for start in range(count):
            some = select_photos(photos, np.arange(start, count * part, count))
            before, after = (runtime.run(some.pixels) for runtime in runtimes)
            rows.setdefault("0", []).append(_list_points(accuracy(before, after, some, spec)))
            for spread in SPREADS:
                found = measure_jittered_accuracy(before, after, some, spec, spread=spread)
                rows.setdefault(f"{spread:g}", []).append(_list_points(found))
            advance()
    return {spread: {name: np.array([one[name] for one in row]) for name in row[0]} for spread, row in rows.items()}


def _list_points(found: Accuracy) -> dict[str, float]:
    reasons = {f"{name.replace('_', ' ')}: F1": loss.points for name, loss in found.reasons.items()}
    return {MACRO[0]: found.quality.points, MACRO[1]: found.explanations.points, **reasons}


def make_table(losses: dict[str, Losses], parts: int, part: int) -> Table:
    """Lay the figures out, a column a spread."""
    title = f"w8a8 against fp32: points lost, mean ± standard deviation of {parts} parts of {part} synthetic samples"
    made = Table(title=title, title_justify="left")
    made.add_column("")
    for spread in losses:
        made.add_column("as decided" if spread == "0" else f"jittered, {spread} logits", justify="right")
    for name in losses["0"]:
        made.add_row(name, *(f"{row[name].mean():+.2f} ± {row[name].std():.2f}" for row in losses.values()))
    return made


if __name__ == "__main__":
    sys.exit(main())
