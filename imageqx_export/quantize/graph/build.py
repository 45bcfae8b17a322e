"""Build the quantized graph of a network from its recipe: what every exporter translates."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from imageqx_export.quantize.graph.capture import HAS_WEIGHT, capture, explain_misfits, find_tensors, kind_of
from imageqx_export.quantize.recipe import ACTIVATION_LEVELS, Recipe

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

    Raises:
        ArtifactError: A row is of no tensor of the graph, or has another number of channels, or a tensor has no row.
    """
    program = capture(network, layout, batch, recipe.rewrites)
    if misfits := _list_misfits(program, recipe):
        raise explain_misfits(misfits)
    round_biases(program, recipe)
    return program


def _list_misfits(program: GraphModule, recipe: Recipe) -> list[str]:
    """Return the rows whose tensor the graph does not have, or has with other channels, and the tensors without a row.

    What a recipe does not name would stay float without anybody having decided it.
    """
    nodes = find_tensors(program)
    parameters = dict(program.named_parameters()) | dict(program.named_buffers())
    names = [row.tensor for row in recipe.activations] + [row.tensor for row in recipe.floats]
    rows = [name for name in names if name not in nodes]
    for row in recipe.weights:
        node = nodes.get(row.tensor)
        if node is None or kind_of(node) not in HAS_WEIGHT:
            rows.append(row.tensor)
            continue
        weight = parameters[str(node.all_input_nodes[1].target)]
        if len(weight) != len(row.scales):
            rows.append(f"{row.tensor} with {len(row.scales)} channels, not {len(weight)}")
    floats = {row.tensor for row in recipe.floats}
    decided = {
        "weights": floats | {row.tensor for row in recipe.weights},
        "activations": floats | {row.tensor for row in recipe.activations},
    }
    for name, node in nodes.items():
        wanted = ["weights"] if kind_of(node) in HAS_WEIGHT else []
        wanted += ["activations"] if recipe.precision == "w8a8" else []
        rows += [f"{name}, which neither {field} nor floats names" for field in wanted if name not in decided[field]]
    return rows


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
        recipe = drop_idle_relus(program, recipe)
        prepared = prepare_pt2e(program, RecipeQuantizer(recipe, biases=biases))
        built: GraphModule = convert_pt2e(prepared, fold_quantize=fold)
    return built


def drop_idle_relus(program: GraphModule, recipe: Recipe) -> Recipe:
    """Leave out each ReLU of integers whose lowest level is 0 already, in place, and return the recipe without them.

    Rounding to int8 clips there, so that such a ReLU changes no integer; runtimes would run it, or not fuse around it.

    Args:
        program: From :func:`capture_for_recipe`.
        recipe: Its recipe.
    """
    rows, dropped = {row.tensor: row for row in recipe.activations}, set()
    for name, node in find_tensors(program).items():
        if kind_of(node) != "relu" or name not in rows:
            continue
        source = node.all_input_nodes[0]
        held = rows.get(source.meta.get("tensor", ""))
        if held is not None and held.zero_point == ACTIVATION_LEVELS[0]:
            node.replace_all_uses_with(source)
            program.graph.erase_node(node)
            dropped.add(name)
    program.recompile()
    kept = tuple(row for row in recipe.activations if row.tensor not in dropped)
    return recipe.model_copy(update={"activations": kept})
