"""Run a captured graph from the middle: what lies before a changed layer is computed once for all that lie after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from imageqx_export.quantize.graph.capture import HAS_WEIGHT, find_tensors, kind_of
from imageqx_export.quantize.graph.interpreter import HookedInterpreter, TensorHook
from imageqx_export.quantize.recipe import Recipe

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

Values = Mapping["Node", Any]


def find_layers(program: GraphModule, recipe: Recipe) -> dict[str, tuple[str, ...]]:
    """Return the recipe's layers, in the graph's order, each with the names of its operations.

    A layer is an operation with a weight, named after it, and what follows it up to the next one; what comes before
    the first is a layer of its own.
    """
    rounded = {row.tensor for row in recipe.activations} | {row.tensor for row in recipe.weights}
    found: dict[str, list[str]] = {}
    layer = ""
    for name, node in find_tensors(program).items():
        if name in rounded:
            layer = name if kind_of(node) in HAS_WEIGHT or not layer else layer
            found.setdefault(layer, []).append(name)
    return {layer: tuple(names) for layer, names in found.items()}


def group_by_block(names: Mapping[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return layers in groups, one a block of the network: few values are alive where a block begins."""
    found: dict[str, list[str]] = {}
    for layer in names:
        found.setdefault(layer.split(":")[0].split(".block.")[0], []).append(layer)
    return [tuple(group) for group in found.values()]


class PartialInterpreter:
    """An interpreter of a graph's part from one operation on.

    Args:
        program: A captured graph; not changed.
        first: The name of the first operation to run again and again.
    """

    def __init__(self, program: GraphModule, first: str) -> None:
        self._program = program
        nodes = list(program.graph.nodes)
        before = nodes[: nodes.index(find_tensors(program)[first])]
        inside = set(before)
        # Parameters are looked up anew in each run, as a run may bring its own.
        self._before = [node for node in before if node.op != "get_attr"]
        self._parameters = [node for node in before if node.op == "get_attr"]
        self._alive = {node for node in self._before if any(user not in inside for user in node.users)}

    def reach(self, batch: Tensor) -> Values:
        """Return the float network's values that the rest needs, for uint8 [N,H,W,3]; the others as None."""
        run = HookedInterpreter(self._program, lambda name, value: None)
        run.args_iter = iter(self._program.graph.process_inputs(batch))
        run.env = {node: run.run_node(node) for node in self._parameters}
        for node in self._before:
            run.env[node] = run.run_node(node)
            for done in run.user_to_last_uses.get(node, []):
                run.env[done] = None
        return {node: run.env[node] if node in self._alive else None for node in self._before}

    def run(
        self, values: Values, hook: TensorHook, parameters: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, ...]:
        """Run the rest.

        Args:
            values: What :meth:`reach` returned.
            hook: As for :class:`HookedInterpreter`.
            parameters: Likewise.
        """
        run = HookedInterpreter(self._program, hook, parameters)
        outputs: tuple[Tensor, ...] = run.run(initial_env=dict(values), enable_io_processing=False)
        return outputs
