"""Convolutions and pools: the operators that slide a window over padded space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from imageqx_export.runtimes.mil.node import Kernel, Node

Pads = list[tuple[int, int]]
"""Elements before and after, per dimension."""

_MAX_POOLS = (F.max_pool1d, F.max_pool2d, F.max_pool3d)
_AVG_POOLS = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)


def _make_padding(node: Node) -> Callable[[Tensor, list[int], list[int]], Pads]:
    """Return a function of x [N,C,*D], kernel extents and strides: the padding of each dimension in D.

    ``same`` is TensorFlow's, as coremltools infers shapes and converts TensorFlow's layers: ceil(D/stride)
    outputs, an odd element after (``same``) or before (``same_lower``).
    """
    kind, flat = node.word("pad_type"), node.value("pad") if node.has("pad") else []
    if kind == "custom":
        return lambda x, extents, strides: list(zip(flat[::2], flat[1::2], strict=True))
    if any(flat):
        node.refuse("pad", f"{flat} with pad_type '{kind}'")

    def same(x: Tensor, extents: list[int], strides: list[int]) -> Pads:
        sizes = zip(x.shape[2:], extents, strides, strict=True)
        totals = [max(0, (-(-size // step) - 1) * step + extent - size) for size, extent, step in sizes]
        return [(n // 2, n - n // 2) if kind == "same" else (n - n // 2, n // 2) for n in totals]

    return same if kind != "valid" else lambda x, extents, strides: [(0, 0)] * len(extents)


def pad_tensor(x: Tensor, pads: Pads, value: float) -> Tensor:
    """Return ``x`` with a constant around its last dimensions."""
    flat = [n for pair in reversed(pads) for n in pair]
    return F.pad(x, flat, value=value) if any(flat) else x


def build_conv(node: Node) -> Kernel:
    """Build ``conv``: 1 to 3 spatial dimensions, groups, strides, dilations, all four paddings."""
    node.take("x", "weight", "bias")
    strides, dilations, groups = node.value("strides"), node.value("dilations"), node.value("groups")
    pads_of = _make_padding(node)
    torch_conv: Any = (F.conv1d, F.conv2d, F.conv3d)[len(strides) - 1]

    def convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        extents = [(size - 1) * step + 1 for size, step in zip(weight.shape[2:], dilations, strict=True)]
        pads = pads_of(x, extents, strides)
        even = all(before == after for before, after in pads)
        padding = [before if even else 0 for before, _ in pads]
        result: Tensor = torch_conv(
            x if even else pad_tensor(x, pads, 0.0), weight, bias, strides, padding, dilations, groups
        )
        return result

    return convolve


def build_pool(node: Node) -> Kernel:
    """Build ``max_pool`` or ``avg_pool``: padding is −∞ for the one and 0 for the other."""
    node.take("x")
    sizes, strides, ceil = node.value("kernel_sizes"), node.value("strides"), node.value("ceil_mode")
    pads_of, largest = _make_padding(node), node.kind == "max_pool"
    exclude = not largest and node.value("exclude_padding_from_average")
    torch_pools: Any = _MAX_POOLS if largest else _AVG_POOLS
    torch_pool = torch_pools[len(sizes) - 1]
    options = {} if largest else {"count_include_pad": not exclude}
    if ceil and node.word("pad_type") not in ("valid", "custom"):
        node.refuse("ceil_mode", f"true with pad_type '{node.word('pad_type')}'")

    def rounded_up(x: Tensor) -> Tensor:
        padding = [before for before, _ in pads_of(x, sizes, strides)]
        result: Tensor = torch_pool(x, sizes, strides, padding, ceil_mode=True, **options)
        return result

    def rounded_down(x: Tensor) -> Tensor:
        pads = pads_of(x, sizes, strides)
        result: Tensor = torch_pool(pad_tensor(x, pads, -torch.inf if largest else 0.0), sizes, strides)
        if not exclude:
            return result
        inside: Tensor = torch_pool(pad_tensor(torch.ones_like(x), pads, 0.0), sizes, strides)
        return result / inside

    return rounded_up if ceil else rounded_down
