"""Let the first convolution read the pixels themselves: normalisation lies in its weights and biases.

A byte is an int8 already, less 128, so that nothing is rounded before the first product; a phone that normalised in
float would round each pixel twice. What is left of normalisation is its padding: around normalised pixels 0, that is
the mean colour around bytes, which integers round to a whole level in each channel.

Source: folding an affine map into the convolution behind it, Jacob et al., CVPR 2018, section 3.2, there for BatchNorm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from imageqx_export.networks.base import PhoneGraph

# What one level of a pixel counts; a power of 2, so that every byte is exact in every format, and of a size that leaves
# the first weights as large as they are for normalised pixels.
PIXEL_STEP = 2.0**-6
ENTRY = "early:input"
"""What the framed pixels are called in a captured graph."""


class PixelEntry(nn.Module):
    """The first stages, which read pixels that are framed with the mean colour, as far as the frame is read.

    Args:
        stages: The first is a convolution that reads normalised pixels, with a kernel of 3 and padding 1. With a stride
            of 2, on a picture of even sides, its last row and column of padding are never read: the frame lies above
            and to the left. Changed.
        mean: What normalisation subtracts, in 0…255, float32 [1,3,1,1].
        std: What it divides by, likewise.
        shape: How many pictures there are, and their height and width.
    """

    above: Tensor
    left: Tensor

    def __init__(self, stages: nn.Sequential, mean: Tensor, std: Tensor, shape: tuple[int, int, int]) -> None:
        super().__init__()
        parts, height, width = shape
        self.stages = stages
        self._around = self._find_stem().stride[0] == 1
        self.register_buffer("above", mean.repeat(parts, 1, 1, width))
        self.register_buffer("left", mean.repeat(parts, 1, height + 1 + self._around, 1))
        self._mean, self._std = mean.double(), std.double()
        stem = self._find_stem()
        weight = stem.weight.double() / self._std
        assert stem.bias is not None
        stem.bias.data = (stem.bias.double() - (weight * self._mean).sum((1, 2, 3))).float()
        stem.weight.data = (weight / PIXEL_STEP).float()
        stem.padding = (0, 0)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the features of [N,3,H,W] in 0…255."""
        above, left = (_repeat(frame, pixels.shape[0]) for frame in (self.above, self.left))
        framed = torch.cat([above, pixels, above] if self._around else [above, pixels], 2)
        framed = torch.cat([left, framed, left] if self._around else [left, framed], 3)
        features: Tensor = self.stages(framed / (1 / PIXEL_STEP))
        return features

    def restore(self) -> None:
        """Make the first convolution one for normalised pixels again, in place."""
        stem = self._find_stem()
        assert stem.bias is not None
        weight = stem.weight.double() * PIXEL_STEP
        stem.bias.data = (stem.bias.double() + (weight * self._mean).sum((1, 2, 3))).float()
        stem.weight.data = (weight * self._std).float()
        stem.padding = (1, 1)

    def _find_stem(self) -> nn.Conv2d:
        first: Any = self.stages[0]
        stem: nn.Conv2d = first[0]
        return stem


def _repeat(frame: Tensor, count: int) -> Tensor:
    """Return a frame for each picture; as it is where there are as many, so that files hold no Expand."""
    known = isinstance(count, int)  # while a graph for any batch is captured, it is a symbol
    return frame if known and count == len(frame) else frame[:1].expand(count, -1, -1, -1)


def fold_normalisation(graph: PhoneGraph, batch: int = 1) -> bool:
    """Put a :class:`PixelEntry` in the place of normalisation, in place.

    The graph computes the same up to float32's rounding.

    Args:
        graph: With BatchNorm folded.
        batch: For how many photos the frame is kept; for another number it is repeated while the graph runs.

    Returns:
        Whether the graph had not read pixels before.
    """
    early: Any = graph.early
    if isinstance(early, PixelEntry):
        return False
    parts, height, width = graph.get_entry_shape()
    entry = PixelEntry(early.stages, early.mean, early.std, (batch * parts, height, width))
    graph.early = entry.eval().requires_grad_(False)
    return True


def restore_stem(graph: PhoneGraph) -> bool:
    """Make the first convolution's weights those for normalised pixels again, in place, to read them from the graph.

    Args:
        graph: After :func:`fold_normalisation`; it no longer computes the network.

    Returns:
        Whether the graph read pixels before.
    """
    early: Any = graph.early
    if not isinstance(early, PixelEntry):
        return False
    early.restore()
    return True
