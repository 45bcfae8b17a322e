"""Duke IQA as it goes to a phone: one photo in, its regions cut inside, the same function as the network's.

The regions are one batch of five: a layer is one operation with one set of weights, so that quantization, converters
and runtimes see the backbone that they know.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from imageqx_export.networks.base import Block, EarlyStages, Layout, PhoneGraph
from imageqx_export.networks.duke_iqa.spec import NAMES, REGION_SIDE, list_corners
from imageqx_export.networks.efficientnet import (
    FLOAT32_STAGES,
    find_place,
    fold_convolutions,
    iterate_blocks,
    put_parameter,
)

if TYPE_CHECKING:
    from imageqx_export.networks.duke_iqa.network import DukeIQA

# Of VGG16's weights, fp16 keeps the first two convolutions' in float32: 0.3 % of them, and nearest to the pixels.
FLOAT32_CONVOLUTIONS = 2


class FoldedDuke(PhoneGraph):
    """Duke IQA folded: raw RGB bytes to ``good``, ``ranks`` and ``regions``.

    Args:
        network: The trained network; copied, not changed.
        layout: ``"NHWC"`` for a uint8 tensor [1,S,S,3], ``"NCHW"`` for Core ML's image, [1,3,S,S].
    """

    HEADS: ClassVar[tuple[str, ...]] = ("score", "hidden", "weigh")
    biases: Tensor

    def __init__(self, network: DukeIQA, layout: Layout) -> None:
        super().__init__()
        self.layout, self.preprocessing = layout, network.spec.preprocessing
        self.enough = network.enough
        self.corners = list_corners(self.preprocessing.height, REGION_SIDE)
        stages = split_stages(copy.deepcopy(network.features.backbone).eval())
        count = FLOAT32_STAGES if has_blocks(network.features.backbone) else FLOAT32_CONVOLUTIONS
        self.early = EarlyStages(stages[:count], self.preprocessing)
        self.late = nn.Sequential(*stages[count:])
        bag, coldness = copy.deepcopy(network.bag), 1 / network.temperature.double()
        self.aggregation, self.score, self.hidden, self.weigh = bag.aggregation, bag.score, bag.hidden, bag.weigh
        # The temperature lies in the weights: nothing but scores, and the biases that they are added to, is divided.
        self.score.weight.data = (self.score.weight.double() * coldness).float()
        self.register_buffer("biases", (network.coral.biases().detach().double() * coldness).float())
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return good [1,1], ranks [1,4] and regions [1,5], float32, for pixels in 0…255."""
        pooled = self.late(self.early(self.cut(image.float()))).mean((2, 3))
        scores: Tensor = self.score(pooled).reshape(len(NAMES), -1).transpose(0, 1)
        ranks = (self.aggregate(scores, pooled) + self.biases).sigmoid()
        good = ranks[:, self.enough - 1 : self.enough]
        return good, ranks, (scores + self.biases[self.enough - 1]).sigmoid()

    def get_entry_shape(self) -> tuple[int, int, int]:
        """Return how many regions there are, and their height and width."""
        return len(NAMES), REGION_SIDE, REGION_SIDE

    def cut(self, pixels: Tensor) -> Tensor:
        """Return the regions [5·N,3,224,224] of photos in the graph's layout: the first of all photos first."""
        size = REGION_SIDE
        if self.layout == "NCHW":
            return torch.cat([pixels[:, :, top : top + size, left : left + size] for top, left in self.corners])
        regions = torch.cat([pixels[:, top : top + size, left : left + size] for top, left in self.corners])
        return regions.permute(0, 3, 1, 2)

    def aggregate(self, scores: Tensor, pooled: Tensor) -> Tensor:
        """Return the bag's score [N,1] for the regions' [N,5] and their features [5·N,C]."""
        if self.hidden is not None and self.weigh is not None:
            weighed = self.weigh(torch.tanh(self.hidden(pooled))).reshape(len(NAMES), -1).transpose(0, 1)
            return torch.sum(weighed.softmax(1) * scores, 1, keepdim=True)
        return scores.amax(1, keepdim=True) if self.aggregation == "max" else scores.mean(1, keepdim=True)

    def blocks(self) -> Iterator[Block]:
        """Yield EfficientNet's sixteen blocks, in order; none of VGG16."""
        return iterate_blocks(self.early, self.late) if has_blocks(self.early.get_submodule("stages")) else iter(())


def has_blocks(backbone: nn.Module) -> bool:
    """Whether a backbone is EfficientNet, and not VGG16."""
    return not any(isinstance(module, nn.MaxPool2d) for module in backbone.modules()) and not any(
        isinstance(module, nn.ReLU) for module in backbone.modules()
    )


def split_stages(backbone: nn.Sequential) -> list[nn.Module]:
    """Return a backbone's stages, folded, in place: EfficientNet's nine, or each of VGG16's convolutions with its ReLU.

    A pool of VGG16 is a stage of its own.
    """
    if has_blocks(backbone):
        return list(fold_convolutions(backbone).children())
    stages: list[nn.Module] = []
    for module in backbone:
        if isinstance(module, nn.ReLU):
            stages[-1] = nn.Sequential(stages[-1], nn.ReLU())  # not in place, so that what it reads can be looked at
        else:
            stages.append(module)
    return stages


def unfold(network: DukeIQA, parameters: Mapping[str, Tensor]) -> None:
    """Put parameters of a :class:`FoldedDuke`'s backbone back into its network, in place."""
    backbone = network.features.backbone
    for name, value in parameters.items():
        put_parameter(backbone, find_place(name) if has_blocks(backbone) else _find_convolution(backbone, name), value)


def _find_convolution(backbone: nn.Sequential, name: str) -> str:
    """Return the name in VGG16 of a parameter of a graph's ``early`` or ``late``."""
    stage, kind = name.removeprefix("early.stages.").removeprefix("late.").split(".")[0], name.rpartition(".")[2]
    wanted = int(stage) + (0 if name.startswith("early.") else FLOAT32_CONVOLUTIONS)
    starts = [index for index, module in enumerate(backbone) if not isinstance(module, nn.ReLU)]
    return f"{starts[wanted]}.{kind}"
