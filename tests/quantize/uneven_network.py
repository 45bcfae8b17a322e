"""An ImageQX with random weights whose channels are of very different size, as training leaves them, and pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from imageqx_export.artifact import Pixels
from imageqx_export.networks.imageqx.network import ImageQX


def make_uneven_network() -> ImageQX:
    """Return the network, eval mode; always the same weights, whose features neither vanish nor explode."""
    torch.manual_seed(0)
    made = ImageQX().eval()
    with torch.no_grad():
        for module in made.features.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.copy_(torch.exp(torch.randn(len(module.weight))).clamp(0.02, 4))
                module.bias.normal_()
    return made


def draw_blocks(brightest: Sequence[int]) -> Pixels:
    """Return pictures of 16 × 16 blocks of random colours, uint8 [N,224,224,3]; always the same.

    Args:
        brightest: Of each picture, the number that its levels stay under.
    """
    rng = np.random.default_rng(0)
    small = [rng.integers(0, level, (16, 16, 3), np.uint8) for level in brightest]
    return np.stack(small).repeat(14, 1).repeat(14, 2)
