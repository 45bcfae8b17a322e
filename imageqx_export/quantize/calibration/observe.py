"""Watch the float graph on calibration images: one histogram a tensor."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, fx

from imageqx_export.artifact import Pixels
from imageqx_export.quantize.calibration.observers import BINS, Histogram
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

BATCH = 8
Watch = Callable[[str, Tensor], Tensor | None]


class Watched(fx.Interpreter):
    """Run a captured graph and show every named tensor to ``watch``, which may return another in its place.

    Args:
        program: A captured graph; not changed.
        watch: Sees each named tensor.
        parameters: Parameters to use in place of the graph's own, by their name in it.
    """

    def __init__(self, program: GraphModule, watch: Watch, parameters: Mapping[str, Tensor] | None = None) -> None:
        super().__init__(program, garbage_collect_values=True)
        self._watch = watch
        self._parameters = parameters or {}

    def run_node(self, node: Node) -> Any:
        """Run one node."""
        if node.op == "get_attr" and node.target in self._parameters:
            return self._parameters[str(node.target)]
        value = super().run_node(node)
        name = node.meta.get("tensor")
        other = None if name is None else self._watch(name, value)
        return value if other is None else other


def batches(pixels: Pixels, size: int = BATCH) -> Iterator[Tensor]:
    """Yield uint8 tensors of up to ``size`` images."""
    for start in range(0, len(pixels), size):
        yield torch.from_numpy(np.ascontiguousarray(pixels[start : start + size]))


def observe(
    program: GraphModule,
    pixels: Pixels,
    floors: Mapping[str, Tensor] | None = None,
    *,
    every: int = 1,
    skip: Container[str] = (),
    progress: Progress = silent,
) -> dict[str, Histogram]:
    """Return what every named tensor held.

    Args:
        program: A captured graph for any batch, NHWC.
        pixels: uint8 [N,224,224,3].
        floors: Per tensor, the value per channel below which nothing matters (float32 [1,C,1,1]); it counts as that.
        every: Of tensors with more than a value a channel, each ``every``-th is counted; the ends are of all values.
        skip: Tensors that are not looked at.
        progress: Opens a bar over two passes: one for the ends, one for the counts.
    """
    ends: dict[str, tuple[float, float]] = {}
    counts: dict[str, Tensor] = {}

    def held(name: str, value: Tensor) -> Tensor:
        value = torch.maximum(value, floors[name]) if floors is not None and name in floors else value
        # As it lies in memory: the channels last.
        return value.permute(0, 2, 3, 1).reshape(-1) if value.dim() == 4 else value.flatten()

    def widen(name: str, value: Tensor) -> None:
        if name not in skip:
            low, high = (float(v) for v in torch.aminmax(held(name, value)))
            known = ends.get(name, (low, high))
            ends[name] = min(low, known[0]), max(high, known[1])

    def count(name: str, value: Tensor) -> None:
        if name not in skip:
            low, high = ends[name]
            some = held(name, value)[:: every if value.shape[2:].numel() > 1 else 1]
            found = torch.histc(some, BINS, low, high if high > low else low + 1e-6)
            counts[name] = found.double() if name not in counts else counts[name] + found

    steps = 2 * -(-len(pixels) // BATCH)
    with torch.inference_mode(), progress("watching the float network", steps) as advance:
        for watch in (widen, count):
            run = Watched(program, watch)
            for batch in batches(pixels):
                run.run(batch)
                advance()
    return {name: Histogram(*ends[name], counts[name].numpy().astype(np.int64)) for name in ends}


def kept(
    program: GraphModule, pixels: Pixels, what: Mapping[str, Callable[[Tensor], Tensor]], *, progress: Progress = silent
) -> dict[str, Tensor]:
    """Return what is kept of named tensors, one row an image.

    Args:
        program: A captured graph for any batch, NHWC.
        pixels: uint8 [N,224,224,3].
        what: Per tensor, what of it: gets [N,C,H,W], returns [N,…].
        progress: Opens a bar.
    """
    found: dict[str, list[Tensor]] = {name: [] for name in what}

    def watch(name: str, value: Tensor) -> None:
        if name in what:
            found[name].append(what[name](value))

    run = Watched(program, watch)
    with torch.inference_mode(), progress("what varies between photos", -(-len(pixels) // BATCH)) as advance:
        for batch in batches(pixels):
            run.run(batch)
            advance()
    return {name: torch.cat(values) for name, values in found.items()}
