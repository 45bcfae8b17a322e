"""Make squeeze-and-excitation constant where it hardly varies, so that the next convolution's weight takes it in.

Such a block multiplies each channel by an excitation, the sigmoid of what two layers make of all channels' means. Int8
holds it in steps of 1/256. Where it varies from photo to photo by a step or two, rounding leaves little of that, while
the block goes on costing its two layers, and a product over the whole tensor with a rounding of its own.

Source: Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018; its study of the role of excitation finds blocks
(``SE_5_2``) whose excitations are nearly the same for every image, and calls them less important.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from imageqx_export.quantize.recipe import SIGMOID_STEP, ConstantExcitation

if TYPE_CHECKING:
    from imageqx_export.networks.base import PhoneGraph


def name_excitation(path: str) -> str:
    """Return the name of the tensor that a squeeze-and-excitation block multiplies by.

    Args:
        path: The block's.
    """
    return f"{path}.scale_activation:sigmoid"


def iterate_squeezes(graph: PhoneGraph) -> Iterator[tuple[str, nn.Conv2d]]:
    """Yield the path of every squeeze-and-excitation block, and the convolution that follows it."""
    for path, parts in graph.blocks():
        yield f"{path}.{len(parts) - 2}", parts[-1][0]


def average_excitation(path: str, seen: Tensor, steps: float) -> ConstantExcitation | None:
    """Return a block's mean excitation, or None where it varies.

    Args:
        path: The block's.
        seen: Its excitations, float32 [N,C] in 0…1, one row a photo.
        steps: How much it may vary, in steps of int8: the standard deviation between photos, its root mean square over
            the channels.
    """
    if float(seen.var(0).mean().sqrt()) >= steps * SIGMOID_STEP:
        return None
    # Half a step at least, so that dividing by it can undo it.
    return ConstantExcitation(
        module=path, values=tuple(float(value) for value in seen.mean(0).clamp(min=SIGMOID_STEP / 2))
    )


def fold_excitations(graph: PhoneGraph, rows: Iterable[ConstantExcitation]) -> int:
    """Multiply weights by the constants in front of them, and leave out the blocks that computed those, in place.

    Args:
        graph: With BatchNorm folded and, where they are, channels rescaled.
        rows: Which blocks, and the constants.

    Returns:
        How many blocks were left out.
    """
    rows = tuple(rows)
    folded = scale_by_excitations(graph, rows)
    for row in rows:
        parent, _, name = row.module.rpartition(".")
        setattr(graph.get_submodule(parent), name, nn.Identity())
    return folded


def scale_by_excitations(graph: PhoneGraph, rows: Iterable[ConstantExcitation]) -> int:
    """Multiply the weights behind squeeze-and-excitation blocks by constants, in place.

    Args:
        graph: With BatchNorm folded.
        rows: Which blocks, and the constants; their reciprocals undo it.

    Returns:
        How many weights were multiplied.
    """
    following, scaled = dict(iterate_squeezes(graph)), 0
    for row in rows:
        following[row.module].weight.data *= torch.tensor(row.values)[None, :, None, None]
        scaled += 1
    return scaled
