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
from torch.nn.utils.fusion import fuse_conv_bn_eval

from imageqx_export.networks.base import Block, EarlyStages, Layout, PhoneGraph
from imageqx_export.networks.imageqx.folding import Foldable, fold_block, fold_head
from imageqx_export.networks.imageqx.spec import ATTENTION_SIZE, LABELS, REASONS

# fp16 keeps this many of the backbone's nine stages (1.5 % of the weights) in float32: they are where rounding hurts.
# In the shipped network, rounding every weight moves a probability by up to 1.4e-2 on the 64 synthetic photos; with
# these kept, parity measures 1.8e-3 at most. On an earlier checkpoint each later stage alone moved it by under 6e-4.
FLOAT32_STAGES = 4


class FoldedImageQX(PhoneGraph):
    """ImageQX folded: raw RGB bytes to ``quality``, ``explanations`` and ``attention``.

    Args:
        network: The trained network; copied, not changed.
        layout: ``"NHWC"`` for a uint8 tensor [1,224,224,3], ``"NCHW"`` for Core ML's image, [1,3,224,224].
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
        self.explanations = _linear(explanation_weight, explanation_bias)
        self.attention = nn.Conv2d(explanation_weight.shape[1], len(REASONS), 1, bias=False)
        self.attention.weight.data = explanation_weight[:, :, None, None].detach().clone() / math.prod(ATTENTION_SIZE)
        weight, bias = fold_block(network.quality_block)
        temperature = network.quality_temperature.double()
        joined = network.quality_head.weight.double() / temperature
        hidden = joined.shape[1] - len(REASONS)
        outer, reasons = joined[:, :hidden], joined[:, hidden:]
        offset = network.quality_head.bias.double() / temperature
        self.quality = _linear((outer @ weight).float(), (outer @ bias + offset).float())
        self.reasons_to_quality = nn.Linear(len(REASONS), len(LABELS), bias=False)
        self.reasons_to_quality.weight.data = reasons.float().detach().clone()
        # Without temperatures the graph has no operation for them.
        cold = (1 / network.explanation_temperatures.double()).float()
        self.register_buffer("coldness", None if bool((cold == 1).all()) else cold)
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return quality [1,4], explanations [1,5] and attention [1,5,7,7], float32, for pixels in 0…255."""
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
        """Yield EfficientNet's sixteen blocks, in order: all between the stem and the last convolution."""
        stages = [
            (f"early.stages.{i}", stage) for i, stage in enumerate(self.early.get_submodule("stages").children())
        ][1:]
        stages += [(f"late.{i}", stage) for i, stage in enumerate(self.late)][:-1]
        for path, stage in stages:
            for index, block in enumerate(stage.children()):
                yield Block(f"{path}.{index}.block", tuple(block.get_submodule("block").children()))


def unfold(network: Foldable, parameters: Mapping[str, Tensor]) -> None:
    """Put parameters of a :class:`FoldedImageQX`'s backbone back into its network, in place."""
    for name, value in parameters.items():
        _put(network.features, _place(name), value)


def _place(name: str) -> str:
    """Return a parameter's name in the backbone.

    >>> _place("early.stages.1.0.block.0.0.weight"), _place("late.2.0.block.0.0.bias")
    ('1.0.block.0.0.weight', '6.0.block.0.0.bias')
    """
    if name.startswith("early.stages."):
        return name.removeprefix("early.stages.")
    stage, _, rest = name.removeprefix("late.").partition(".")
    return f"{int(stage) + FLOAT32_STAGES}.{rest}"


def _put(features: nn.Module, name: str, value: Tensor) -> None:
    """Write one parameter of the folded graph; a BatchNorm behind it adds the bias and does nothing else."""
    path, _, kind = name.rpartition(".")
    conv = features.get_submodule(path)
    parent, _, index = path.rpartition(".")
    norm = dict(features.get_submodule(parent).named_children()).get(str(int(index) + 1)) if index.isdigit() else None
    if isinstance(norm, nn.BatchNorm2d):
        assert norm.running_mean is not None and norm.running_var is not None
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - norm.eps)  # folding divides by its root, 1 to 2e-8: no float32 changes
        norm.weight.data.fill_(1)
        conv = norm if kind == "bias" else conv
    target = conv.get_parameter(kind)
    target.data = value.reshape(target.shape).clone()


def fold_convolutions(module: nn.Module) -> nn.Module:
    """Fold every BatchNorm2d that follows a Conv2d into it, in float64, and make pooling a mean; in place."""
    for name, child in list(module.named_children()):
        fold_convolutions(child)
        if isinstance(child, nn.AdaptiveAvgPool2d):
            setattr(module, name, _Mean())
        parts = list(child.children())
        if isinstance(child, nn.Sequential) and len(parts) >= 2:
            conv, norm = parts[0], parts[1]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                fused = fuse_conv_bn_eval(conv.double(), norm.double()).float()
                setattr(module, name, nn.Sequential(fused, *parts[2:]))
    return module


class _Mean(nn.Module):
    """AdaptiveAvgPool2d(1) as a plain mean, which no converter spells out in shape arithmetic."""

    def forward(self, features: Tensor) -> Tensor:
        return features.mean((2, 3), keepdim=True)


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0])
    linear.weight.data, linear.bias.data = weight.detach().clone(), bias.detach().clone()
    return linear
