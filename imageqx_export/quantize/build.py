"""Build the quantized graph of a network from its recipe: what every exporter translates."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from imageqx_export.quantize.capture import capture
from imageqx_export.quantize.recipe import Recipe

if TYPE_CHECKING:
    from torch.fx import GraphModule

    from imageqx_export.export.graph import Layout
    from imageqx_export.networks.imageqx import ImageQX


def build(
    network: ImageQX,
    recipe: Recipe,
    *,
    layout: Layout = "NHWC",
    batch: int | None = 1,
    fold: bool = True,
    biases: bool = True,
) -> GraphModule:
    """Return the network with quantize and dequantize operations where the recipe says.

    Args:
        network: The trained network, eval mode.
        recipe: What to quantize, and how.
        layout: As for :func:`capture`.
        batch: Likewise.
        fold: Whether weights are stored as int8; if not, as float32 with a quantize operation, which some converters
            want to fold themselves.
        biases: Whether biases are int32.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchao warns of its own insides, when it is imported and when it runs
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

        from imageqx_export.quantize.annotate import RecipeQuantizer

        program = capture(network, layout, batch, recipe.channel_scales, recipe.bias_shifts)
        prepared = prepare_pt2e(program, RecipeQuantizer(recipe, biases=biases))
        built: GraphModule = convert_pt2e(prepared, fold_quantize=fold)
    return built
