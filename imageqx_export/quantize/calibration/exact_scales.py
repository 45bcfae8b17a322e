"""Choose steps so that sums and means of integers are exact, and the same in every runtime.

With three steps an addition needs two factors and a rounding, and runtimes differ there: XNNPACK shifts fixed-point
products, ONNX Runtime multiplies in float32. With one step there is nothing to round: the sum is the integers' own.

A mean's factor is input step / output step / count. ONNX Runtime multiplies by it; XNNPACK multiplies by input step ·
1/count, rounds to float32, and divides by the output step: one mean in 500,000 was another integer. With an output step
that is a power of 2, the division rounds nothing; and of neighbouring input steps one has the same quotient both ways.
XNNPACK moreover adds up the integers with their zero point and takes that off once more in float32, behind the factor:
16.5 and 9.49999 became 17 and 10. Of neighbouring input steps one has no sums on a half, or so near it.

A product's integer is rounded and then moved by the zero point, but by MLAS the other way about. That is the same but
where the product lies on a half, which goes to the even side, or so near it that the sum does in float32: of steps as
15 to 14, one product in 1400. Of neighbouring steps one has no such products.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imageqx_export.quantize.graph.capture import KEEPS_SCALE, find_tensors, kind_of
from imageqx_export.quantize.recipe import ACTIVATION_LEVELS, ActivationScale
from imageqx_export.quantize.rewrites.equalise import GATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch.fx import GraphModule, Node

_TRIED = 32  # a step grows by one part in 1024 or 2048 each time


def make_steps_exact(program: GraphModule, rows: Iterable[ActivationScale]) -> tuple[ActivationScale, ...]:
    """Return the rows with one step for all that a sum adds and gives, and with means and products that round alike.

    A step only grows: a sum's to the widest of its group, a mean's to the next power of 2, and a product's, or what a
    mean reads, by a few of float16's last digits.

    Args:
        program: The captured graph.
        rows: One per int8 tensor, in the graph's order; what a mean reads is in no sum.
    """
    scales, nodes = {row.tensor: row for row in rows}, find_tensors(program)
    group = group_sums(program, scales)
    widest: dict[str, float] = {}
    for name, leader in group.items():
        widest[leader] = max(widest.get(leader, 0.0), scales[name].scale)
    found = {name: _widen(row, widest[group[name]]) for name, row in scales.items()}
    means: dict[str, _Mean] = {}
    for name in (n for n in scales if kind_of(nodes[n]) == "mean"):
        source = _find_scaled(nodes[name].all_input_nodes[0])
        if source.meta.get("tensor", "") in found:
            _, _, *size = nodes[name].all_input_nodes[0].meta["val"].shape
            found[name] = _widen(found[name], 2.0 ** math.ceil(math.log2(found[name].scale)))
            means[source.meta["tensor"]] = _Mean(found[name], math.prod(size))
    for name, node in nodes.items():
        if name in found and (name in means or kind_of(node) == "mul"):
            read = [source.meta.get("tensor", "") for source in node.all_input_nodes] if kind_of(node) == "mul" else []
            factors = [found.get(source, GATE) for source in (read[0], read[-1])] if read else []
            found[name] = _find_next_step(found[name], means.get(name), factors)
    for name, node in nodes.items():
        if name in found and kind_of(node) in KEEPS_SCALE:
            found[name] = found[_find_scaled(node).meta["tensor"]].model_copy(update={"tensor": name})
    return tuple(found.values())


def _find_scaled(node: Node) -> Node:
    """Return the node whose scale a node has: itself, or what a ReLU or a pool reads."""
    while kind_of(node) in KEEPS_SCALE:
        node = node.all_input_nodes[0]
    return node


def group_sums(program: GraphModule, names: Iterable[str]) -> dict[str, str]:
    """Return each int8 tensor's group, by the name of one of its members: all that is added up has one step.

    Args:
        program: The captured graph.
        names: The int8 tensors' names, in the graph's order.
    """
    group = {name: name for name in names}
    for name, node in find_tensors(program).items():
        if name not in group or kind_of(node) not in ("add", *KEEPS_SCALE):
            continue
        joined = {group[n.meta["tensor"]] for n in node.all_input_nodes if n.meta.get("tensor") in group}
        for member, leader in group.items():
            if leader in joined:
                group[member] = group[name]
    return group


@dataclass(frozen=True)
class _Mean:
    """What a mean gives, and over how many integers."""

    row: ActivationScale
    count: int


def _find_next_step(row: ActivationScale, mean: _Mean | None, factors: Sequence[ActivationScale]) -> ActivationScale:
    """Return a row with the least step, of float16, from its own on, that is divisible and rounds products alike.

    Where a mean reads it, of the first few such steps the one with the fewest sums that are rounded in two ways: of
    thousands of pixels every step has some.

    Args:
        row: A tensor's.
        mean: The mean of it; None where there is none.
        factors: Of a product both; else nothing.
    """
    step, best, fewest = np.float16(row.scale), row, math.inf
    for _ in range(1 if mean is None else _TRIED):
        while not (_divides_alike(step, mean) and (not factors or _rounds_alike(row, np.float32(step), *factors))):
            step = np.nextafter(step, np.float16(np.inf))
        wider = _widen(row, float(step))
        split = 0 if mean is None else _count_split_sums(wider, mean)
        if split < fewest:
            best, fewest = wider, split
        if not split:
            break
        step = np.nextafter(step, np.float16(np.inf))
    return best


def _divides_alike(step: np.float16, mean: _Mean | None) -> bool:
    """Whether ÷ count and × 1/count make the same float32."""
    n = np.float32(1 if mean is None else mean.count)
    return bool(np.float32(step) / n == np.float32(step) * (1 / n))


def _count_split_sums(row: ActivationScale, mean: _Mean) -> int:
    """Return how many sums, of all that a mean can meet and does not clip, are two integers in two runtimes.

    MLAS subtracts the zero point from the integers, multiplies and rounds. XNNPACK multiplies their sum as it is, and
    adds in float32 what brings both zero points into place (its ``qs8-rsum``, as version 2.3 of LiteRT runs it).
    """
    factor = np.float32(row.scale) / np.float32(mean.count) / np.float32(mean.row.scale)
    (least, most), zero, shift = ACTIVATION_LEVELS, mean.row.zero_point, row.zero_point * mean.count
    clipped = (float((level - zero) / factor) for level in (least - 1, most + 1))
    low, high = (level * mean.count - shift for level in (least, most))
    first, last = math.ceil(max(low, next(clipped))), math.floor(min(high, next(clipped)))
    sums = np.arange(first, last + 1)
    apart = np.rint(sums.astype(np.float32) * factor) + zero
    together = np.rint((sums + shift).astype(np.float32) * factor + (np.float32(zero) - np.float32(shift) * factor))
    return int((np.clip(apart, least, most) != np.clip(together, least, most)).sum())


def _rounds_alike(row: ActivationScale, step: np.float32, first: ActivationScale, second: ActivationScale) -> bool:
    """Whether every product is the same integer, rounded before or after the zero point is added."""
    least, most = ACTIVATION_LEVELS
    a, b = (np.arange(least, most + 1, dtype=np.float32) - factor.zero_point for factor in (first, second))
    real = np.unique(np.outer(a, b)) * (np.float32(first.scale) * np.float32(second.scale) / step)
    above = np.float32(row.zero_point - least)  # as uint8
    inside = real[(real + above >= -1) & (real + above <= most - least + 1)]
    return bool((np.rint(inside + above) == np.rint(inside) + above).all())


def _widen(row: ActivationScale, scale: float) -> ActivationScale:
    """Return a row with a wider step, the middle of its range where it was; a range that begins at 0 goes on to."""
    if scale == row.scale:
        return row
    if row.zero_point == ACTIVATION_LEVELS[0]:
        return row.model_copy(update={"scale": scale})
    zero_point = int(np.clip(np.rint(sum(ACTIVATION_LEVELS) / 2 - sum(row.ends) / 2 / scale), *ACTIVATION_LEVELS))
    return row.model_copy(update={"scale": scale, "zero_point": zero_point})
