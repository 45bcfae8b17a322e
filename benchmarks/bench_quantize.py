"""Choose observers by measurement: what each costs, per kind of tensor, when that kind alone is held as int8.

``python -m benchmarks.bench_quantize`` prints, per kind (the outputs of convolutions, of multiplications, …) and per
observer, the mean |Δ| of the labels' probabilities against the float network; and the same for the two ways to choose
weights' scales, and for the whole recipe before its dearest ranges are narrowed. Ranges come from synthetic training
samples, figures from synthetic validation samples, so that the test samples of ``imageqx quantize`` have no part in the
choice. It exits with 1 if an observer of ``quantize/plan.py`` is not within 10 % of the best of its kind.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.table import Table

from imageqx_export.artifact import Pixels
from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.cli.show.console import out
from imageqx_export.data.images import gather_calibration_images
from imageqx_export.data.sources import Sources, load_held_out
from imageqx_export.quantize.calibration.choose_rewrites import choose_rewrites
from imageqx_export.quantize.calibration.observers import OBSERVERS
from imageqx_export.quantize.graph.capture import find_tensors, kind_of
from imageqx_export.quantize.graph.simulate import simulate
from imageqx_export.quantize.plan import OBSERVER_OF_KIND, WEIGHT_OBSERVER, Observations, choose_scales, observe
from imageqx_export.quantize.recipe import CalibrationSet, Recipe
from imageqx_export.support.progress import bar

CHECKPOINT = Path("models/imageqx.safetensors")
WEIGHT_OBSERVERS = ("minmax", "mse")
NEAR = 1.10
Costs = dict[str, dict[str, float]]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--samples", type=int, default=96, help="validation samples (default 96)")
    parser.add_argument("--json", action="store_true", help="print numbers instead of a table")
    options = parser.parse_args(argv)
    checkpoint, network = load_checkpoint(options.checkpoint)
    images, _ = gather_calibration_images(None)
    seen = observe(network, images, choose_rewrites(network, images, progress=bar), progress=bar)
    costs = measure(seen, checkpoint.sha256, load_held_out("val", Sources(), options.samples).pixels)
    chosen = {
        **{kind: OBSERVER_OF_KIND[kind] for kind in costs if kind in OBSERVER_OF_KIND},
        "weights": WEIGHT_OBSERVER,
    }
    missed = [kind for kind, name in chosen.items() if costs[kind][name] > NEAR * min(costs[kind].values())]
    if options.json:
        print(json.dumps({"costs": costs, "chosen": chosen, "missed": missed}, indent=2))
    else:
        out.print(make_table(costs, chosen))
        out.print(f"not near the best: {', '.join(missed) or 'none'}")
    return 1 if missed else 0


def measure(seen: Observations, sha256: str, pixels: Pixels) -> Costs:
    """Return mean |Δ| of the labels' probabilities, per kind and observer; ``whole``: everything is int8."""
    reference = simulate(seen.program, None, pixels)["quality"]
    calibration = CalibrationSet(images=0, sha256="", source="a benchmark")
    nodes = find_tensors(seen.program)
    recipes = {name: choose_scales(seen, sha256, calibration, observers=name) for name in OBSERVERS}

    def cost(recipe: Recipe, only: Callable[[str], bool] = lambda name: True) -> float:
        names = [row.tensor for row in recipe.activations + recipe.weights if only(row.tensor)]
        outputs = simulate(seen.program, recipe, pixels, names)
        return float(np.abs(outputs["quality"] - reference).mean())

    costs: Costs = {}
    for kind in dict.fromkeys(kind_of(nodes[row.tensor]) for row in recipes["mse"].activations):
        if kind in OBSERVER_OF_KIND:
            costs[kind] = {
                name: cost(recipe.model_copy(update={"weights": ()}), lambda n, k=kind: kind_of(nodes[n]) == k)  # type: ignore[misc]
                for name, recipe in recipes.items()
            }
    weights = {name: choose_scales(seen, sha256, calibration, weights=name) for name in WEIGHT_OBSERVERS}
    costs["weights"] = {name: cost(row.model_copy(update={"activations": ()})) for name, row in weights.items()}
    costs["whole"] = {name: cost(recipe) for name, recipe in recipes.items()}
    costs["whole"]["chosen"] = cost(choose_scales(seen, sha256, calibration))
    return costs


def make_table(costs: Costs, chosen: dict[str, str]) -> Table:
    """Lay the figures out; what is chosen has a star."""
    names = list(dict.fromkeys(name for row in costs.values() for name in row))
    made = Table(title="mean |Δ| of the labels' probabilities, × 1000")
    made.add_column("held as int8")
    for name in names:
        made.add_column(name, justify="right")
    for kind, row in costs.items():
        cells = (f"{1000 * row[n]:.2f}{'*' if chosen.get(kind) == n else ''}" if n in row else "" for n in names)
        made.add_row(kind, *cells)
    return made


if __name__ == "__main__":
    sys.exit(main())
