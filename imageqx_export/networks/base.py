"""What the stages know of a network: how it is built and folded, which of its parts are delicate, what it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from imageqx_export.artifact import ModelSpec, Preprocessing, Temperatures
from imageqx_export.errors import CheckpointError

Layout = Literal["NHWC", "NCHW"]
EARLY = "early"
"""The path of :attr:`PhoneGraph.early`, by which converters find its operations."""


class Block(NamedTuple):
    """An inverted residual block: its path, and its parts.

    Args:
        path: Of the sequence of parts.
        parts: An expansion (but in the first block), a depthwise convolution, squeeze-and-excitation, a projection;
            of all but the third the first module is the convolution.
    """

    path: str
    parts: tuple[Any, ...]


class EarlyStages(nn.Module):
    """The entry of a phone's graph: it normalises pixels in 0…255 and runs the first stages.

    Args:
        stages: The first is a convolution, and what follows it directly.
        preprocessing: Has mean and standard deviation.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, stages: Iterable[nn.Module], preprocessing: Preprocessing) -> None:
        super().__init__()
        self.register_buffer("mean", 255 * torch.tensor(preprocessing.mean)[None, :, None, None])
        self.register_buffer("std", 255 * torch.tensor(preprocessing.std)[None, :, None, None])
        self.stages = nn.Sequential(*stages)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the features of [N,3,H,W] in 0…255."""
        features: Tensor = self.stages((pixels - self.mean) / self.std)
        return features


class PhoneGraph(nn.Module, ABC):
    """The graph that goes to a phone: the same function as its network's, with every BatchNorm folded.

    It maps raw RGB bytes to the ModelSpec's outputs, in their order: a uint8 tensor [1,H,W,3], or [1,3,H,W] for Core
    ML's image. Its parameters' names are the files'.

    Attributes:
        early: An :class:`EarlyStages`, whose weights stay float32 in fp16 and w8; integers get another entry.
        preprocessing: The size of the pixels, and their mean and standard deviation.
        layout: Of the pixels.
    """

    HEADS: ClassVar[tuple[str, ...]]
    """The paths of the modules whose operations stay float in w8a8."""
    early: nn.Module
    preprocessing: Preprocessing
    layout: Layout

    @abstractmethod
    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs for pixels in 0…255."""

    @abstractmethod
    def blocks(self) -> Iterator[Block]:
        """Yield the inverted residual blocks, in order; none where the backbone has no such blocks."""

    def get_entry_shape(self) -> tuple[int, int, int]:
        """Return how many pictures :attr:`early` reads of a photo, one unless it is cut, and their height and width."""
        return 1, self.preprocessing.height, self.preprocessing.width

    def stem(self) -> tuple[str, nn.Module]:
        """Return the path and the module of the first convolution and what follows it directly."""
        path = f"{EARLY}.stages.0"
        return path, self.get_submodule(path)


class Network(nn.Module, ABC):
    """A network as the stages know it.

    It maps normalised pixels, float32 [N,3,H,W], to a named tuple with the ModelSpec's outputs.

    Attributes:
        spec: What its inputs and outputs mean, with thresholds of 0.5.
        options: Which one of its family it is: what ``build`` was given beside the weights; a checkpoint keeps them.
        features: The backbone, [N,3,H,W] to feature maps.
    """

    spec: ModelSpec
    options: Mapping[str, str | float] = MappingProxyType({})
    features: nn.Module

    def start_from(self, donor: Network, where: str | None = None) -> None:
        """Take over the weights of another network's backbone, in place.

        Args:
            donor: With the same backbone.
            where: The file that it is from, for the error.

        Raises:
            CheckpointError: It has another.
        """
        own, given = self.get_backbone(), donor.get_backbone()
        shapes = [{name: value.shape for name, value in one.state_dict().items()} for one in (own, given)]
        if shapes[0] != shapes[1]:
            raise CheckpointError(
                "a network with another backbone",
                where=where,
                expected=f"{self.spec.name}'s, of {len(shapes[0])} tensors",
                got=f"{donor.spec.name}'s, of {len(shapes[1])}",
                remedy="--init with a checkpoint of the same backbone, or imagenet",
            )
        own.load_state_dict(given.state_dict())

    def get_backbone(self) -> nn.Module:
        """Return what :meth:`start_from` takes over: :attr:`features`, or what in it is alike in other networks."""
        return self.features

    @abstractmethod
    def logits(self, features: Tensor) -> Any:
        """Return what a loss needs, a named tuple of the heads' uncalibrated logits, for feature maps."""

    @abstractmethod
    def probabilities(self, logits: Any) -> tuple[Tensor, ...]:
        """Return the outputs that are probabilities, in the ModelSpec's order, for what :meth:`logits` gave."""

    @abstractmethod
    def set_temperatures(self, temperatures: Temperatures) -> None:
        """Set the temperatures that logits are divided by."""

    @abstractmethod
    def fold(self, layout: Layout) -> PhoneGraph:
        """Return the graph that goes to a phone; the network is copied, not changed."""

    @abstractmethod
    def unfold(self, parameters: Mapping[str, Tensor]) -> None:
        """Put parameters of a folded graph back, in place: folding again gives them to the bit.

        Args:
            parameters: By their name in :meth:`fold`'s graph; those of the heads are not among them.
        """
