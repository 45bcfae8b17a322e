"""Capture the phone's graph for quantization: every operation has a name that a person finds again in the network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from imageqx_export.errors import ArtifactError
from imageqx_export.networks.base import Layout
from imageqx_export.quantize.recipe import Rewrites
from imageqx_export.quantize.rewrites.entry import fold_normalisation
from imageqx_export.quantize.rewrites.equalise import equalise, iterate_swishes
from imageqx_export.quantize.rewrites.excitation import fold_excitations, iterate_squeezes
from imageqx_export.quantize.rewrites.rectify import rectify

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

    from imageqx_export.networks.base import Network, PhoneGraph

# What computes a new tensor that a runtime can hold as integers; anything else copies, reshapes or casts.
QUANTIZABLE = {
    torch.ops.aten.conv2d.default: "conv",
    torch.ops.aten.linear.default: "linear",
    torch.ops.aten.sigmoid.default: "sigmoid",
    torch.ops.aten.mul.Tensor: "mul",
    torch.ops.aten.mean.dim: "mean",
    torch.ops.aten.add_.Tensor: "add",
    torch.ops.aten.add.Tensor: "add",
    torch.ops.aten.div.Tensor: "input",
    torch.ops.aten.relu.default: "relu",
    torch.ops.aten.max_pool2d.default: "pool",
}
KEEPS_SCALE = ("relu", "pool")
"""What gives integers that it reads, or 0: it has the scale of what it reads."""
_HEADS = "heads"
NO_REWRITES = Rewrites()
HAS_WEIGHT = ("conv", "linear")
OUTPUTS = "outputs"
"""The key of a captured graph's ``meta`` that has the names of its outputs, in order."""
HEADS = "heads"
"""The key of a captured graph's ``meta`` that has :attr:`PhoneGraph.HEADS`."""


class Swish(nn.Module):
    """SiLU spelt out as x · sigmoid(x), which integer kernels have; ``aten.silu`` they have not."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x · sigmoid(x)."""
        return x * x.sigmoid()


def capture(
    network: Network,
    layout: Layout = "NHWC",
    batch: int | None = 1,
    rewrites: Rewrites = NO_REWRITES,
) -> GraphModule:
    """Capture ``network`` as a graph of aten operations: BatchNorm and normalisation folded, SiLU spelt out.

    Args:
        network: The trained network; copied, not changed.
        layout: ``"NHWC"`` for uint8 [N,H,W,3], ``"NCHW"`` for float32 [N,3,H,W] in 0…255.
        batch: N, or None for any.
        rewrites: What is changed before: see :func:`equalise`, :func:`fold_excitations` and :func:`rectify`.

    Returns:
        A graph that maps pixels to the ModelSpec's outputs. Each node's ``meta["tensor"]`` is its name
        where :data:`QUANTIZABLE` has its operation: the module's path, a colon, and the operation.
    """
    graph = network.fold(layout)
    if misfits := list_misfits(graph, rewrites):
        raise explain_misfits(misfits)
    equalise(graph, rewrites.channels)
    rectify(graph, rewrites.relus)
    fold_excitations(graph, rewrites.excitations)
    _spell_out_swish(graph)
    fold_normalisation(graph, batch or 1)
    height, width = graph.preprocessing.height, graph.preprocessing.width
    shape = (height, width, 3) if layout == "NHWC" else (3, height, width)
    # Two: torch.export takes a size of one for a constant.
    example = torch.zeros(2 if batch is None else batch, *shape, dtype=torch.uint8)
    names = [output.name for output in network.spec.outputs]
    program = trace(graph, example if layout == "NHWC" else example.float(), names, any_batch=batch is None)
    program.meta[HEADS] = graph.HEADS
    return program


def list_misfits(graph: PhoneGraph, rewrites: Rewrites) -> list[str]:
    """Return the rows of ``rewrites`` whose module the graph does not have, or has with other channels.

    Args:
        graph: With BatchNorm folded, and nothing rewritten.
        rewrites: A recipe's.
    """
    swishes = {place.path: place.before.out_channels for place in iterate_swishes(graph)}
    blocks = {path: following.in_channels for path, following in iterate_squeezes(graph)}
    rows = [(row.module, len(row.scales), swishes) for row in rewrites.channels]
    rows += [(row.module, swishes.get(row.module, 0), swishes) for row in rewrites.relus]
    rows += [(row.module, len(row.values), blocks) for row in rewrites.excitations]
    return [
        name if name not in known else f"{name} with {count} channels, not {known[name]}"
        for name, count, known in rows
        if known.get(name) != count
    ]


def explain_misfits(rows: list[str]) -> ArtifactError:
    """Return the error of a recipe with rows that the network does not have."""
    return ArtifactError(
        "a recipe for another network",
        where=rows[0],
        expected="all tensors of this one, and no others",
        got=", ".join(rows[:3]) + (f" and {len(rows) - 3} more" if len(rows) > 3 else ""),
        remedy="imageqx quantize",
    )


def trace(module: nn.Module, example: Tensor, outputs: Iterable[str], *, any_batch: bool) -> GraphModule:
    """Capture a module that takes pixels, and name its tensors as :func:`capture` does.

    Args:
        module: In eval mode.
        example: Pixels of the shape that it takes.
        outputs: The names of what it returns.
        any_batch: Whether the first axis may have any length.
    """
    dynamic = ({0: torch.export.Dim("batch", min=1, max=4096)},) if any_batch else None
    captured = torch.export.export(module, (example,), dynamic_shapes=dynamic)
    program = captured.module(check_guards=False)
    _name_tensors(program)
    program.meta[OUTPUTS] = tuple(outputs)
    return program


def _spell_out_swish(module: nn.Module) -> int:
    """Put a :class:`Swish` in the place of every SiLU, in place, and return how many there were."""
    found = 0
    for name, child in list(module.named_children()):
        if isinstance(child, nn.SiLU):
            setattr(module, name, Swish())
            found += 1
        else:
            found += _spell_out_swish(child)
    return found


def _name_tensors(program: GraphModule) -> int:
    """Write every quantizable node's name into its ``meta``, in place, and return how many there are."""
    seen: Counter[str] = Counter()
    for node in program.graph.nodes:
        kind = kind_of(node)
        if kind is None:
            continue
        path = _find_module_path(node)
        if path == _HEADS and kind in KEEPS_SCALE:  # of what stays float: there is nothing to decide
            continue
        name = f"{path}:{kind}"
        seen[name] += 1
        node.meta["tensor"] = name if seen[name] == 1 else f"{name}{seen[name]}"
    return seen.total()


def _find_module_path(node: Node) -> str:
    stack: dict[str, tuple[str, Any]] = node.meta.get("nn_module_stack", {})
    return (list(stack.values())[-1][0] if stack else "") or _HEADS


def kind_of(node: Node) -> str | None:
    """Return what :data:`QUANTIZABLE` calls the node's operation, or None."""
    return QUANTIZABLE.get(node.target) if node.op == "call_function" else None  # type: ignore[call-overload]


def find_tensors(program: GraphModule) -> dict[str, Node]:
    """Return the named nodes, in the graph's order."""
    return {node.meta["tensor"]: node for node in program.graph.nodes if "tensor" in node.meta}
