"""A network of another kind: other pixels, another answer, no blocks."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from imageqx_export.artifact import BinaryDecision, ModelSpec, Preprocessing, Temperatures, TensorSpec
from imageqx_export.networks.base import Block, EarlyStages, Layout, Network, PhoneGraph

SIZE = Preprocessing(height=32, width=48, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3))
SPEC = ModelSpec(
    name="toy",
    inputs=(TensorSpec(name="image", shape=(1, SIZE.height, SIZE.width, 3), dtype="uint8"),),
    outputs=(
        TensorSpec(name="good", shape=(1, 1), dtype="float32"),
        TensorSpec(name="colours", shape=(1, 2), dtype="float32"),
    ),
    preprocessing=SIZE,
    binary=BinaryDecision(output="good", threshold=0.5, hint="Take it again"),
)


class Answers(NamedTuple):
    """The outputs: ``good`` [N,1], ``colours`` [N,2]."""

    good: Tensor
    colours: Tensor


class Toy(Network):
    """Two convolutions and a linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.spec = SPEC
        stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.SiLU())
        self.features = nn.Sequential(stem, nn.Sequential(nn.Conv2d(8, 12, 1), nn.SiLU()))
        self.head = nn.Linear(12, 3)

    def logits(self, features: Tensor) -> Tensor:
        logits: Tensor = self.head(features.mean((2, 3)))
        return logits

    def probabilities(self, logits: Tensor) -> tuple[Tensor, ...]:
        found = logits.sigmoid()
        return found[:, :1], found[:, 1:]

    def forward(self, pixels: Tensor) -> Answers:
        return Answers(*self.probabilities(self.logits(self.features(pixels))))

    def set_temperatures(self, temperatures: Temperatures) -> None:
        assert not temperatures.explanations, "the toy has no reasons"

    def fold(self, layout: Layout) -> PhoneGraph:
        return FoldedToy(self, layout)

    def unfold(self, parameters: Mapping[str, Tensor]) -> None:
        for name, value in parameters.items():
            path = name.replace("early.stages.", "features.").replace("late.", "features.1.")
            self.get_parameter(path).data = value.clone()


class FoldedToy(PhoneGraph):
    """The toy as it goes to a phone."""

    HEADS: ClassVar[tuple[str, ...]] = ("head",)

    def __init__(self, network: Toy, layout: Layout) -> None:
        super().__init__()
        own = copy.deepcopy(network)
        self.layout, self.preprocessing = layout, own.spec.preprocessing
        self.early = EarlyStages([own.features.get_submodule("0")], self.preprocessing)
        self.late, self.head = own.features.get_submodule("1"), own.head
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        pixels = image.float()
        if self.layout == "NHWC":
            pixels = pixels.permute(0, 3, 1, 2)
        found = self.head(self.late(self.early(pixels)).mean((2, 3))).sigmoid()
        return found[:, :1], found[:, 1:]

    def blocks(self) -> Iterator[Block]:
        return iter(())


def toy() -> Toy:
    """Return the same toy every time, in eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        made = Toy().eval()
    made.head.weight.data *= 8  # so that what it answers varies
    return made


def spec(name: str, **options: str | float) -> ModelSpec:
    """Return the toy's ModelSpec."""
    return SPEC


def build(weights: str, name: str, **options: str | float) -> Toy:
    """Return a toy."""
    return toy()
