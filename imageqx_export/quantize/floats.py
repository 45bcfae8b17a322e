"""Which operations stay float, and why: the heads in every recipe, the early stages where only weights are integers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageqx_export.networks.base import EARLY
from imageqx_export.quantize.graph.capture import HAS_WEIGHT, HEADS, find_tensors, kind_of
from imageqx_export.quantize.recipe import FloatOperation

if TYPE_CHECKING:
    from torch.fx import GraphModule

# The heads read one pooled vector and give the probabilities themselves, which 256 steps of a logit would coarsen.
HEADS_REASON = "a head: few multiplications, and its integers would be steps in a probability"
# Measured of ImageQX: on 300 validation samples int8 weights move a label's probability by 0.0054, and by 0.0020
# without those of the early stages (a reason's by 0.0059 and 0.0018); w8a8 has integers there too, and is fine-tuned.
EARLY_REASON = "an early stage: they have {:.1%} of the weights, and what is rounded there goes through all that follow"


def is_in_head(program: GraphModule, name: str) -> bool:
    """Whether a tensor is a head's: what comes after the pooled vector."""
    return name.split(":")[0] in program.meta[HEADS] or (name.startswith("heads:") and name != "heads:mean")


def list_heads(program: GraphModule) -> tuple[FloatOperation, ...]:
    """Return the heads' operations."""
    return tuple(
        FloatOperation(tensor=name, reason=HEADS_REASON) for name in find_tensors(program) if is_in_head(program, name)
    )


def is_early(tensor: str) -> bool:
    """Whether a tensor is one of the early stages, by its name."""
    return tensor.startswith(f"{EARLY}.")


def list_early(program: GraphModule) -> tuple[FloatOperation, ...]:
    """Return the early stages' operations with a weight."""
    parameters = dict(program.named_parameters()) | dict(program.named_buffers())
    sizes = {
        name: parameters[node.args[1].target].numel()  # type: ignore[union-attr,index]
        for name, node in find_tensors(program).items()
        if kind_of(node) in HAS_WEIGHT
    }
    early = {name: size for name, size in sizes.items() if is_early(name)}
    reason = EARLY_REASON.format(sum(early.values()) / sum(sizes.values()))
    return tuple(FloatOperation(tensor=name, reason=reason) for name in early)
