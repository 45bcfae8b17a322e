"""Run a captured graph and look at its tensors on the way: what observing, simulating and learning stand on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, fx

from imageqx_export.artifact import Pixels
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

BATCH = 8
TensorHook = Callable[[str, Tensor], Tensor | None]


class HookedInterpreter(fx.Interpreter):
    """An interpreter of a captured graph whose hook sees every named tensor, and may return another in its place.

    Args:
        program: A captured graph; not changed.
        hook: Sees each named tensor.
        parameters: Parameters to use in place of the graph's own, by their name in it.
    """

    def __init__(self, program: GraphModule, hook: TensorHook, parameters: Mapping[str, Tensor] | None = None) -> None:
        super().__init__(program, garbage_collect_values=True)
        self._hook = hook
        self._parameters = parameters or {}

    def run_node(self, node: Node) -> Any:
        """Run one node."""
        if node.op == "get_attr" and node.target in self._parameters:
            return self._parameters[str(node.target)]
        value = super().run_node(node)
        name = node.meta.get("tensor")
        other = None if name is None else self._hook(name, value)
        return value if other is None else other


def split_into_batches(pixels: Pixels, size: int = BATCH) -> Iterator[Tensor]:
    """Yield uint8 tensors of up to ``size`` images."""
    for start in range(0, len(pixels), size):
        yield torch.from_numpy(np.ascontiguousarray(pixels[start : start + size]))


def run_in_batches(
    interpreter: fx.Interpreter, pixels: Pixels, title: str, *, progress: Progress = silent
) -> list[tuple[Tensor, ...]]:
    """Run an interpreter over images, without gradients, and return each batch's outputs.

    Args:
        interpreter: Of a captured graph for any batch, NHWC.
        pixels: uint8 [N,H,W,3].
        title: Of the bar.
        progress: Opens a bar over batches.
    """
    rows = []
    with torch.inference_mode(), progress(title, -(-len(pixels) // BATCH)) as advance:
        for batch in split_into_batches(pixels):
            rows.append(interpreter.run(batch))
            advance()
    return rows
