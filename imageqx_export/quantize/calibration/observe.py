"""Watch the float graph on calibration images: one histogram a tensor."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from imageqx_export.artifact import Pixels
from imageqx_export.quantize.calibration.observers import BINS, Histogram
from imageqx_export.quantize.graph.interpreter import BATCH, HookedInterpreter, run_in_batches, split_into_batches
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    from torch.fx import GraphModule


def collect_histograms(
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
        pixels: uint8 [N,H,W,3].
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
        for hook in (widen, count):
            run = HookedInterpreter(program, hook)
            for batch in split_into_batches(pixels):
                run.run(batch)
                advance()
    return {name: Histogram(*ends[name], counts[name].numpy().astype(np.int64)) for name in ends}


def collect_values(
    program: GraphModule, pixels: Pixels, what: Mapping[str, Callable[[Tensor], Tensor]], *, progress: Progress = silent
) -> dict[str, Tensor]:
    """Return what is kept of named tensors, one row an image.

    Args:
        program: A captured graph for any batch, NHWC.
        pixels: uint8 [N,H,W,3].
        what: Per tensor, what of it: gets [N,C,H,W], returns [N,…].
        progress: Opens a bar.
    """
    found: dict[str, list[Tensor]] = {name: [] for name in what}

    def hook(name: str, value: Tensor) -> None:
        if name in what:
            found[name].append(what[name](value))

    run_in_batches(HookedInterpreter(program, hook), pixels, "what varies between photos", progress=progress)
    return {name: torch.cat(values) for name, values in found.items()}
