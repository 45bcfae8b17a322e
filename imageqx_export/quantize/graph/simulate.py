"""Run a recipe without building it: the float graph, with every value rounded where the recipe would hold integers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from imageqx_export.artifact import Outputs, Pixels
from imageqx_export.quantize.graph.capture import OUTPUTS, find_tensors
from imageqx_export.quantize.graph.interpreter import HookedInterpreter, TensorHook, run_in_batches
from imageqx_export.quantize.recipe import ACTIVATION_LEVELS, WEIGHT_LEVELS, ActivationScale, Recipe, WeightScales
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    from torch.fx import GraphModule


def simulate(
    program: GraphModule,
    recipe: Recipe | None,
    pixels: Pixels,
    only: Iterable[str] | None = None,
    *,
    progress: Progress = silent,
) -> Outputs:
    """Return the outputs of the quantized network, to float32's rounding those of the built graph.

    Biases are left in float32: int32 with scale input × weight rounds them by less than 1e-4 of a step.

    Args:
        program: The captured float graph for any batch, NHWC, with the recipe's rewrites; not changed.
        recipe: What to round; None for nothing, which gives the float network's outputs.
        pixels: uint8 [N,H,W,3].
        only: Names of the operations that are quantized, with their weight and their output; None for all.
        progress: Opens a bar over batches.
    """
    run = HookedInterpreter(program, *prepare_rounding(program, recipe, only))
    return join_outputs(program, run_in_batches(run, pixels, "running", progress=progress))


def join_outputs(program: GraphModule, rows: list[tuple[Tensor, ...]]) -> Outputs:
    """Return batches' outputs as one."""
    return {name: np.concatenate([row[i].numpy() for row in rows]) for i, name in enumerate(program.meta[OUTPUTS])}


def prepare_rounding(
    program: GraphModule, recipe: Recipe | None, only: Iterable[str] | None = None
) -> tuple[TensorHook, dict[str, Tensor]]:
    """Return what rounds a recipe's activations, and its rounded weights by their name in the graph.

    Args:
        program: The captured float graph.
        recipe: What to round; None for nothing.
        only: As for :func:`simulate`.
    """
    chosen = None if only is None else set(only)
    rows = () if recipe is None else recipe.activations
    scales = {row.tensor: row for row in rows if chosen is None or row.tensor in chosen}
    weights = () if recipe is None else recipe.weights

    def hook(name: str, value: Tensor) -> Tensor | None:
        return round_activation(value, scales[name]) if name in scales else None

    parameters = round_weights(program, [row for row in weights if chosen is None or row.tensor in chosen])
    return hook, parameters


def round_activation(value: Tensor, row: ActivationScale) -> Tensor:
    """Return the values that int8 can hold, rounded as PT2E's quantize operation rounds."""
    low, high = (level - row.zero_point for level in ACTIVATION_LEVELS)
    # fake_quantize_per_tensor_affine gives the same up to ties, and takes five times as long.
    return value.mul(1 / row.scale).round_().clamp_(low, high).mul_(row.scale)


def round_weights(program: GraphModule, rows: Iterable[WeightScales]) -> dict[str, Tensor]:
    """Return weights on their int8 grids, by their name in the captured graph."""
    nodes = find_tensors(program)
    parameters = dict(program.named_parameters()) | dict(program.named_buffers())
    found = {}
    for row in rows:
        target = str(nodes[row.tensor].args[1].target)  # type: ignore[union-attr]
        scales = torch.tensor(row.scales)
        zeros = torch.zeros(len(scales), dtype=torch.int32)
        found[target] = torch.fake_quantize_per_channel_affine(
            parameters[target].detach(), scales, zeros, 0, *WEIGHT_LEVELS
        )
    return found
