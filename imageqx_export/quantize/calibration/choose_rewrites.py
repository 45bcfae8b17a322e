"""Choose, from calibration images, what is changed in the float network before its ranges are taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from imageqx_export.quantize.calibration.observe import collect_values
from imageqx_export.quantize.graph.capture import capture
from imageqx_export.quantize.recipe import ChannelScales, Rewrites
from imageqx_export.quantize.rewrites.equalise import compute_channel_scales, iterate_swishes
from imageqx_export.quantize.rewrites.excitation import average_excitation, iterate_squeezes, name_excitation
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    from imageqx_export.artifact import Pixels
    from imageqx_export.networks.base import Network

# SiLU is least, −0.28, at −1.3: what lies below −1.5 gives nearly nothing, and is not worth levels of the rest.
SWISH_FLOOR = 1.5
# The stem's SiLU and the first block's: their largest channel is 60 times the median one.
RESCALED = 2
# In 14 of the 16 blocks excitations vary by less than three steps of int8 between photos.
VARYING = 3.0


def choose_rewrites(
    network: Network,
    pixels: Pixels,
    *,
    rescaled: int = RESCALED,
    varying: float = VARYING,
    progress: Progress = silent,
) -> Rewrites:
    """Choose what is changed in a network before its ranges are taken; arguments as for ``make_w8a8_recipe``."""
    graph = network.fold("NHWC")
    silus = [place.path for place in iterate_swishes(graph)][:rescaled]
    blocks = [path for path, _ in iterate_squeezes(graph)] if varying else []
    wanted: dict[str, Callable[[Tensor], Tensor]] = {name_excitation(path): _keep_whole for path in blocks}
    for path in silus:
        wanted |= {_name_conv_before(path): _reduce_to_lowest, f"{path}:mul": _reduce_to_highest}
    seen = collect_values(capture(network, batch=None), pixels, wanted, progress=progress) if wanted else {}
    constant = (average_excitation(path, seen[name_excitation(path)], varying) for path in blocks)
    return Rewrites(
        tuple(_choose_channel_scales(path, seen) for path in silus), tuple(row for row in constant if row is not None)
    )


def _keep_whole(value: Tensor) -> Tensor:
    return value.flatten(1)


def _reduce_to_lowest(value: Tensor) -> Tensor:
    return value.amin((2, 3))


def _reduce_to_highest(value: Tensor) -> Tensor:
    return value.amax((2, 3))


def _choose_channel_scales(silu: str, seen: Mapping[str, Tensor]) -> ChannelScales:
    """Return what a SiLU's channels are divided by, so that all come near the range of the largest."""
    # What counts is how large the product gets, and how far below 0 its argument still matters.
    below = (-seen[_name_conv_before(silu)].amin(0)).clamp(0, SWISH_FLOOR)
    scales = compute_channel_scales(torch.maximum(seen[f"{silu}:mul"].amax(0), below))
    return ChannelScales(module=silu, scales=tuple(scales))


def _name_conv_before(silu: str) -> str:
    return f"{silu.removesuffix('.1')}.0:conv"
