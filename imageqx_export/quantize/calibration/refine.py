"""Choose ranges by what the network answers: the tensors that cost most, one at a time, narrowed while it helps.

An observer sees one tensor's values and not what becomes of them. A convolution's values below −1.5 all give nearly the
same SiLU, and a few pixels' brightest values are not worth a coarser step for all others; what an int8 tensor costs is
measured here where it counts, in the network's answers, with everything else in float.

Source: the criterion is distillation's (see :mod:`imageqx_export.quantize.distillation`); choosing steps by a network's
loss instead of a tensor's error: Nahshan et al., "Loss Aware Post-Training Quantization", Machine Learning 110, 2021.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from imageqx_export.artifact import Outputs, Pixels
from imageqx_export.quantize.calibration.exact_scales import group_sums, make_steps_exact
from imageqx_export.quantize.calibration.ranges import make_activation_scale
from imageqx_export.quantize.distillation import Answers, compute_distillation_loss
from imageqx_export.quantize.graph.simulate import simulate
from imageqx_export.quantize.recipe import ActivationScale, Recipe
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    from torch.fx import GraphModule

OBSERVER = "answers"
# Of a range's upper and of its lower end, while the answers come nearer.
NARROWER = (0.85, 0.7, 0.55, 0.4), (0.6, 0.3, 0.15, 0.08)


def refine_ranges(
    program: GraphModule, recipe: Recipe, pixels: Pixels, count: int, *, progress: Progress = silent
) -> Recipe:
    """Return a recipe with other ranges for the tensors that cost most.

    Args:
        program: The captured float graph for any batch, NHWC, with the recipe's rewrites; not changed.
        recipe: With int8 activations.
        pixels: uint8 [N,H,W,3], of the training distribution; the network runs over them some six times for each
            tensor that is narrowed, and over every fourth of them once for each that there is.
        count: How many tensors, or groups of tensors that are added up and so have one step.
        progress: Opens bars.
    """
    first = _Search(program, recipe, pixels[::4])
    units, costs = list(first.units()), {}
    with progress("what each tensor costs", len(units)) as advance:
        for unit in units:
            costs[unit] = first.cost(unit)
            advance()
    search = _Search(program, recipe, pixels)
    chosen = sorted(units, key=lambda unit: -costs[unit])[:count]
    with progress("narrowing ranges", len(chosen)) as advance:
        for unit in chosen:
            search.narrow(unit)
            advance()
    return recipe.model_copy(update={"activations": search.rows()})


class _Search:
    """A search's state: the scales as they are so far, and what they are measured on."""

    def __init__(self, program: GraphModule, recipe: Recipe, pixels: Pixels) -> None:
        self._program, self._pixels = program, pixels
        self._bare = recipe.model_copy(update={"weights": (), "biases": ()})
        self._rows = {row.tensor: row for row in recipe.activations}
        self._truth = _to_answers(simulate(program, None, pixels))

    def rows(self) -> tuple[ActivationScale, ...]:
        return tuple(self._rows.values())

    def units(self) -> Iterator[tuple[str, ...]]:
        """Yield the tensors that have a step together, in the graph's order; those whose scale is fixed have none."""
        groups: dict[str, list[str]] = {}
        for name, leader in group_sums(self._program, self._rows).items():
            if self._rows[name].observer != "fixed":
                groups.setdefault(leader, []).append(name)
        yield from (tuple(names) for names in groups.values())

    def cost(self, unit: tuple[str, ...], rows: dict[str, ActivationScale] | None = None) -> float:
        """Return how far the answers are from the float network's with these tensors alone in int8."""
        held = self._rows if rows is None else rows
        alone = self._bare.model_copy(update={"activations": tuple(held[name] for name in unit)})
        found = _to_answers(simulate(self._program, alone, self._pixels))
        return float(compute_distillation_loss((found, {}), (self._truth, {})))

    def narrow(self, unit: tuple[str, ...]) -> None:
        """Keep the narrowest range with which the answers only came nearer, first from above, then from below."""
        least = self.cost(unit)
        for end, factors in enumerate(NARROWER):
            start = self._rows
            for factor in factors:
                rows = self._narrow(start, unit, end, factor)
                if rows == self._rows or (cost := self.cost(unit, rows)) >= least:
                    break
                self._rows, least = rows, cost

    def _narrow(
        self, start: dict[str, ActivationScale], unit: tuple[str, ...], end: int, factor: float
    ) -> dict[str, ActivationScale]:
        rows = dict(start)
        for name in unit:
            row = rows[name]
            low, high = row.ends
            within = (low, high * factor) if end == 0 else (low * factor, high)
            rows[name] = make_activation_scale(name, within, OBSERVER)
        return {row.tensor: row for row in make_steps_exact(self._program, rows.values())}


def _to_answers(outputs: Outputs) -> Answers:
    return {name: torch.from_numpy(values) for name, values in outputs.items()}
