"""Give all channels of an activation the same range, without changing what the network computes.

One scale holds a whole tensor, so a channel that is thirty times smaller than the largest has eight levels left.
Dividing a channel by s and multiplying the next weight's input channel by s changes nothing where the function between
them is linear. SiLU is not, but x · sigmoid(x) = s · (x' · sigmoid(s · x')) with x' = x / s: one multiplication per
channel in front of the sigmoid makes it exact.

Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, section 4.1,
for ReLU; the gate in front of the sigmoid is ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from imageqx_export.quantize.recipe import ACTIVATION_LEVELS, ActivationScale, ChannelScales

if TYPE_CHECKING:
    from imageqx_export.networks.base import PhoneGraph

# A gate is a multiple of this, so that int8 holds it exactly (zero point −128), and so does float16; a power of 2, so
# that it may stand on either side of a factor. No channel is blown up more than 64 times.
GATE_STEP = 2.0**-8
GATE = ActivationScale(tensor="", scale=GATE_STEP, zero_point=ACTIVATION_LEVELS[0], observer="fixed")
SMALLEST, LARGEST = 4, 255


class GatedSwish(nn.Module):
    """The function x · sigmoid(gate · x), one gate a channel.

    Args:
        gate: float32 [C].
        width: Of what it is given, for the same gate in every column: kernels walk along the axes that two operands
            share, and C alone is so short that ONNX Runtime took four times as long.
    """

    gate: Tensor

    def __init__(self, gate: Tensor, width: int) -> None:
        super().__init__()
        self.register_buffer("gate", gate[None, :, None, None].repeat(1, 1, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        """Return x · sigmoid(gate · x) for [N,C,H,W]."""
        return x * (x * self.gate).sigmoid()


class SwishPlace(NamedTuple):
    """One SiLU of the backbone: its path, the convolution before it, what reads it, and the columns there."""

    path: str
    parent: nn.Module
    before: nn.Conv2d
    after: tuple[nn.Conv2d, ...]
    width: int


def iterate_swishes(graph: PhoneGraph) -> Iterator[SwishPlace]:
    """Yield every SiLU that follows a convolution of the backbone, but those inside squeeze-and-excite."""
    stem: Any
    path, stem = graph.stem()
    width = graph.get_entry_shape()[2] // stem[0].stride[1]
    blocks = list(graph.blocks())
    if not blocks:
        return
    yield SwishPlace(f"{path}.1", stem, stem[0], (blocks[0].parts[0][0],), width)
    for path, parts in blocks:
        for position, part in enumerate(parts[:-2]):
            following = parts[position + 1]
            width //= part[0].stride[1]
            last = position == len(parts) - 3
            after = (following.fc1, parts[-1][0]) if last else (following[0],)
            yield SwishPlace(f"{path}.{position}.1", part, part[0], after, width)


def compute_channel_scales(largest: Tensor) -> list[float]:
    """Return s per channel, less than 1: what a channel is divided by to come near the range of the largest.

    Args:
        largest: Largest magnitude per channel, float32 [C].
    """
    steps = (largest / largest.max() * LARGEST).ceil().clamp(SMALLEST, LARGEST)
    return [float(s) for s in steps * GATE_STEP]


def equalise(graph: PhoneGraph, rows: Iterable[ChannelScales]) -> int:
    """Rescale SiLUs' channels, in place; the graph computes the same up to float32's rounding.

    Args:
        graph: With BatchNorm folded.
        rows: Which SiLUs, and s per channel.

    Returns:
        How many SiLUs were rescaled.
    """
    scales = {row.module: row.scales for row in rows}
    chosen = [place for place in iterate_swishes(graph) if place.path in scales]
    for place in chosen:
        s = torch.tensor(scales[place.path])
        place.before.weight.data /= s[:, None, None, None]
        assert place.before.bias is not None
        place.before.bias.data /= s
        for conv in place.after:
            # A depthwise weight has one input channel per group.
            shape = (-1, 1, 1, 1) if conv.groups > 1 else (1, -1, 1, 1)
            conv.weight.data *= s.reshape(shape)
        place.parent[1] = GatedSwish(s, place.width)  # type: ignore[operator]
    return len(chosen)
