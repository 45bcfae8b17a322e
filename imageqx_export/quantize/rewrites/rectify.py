"""Put ReLUs in the place of SiLUs: another function, for which the weights are fine-tuned.

Between integers, SiLU takes a table and a product, and where channels were rescaled a product more; ReLU takes nothing,
as the lowest of int8's levels stands for 0 (:func:`imageqx_export.quantize.graph.build.drop_idle_relus`). Rescaled
channels stay as they are: ReLU gives s · x for s · x without a gate.

Source: mixing ReLU and a swish by what each layer costs, Howard et al., "Searching for MobileNetV3", ICCV 2019,
section 5.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from torch import nn

from imageqx_export.quantize.recipe import RectifiedSwish
from imageqx_export.quantize.rewrites.equalise import iterate_swishes

if TYPE_CHECKING:
    from imageqx_export.networks.base import PhoneGraph


def rectify(graph: PhoneGraph, rows: Iterable[RectifiedSwish]) -> int:
    """Make SiLUs ReLUs, in place.

    Args:
        graph: With BatchNorm folded and, where they are, channels rescaled; every block still there.
        rows: Which SiLUs.

    Returns:
        How many there were.
    """
    chosen = {row.module for row in rows}
    places = [place for place in iterate_swishes(graph) if place.path in chosen]
    for place in places:
        place.parent[1] = nn.ReLU()  # type: ignore[operator]
    return len(places)
