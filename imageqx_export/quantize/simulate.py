"""Run a recipe without building it: the float graph, with every value rounded where the recipe would hold integers."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from imageqx_export.quantize.calibrate import Watched, batches
from imageqx_export.quantize.capture import tensors
from imageqx_export.quantize.recipe import ACTIVATION_LEVELS, WEIGHT_LEVELS, Recipe, WeightScales
from imageqx_export.runtimes import Outputs, Pixels

if TYPE_CHECKING:
    from torch.fx import GraphModule

OUTPUTS = ("quality", "explanations", "attention")


def simulate(program: GraphModule, recipe: Recipe, pixels: Pixels, only: Iterable[str] | None = None) -> Outputs:
    """Return the outputs of the quantized network, to float32's rounding those of the built graph.

    Biases are left in float32: int32 with scale input × weight rounds them by less than 1e-4 of a step.

    Args:
        program: The captured float graph for any batch, NHWC, its channels rescaled as the recipe says; not changed.
        recipe: What to round.
        pixels: uint8 [N,224,224,3].
        only: Names of the operations that are quantized, with their weight and their output; None for all.
    """
    chosen = None if only is None else set(only)
    scales = {a.tensor: a for a in recipe.activations if chosen is None or a.tensor in chosen}
    rounded = with_rounded_weights(program, [w for w in recipe.weights if chosen is None or w.tensor in chosen])

    def watch(name: str, value: Tensor) -> Tensor | None:
        row = scales.get(name)
        if row is None:
            return None
        return torch.fake_quantize_per_tensor_affine(value, row.scale, row.zero_point, *ACTIVATION_LEVELS)

    run = Watched(rounded, watch)
    with torch.inference_mode():
        rows = [run.run(batch) for batch in batches(pixels)]
    return {name: np.concatenate([row[i].numpy() for row in rows]) for i, name in enumerate(OUTPUTS)}


def with_rounded_weights(program: GraphModule, weights: Iterable[WeightScales]) -> GraphModule:
    """Return a copy of a captured graph whose weights lie on their int8 grids."""
    rounded = copy.deepcopy(program)
    nodes = tensors(rounded)
    parameters = dict(rounded.named_parameters()) | dict(rounded.named_buffers())
    for row in weights:
        weight = parameters[nodes[row.tensor].args[1].target]  # type: ignore[index,union-attr]
        scales = torch.tensor(row.scales)
        zeros = torch.zeros(len(scales), dtype=torch.int32)
        weight.data = torch.fake_quantize_per_channel_affine(weight.data, scales, zeros, 0, *WEIGHT_LEVELS)
    return rounded
