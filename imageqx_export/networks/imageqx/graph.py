"""Rewrite a trained network as the graph that goes to a phone: the same function, fewer operations.

Every BatchNorm is folded into its convolution, and both heads, which have no activation inside, into one matrix
each. The folding is done in float64, so that only the rounding of the result to float32 is added. The quality
head's temperature is folded in too; those of the reasons are a multiplication, as the quality head reads the
uncalibrated reasons.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from typing import ClassVar

from torch import Tensor, nn

from imageqx_export.networks.base import Block, EarlyStages, Layout, PhoneGraph
from imageqx_export.networks.efficientnet import (
    FLOAT32_STAGES,
    find_place,
    fold_convolutions,
    iterate_blocks,
    put_parameter,
)
from imageqx_export.networks.imageqx.folding import Foldable, fold_block, fold_head


class FoldedImageQX(PhoneGraph):
    """ImageQX folded: raw RGB bytes to ``quality``, ``explanations`` and ``attention``.

    Args:
        network: The trained network; copied, not changed.
        layout: ``"NHWC"`` for a uint8 tensor [1,S,S,3], ``"NCHW"`` for Core ML's image, [1,3,S,S].
    """

    HEADS: ClassVar[tuple[str, ...]] = ("explanations", "quality", "reasons_to_quality", "attention")
    coldness: Tensor | None

    def __init__(self, network: Foldable, layout: Layout) -> None:
        super().__init__()
        self.layout, self.preprocessing = layout, network.spec.preprocessing
        stages = list(fold_convolutions(copy.deepcopy(network.features).eval()).children())
        self.early = EarlyStages(stages[:FLOAT32_STAGES], self.preprocessing)
        self.late = nn.Sequential(*stages[FLOAT32_STAGES:])
        explanation_weight, explanation_bias = fold_head(network.explanation_block, network.explanation_head)
        self.explanations = _fold_linear(explanation_weight, explanation_bias)
        reasons_count, features = explanation_weight.shape
        cells = math.prod(network.spec.outputs[-1].shape[2:])  # of the last feature map, which attention shows
        self.attention = nn.Conv2d(features, reasons_count, 1, bias=False)
        self.attention.weight.data = explanation_weight[:, :, None, None].detach().clone() / cells
        weight, bias = fold_block(network.quality_block)
        temperature = network.quality_temperature.double()
        joined = network.quality_head.weight.double() / temperature
        hidden = joined.shape[1] - reasons_count
        outer, reasons = joined[:, :hidden], joined[:, hidden:]
        offset = network.quality_head.bias.double() / temperature
        self.quality = _fold_linear((outer @ weight).float(), (outer @ bias + offset).float())
        self.reasons_to_quality = nn.Linear(reasons_count, len(joined), bias=False)
        self.reasons_to_quality.weight.data = reasons.float().detach().clone()
        # Without temperatures the graph has no operation for them.
        cold = (1 / network.explanation_temperatures.double()).float()
        self.register_buffer("coldness", None if bool((cold == 1).all()) else cold)
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return quality [1,4], explanations [1,5] and attention [1,5,7,7], float32, for pixels in 0…255.

        Of another clinic's network as many as it has labels and reasons.
        """
        pixels = image.float()
        if self.layout == "NHWC":
            pixels = pixels.permute(0, 3, 1, 2)
        features = self.late(self.early(pixels))
        pooled = features.mean((2, 3))
        logits = self.explanations(pooled)
        explanations = logits.sigmoid()
        quality = (self.quality(pooled) + self.reasons_to_quality(explanations)).softmax(1)
        if self.coldness is not None:
            explanations = (logits * self.coldness).sigmoid()
        return quality, explanations, self.attention(features).relu()

    def blocks(self) -> Iterator[Block]:
        """Yield EfficientNet's sixteen blocks, in order."""
        return iterate_blocks(self.early, self.late)


def unfold(network: Foldable, parameters: Mapping[str, Tensor]) -> None:
    """Put parameters of a :class:`FoldedImageQX`'s backbone back into its network, in place."""
    for name, value in parameters.items():
        put_parameter(network.features, find_place(name), value)


def _fold_linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0])
    linear.weight.data, linear.bias.data = weight.detach().clone(), bias.detach().clone()
    return linear
