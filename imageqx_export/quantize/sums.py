"""Give what is added up one step, so that an integer sum is exact, and the same in every runtime.

With three steps an addition needs two factors and a rounding, and runtimes differ there: XNNPACK shifts fixed-point
products, ONNX Runtime multiplies in float32. With one step there is nothing to round: the sum is the integers' own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imageqx_export.quantize.capture import kind_of, tensors
from imageqx_export.quantize.recipe import ACTIVATION_LEVELS, ActivationScale

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch.fx import GraphModule


def with_equal_steps(program: GraphModule, rows: Iterable[ActivationScale]) -> tuple[ActivationScale, ...]:
    """Return the rows with the widest step of each sum for all that it adds and gives; other rows stay.

    Args:
        program: The captured graph.
        rows: One per int8 tensor, in the graph's order.
    """
    given = {row.tensor: row for row in rows}
    group = {name: name for name in given}
    for name, node in tensors(program).items():
        if name not in given or kind_of(node) != "add":
            continue
        joined = {group[n.meta["tensor"]] for n in node.all_input_nodes if n.meta.get("tensor") in given}
        for member, leader in group.items():
            if leader in joined:
                group[member] = group[name]
    widest: dict[str, float] = {}
    for name, leader in group.items():
        widest[leader] = max(widest.get(leader, 0.0), given[name].scale)
    return tuple(_widened(row, widest[group[row.tensor]]) for row in given.values())


def _widened(row: ActivationScale, scale: float) -> ActivationScale:
    """Return a row with a wider step, the middle of its range where it was."""
    if scale == row.scale:
        return row
    low, high = ((level - row.zero_point) * row.scale for level in ACTIVATION_LEVELS)
    zero_point = int(np.clip(np.rint(sum(ACTIVATION_LEVELS) / 2 - (low + high) / 2 / scale), *ACTIVATION_LEVELS))
    return row.model_copy(update={"scale": scale, "zero_point": zero_point})
