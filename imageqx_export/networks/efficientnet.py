"""EfficientNet-B0 as it goes to a phone, whatever network it is the backbone of: BatchNorm folded, and put back."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from imageqx_export.networks.base import Block

# fp16 keeps this many of the backbone's nine stages (1.5 % of the weights) in float32: they are where rounding hurts.
# In the shipped network, rounding every weight moves a probability by up to 1.4e-2 on the 64 synthetic photos; with
# these kept, parity measures 1.8e-3 at most. On an earlier checkpoint each later stage alone moved it by under 6e-4.
FLOAT32_STAGES = 4


def iterate_blocks(early: nn.Module, late: nn.Module) -> Iterator[Block]:
    """Yield the sixteen blocks, in order: all between the stem and the last convolution.

    Args:
        early: A graph's ``early``, which has the first :data:`FLOAT32_STAGES` stages.
        late: Its ``late``, which has the others.
    """
    stages = [(f"early.stages.{i}", stage) for i, stage in enumerate(early.get_submodule("stages").children())][1:]
    stages += [(f"late.{i}", stage) for i, stage in enumerate(late.children())][:-1]
    for path, stage in stages:
        for index, block in enumerate(stage.children()):
            yield Block(f"{path}.{index}.block", tuple(block.get_submodule("block").children()))


def find_place(name: str) -> str:
    """Return the name in the backbone of a parameter of a graph's ``early`` or ``late``.

    >>> find_place("early.stages.1.0.block.0.0.weight"), find_place("late.2.0.block.0.0.bias")
    ('1.0.block.0.0.weight', '6.0.block.0.0.bias')
    """
    if name.startswith("early.stages."):
        return name.removeprefix("early.stages.")
    stage, _, rest = name.removeprefix("late.").partition(".")
    return f"{int(stage) + FLOAT32_STAGES}.{rest}"


def put_parameter(features: nn.Module, name: str, value: Tensor) -> None:
    """Write one parameter of a folded graph into a backbone, in place; a BatchNorm behind it adds the bias and does
    nothing else.

    Args:
        features: The backbone.
        name: In it, as of :func:`find_place`.
        value: The parameter.
    """
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
