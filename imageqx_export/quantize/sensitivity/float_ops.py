"""Leave operations in float: what an int8 operation reads of them is rounded once, where the two meet."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from imageqx_export.quantize.graph.capture import find_tensors
from imageqx_export.quantize.recipe import FloatOperation, Recipe

if TYPE_CHECKING:
    from torch.fx import GraphModule


def keep_in_float(program: GraphModule, recipe: Recipe, reasons: Mapping[str, str]) -> Recipe:
    """Return a recipe in which some operations stay float.

    Their weights are no longer rounded, and their outputs only where an int8 operation reads them, so that it goes on
    being one.

    Args:
        program: The captured graph.
        recipe: With these operations in int8.
        reasons: Per operation that stays float, why.
    """
    boundary = find_read_by_int8(program, recipe, reasons)
    kept = {row.tensor for row in recipe.activations if row.tensor not in reasons} | boundary
    return recipe.model_copy(
        update={
            "weights": tuple(row for row in recipe.weights if row.tensor not in reasons),
            "activations": tuple(row for row in recipe.activations if row.tensor in kept),
            "floats": (*recipe.floats, *(FloatOperation(tensor=name, reason=why) for name, why in reasons.items())),
        }
    )


def find_read_by_int8(program: GraphModule, recipe: Recipe, floats: Collection[str]) -> set[str]:
    """Return which of the operations that stay float an operation reads that does not."""
    names = {row.tensor for row in recipe.activations} | {row.tensor for row in recipe.weights}
    int8 = names - set(floats)
    nodes = find_tensors(program)
    return {name for name in floats if any(user.meta.get("tensor") in int8 for user in nodes[name].users)}
