"""Build the quantized graph of a network from its recipe: what every exporter translates."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from imageqx_export.quantize.graph.capture import capture, find_tensors
from imageqx_export.quantize.recipe import Recipe

if TYPE_CHECKING:
    from torch.fx import GraphModule

    from imageqx_export.networks.base import Layout, Network


def capture_for_recipe(
    network: Network, recipe: Recipe, *, layout: Layout = "NHWC", batch: int | None = 1
) -> GraphModule:
    """Capture the float graph that a recipe quantizes: rewritten, and biases as float16 (see :func:`round_biases`).

    Args:
        network: The trained network, eval mode.
        recipe: What is done to it.
        layout: As for :func:`capture`.
        batch: Likewise.
    """
    program = capture(network, layout, batch, recipe.rewrites)
    round_biases(program, recipe)
    return program


def round_biases(program: GraphModule, recipe: Recipe) -> int:
    """Round biases that become int32 to float16, in place, and return how many there are.

    Core ML's float16 convolutions hold them so, and every format must have the same integers. A bias moves by 2⁻¹² of
    itself at most, a 30th of an output's step.

    Args:
        program: From :func:`capture`.
        recipe: Says which operations are int8.
    """
    rounded = 0
    nodes, int8 = find_tensors(program), {row.tensor for row in recipe.activations}
    for row in recipe.weights:
        inputs = nodes[row.tensor].all_input_nodes
        if row.tensor in int8 and inputs[0].meta.get("tensor") in int8 and len(inputs) > 2:
            bias = program.get_parameter(str(inputs[2].target))
            bias.data = bias.detach().half().float()
            rounded += 1
    return rounded


def build_graph(
    network: Network,
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

        from imageqx_export.quantize.graph.annotate import RecipeQuantizer

        program = capture_for_recipe(network, recipe, layout=layout, batch=batch)
        prepared = prepare_pt2e(program, RecipeQuantizer(recipe, biases=biases))
        built: GraphModule = convert_pt2e(prepared, fold_quantize=fold)
    return built
