"""Duke IQA: is this skin photo good enough, as four raters would say, and which part of it is not.

Source: Jeong et al., "Image Quality Assessment Using Convolutional Neural Network in Clinical Skin Images", JID
Innovations 2024;4:100285. What the paper leaves open is decided here and said so: how the regions' outputs are
aggregated (the mean, unless told otherwise), a region's share of the frame (a half), and that the one fully connected
layer reads each feature map's mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from imageqx_export.artifact import Temperatures
from imageqx_export.errors import UnknownNameError
from imageqx_export.networks.base import Layout, Network, PhoneGraph
from imageqx_export.networks.duke_iqa.backbones import BACKBONES, build_backbone
from imageqx_export.networks.duke_iqa.bags import Bag
from imageqx_export.networks.duke_iqa.coral import Coral
from imageqx_export.networks.duke_iqa.spec import GOOD_WHEN_AT_LEAST, NAMES, RATERS, REGION_SHARE, list_corners, spec

OPTIONS = ("backbone", "aggregation", "share", "good_when_at_least")


class Logits(NamedTuple):
    """The logits that a loss needs, before the sigmoid: ``ranks`` [N,4], and ``regions`` [N,5] of being good."""

    ranks: Tensor
    regions: Tensor


class Outputs(NamedTuple):
    """The outputs, as an artifact gives them: ``good`` [N,1], ``ranks`` [N,4], ``regions`` [N,5]."""

    good: Tensor
    ranks: Tensor
    regions: Tensor


class RegionFeatures(nn.Module):
    """The features of a photo's five regions.

    Args:
        backbone: [N,3,224,224] to feature maps.
        share: A region's share of the photo's sides.
    """

    def __init__(self, backbone: nn.Sequential, share: float) -> None:
        super().__init__()
        self.backbone = backbone
        self.share = share

    def forward(self, pixels: Tensor) -> Tensor:
        """Return [N,5,C] for normalised pixels [N,3,S,S] of any size; a region has S · share pixels a side."""
        side = pixels.shape[-1]
        size = round(side * self.share)
        regions = cut_regions(pixels, list_corners(side, size), size)
        pooled: Tensor = self.backbone(regions).mean((2, 3))
        return pooled.reshape(len(NAMES), -1, pooled.shape[1]).transpose(0, 1)


def cut_regions(pixels: Tensor, corners: tuple[tuple[int, int], ...], size: int) -> Tensor:
    """Return the regions of photos [N,3,S,S] as [R·N,3,size,size]: the first region of all photos first."""
    return torch.cat([pixels[:, :, top : top + size, left : left + size] for top, left in corners])


class DukeIQA(Network):
    """The network on normalised pixels, with a temperature on its outputs that is 1 until it is set.

    Args:
        name: The model's.
        backbone: ``"vgg16"`` as published, or ``"efficientnet-b0"``.
        weights: The backbone's: ``"random"`` or ``"imagenet"``; see :func:`build_backbone`.
        aggregation: ``"mean"``, ``"max"`` or ``"attention"``; see :class:`Bag`.
        share: A region's share of the frame's sides.
        good_when_at_least: How many of the four raters make a photo good.

    Raises:
        UnavailableError: ``"imagenet"`` was asked for and the download failed.
        UnknownNameError: There is no such backbone, initialisation or aggregation.
    """

    features: RegionFeatures
    temperature: Tensor

    def __init__(
        self,
        name: str = "duke-iqa",
        backbone: str = "efficientnet-b0",
        weights: str = "random",
        aggregation: str = "mean",
        share: float = REGION_SHARE,
        good_when_at_least: float = GOOD_WHEN_AT_LEAST,
    ) -> None:
        super().__init__()
        self.spec = spec(name, share, good_when_at_least)
        self.enough = int(good_when_at_least)
        self.features = RegionFeatures(build_backbone(backbone, weights), share)
        self.bag = Bag(BACKBONES[backbone].features, aggregation)
        self.coral = Coral(RATERS)
        # Not persistent: a state_dict holds what was trained, so that a temperature can be fitted again.
        self.register_buffer("temperature", torch.ones(()), persistent=False)

    def set_temperatures(self, temperatures: Temperatures) -> None:
        """Set the temperature, ``quality``'s: one for all outputs, so that they stay consistent."""
        self.temperature.fill_(temperatures.quality)

    def get_backbone(self) -> nn.Module:
        """Return what looks at one region."""
        return self.features.backbone

    def logits(self, features: Tensor) -> Logits:
        """Return the uncalibrated logits for regions' features [N,5,C]."""
        bag, regions = self.bag(features)
        return Logits(self.coral(bag), regions + self.coral.biases()[self.enough - 1])

    def probabilities(self, logits: Logits) -> tuple[Tensor, Tensor, Tensor]:
        """Return calibrated good [N,1], ranks [N,4] and regions [N,5] for uncalibrated logits."""
        ranks = (logits.ranks / self.temperature).sigmoid()
        good = ranks[:, self.enough - 1 : self.enough]
        return good, ranks, (logits.regions / self.temperature).sigmoid()

    def forward(self, pixels: Tensor) -> Outputs:
        """Return calibrated probabilities for normalised pixels, float32 [N,3,H,W]."""
        return Outputs(*self.probabilities(self.logits(self.features(pixels))))

    def fold(self, layout: Layout) -> PhoneGraph:
        """Return the graph that goes to a phone; see :class:`~imageqx_export.networks.duke_iqa.graph.FoldedDuke`."""
        from imageqx_export.networks.duke_iqa.graph import FoldedDuke

        return FoldedDuke(self, layout)

    def unfold(self, parameters: Mapping[str, Tensor]) -> None:
        """Put parameters of a folded graph's backbone back, in place."""
        from imageqx_export.networks.duke_iqa.graph import unfold

        unfold(self, parameters)


def build(weights: str, name: str = "duke-iqa", **options: str | float) -> DukeIQA:
    """Return a network with ``"random"`` or ``"imagenet"`` weights in its backbone.

    Args:
        weights: Which.
        name: The model's.
        **options: As for :class:`DukeIQA`.

    Raises:
        UnavailableError: The weights could not be downloaded.
        UnknownNameError: There is no such option, or it has no such value.
    """
    if unknown := sorted(set(options) - set(OPTIONS)):
        raise UnknownNameError("option", unknown[0], OPTIONS)
    network = DukeIQA(name, weights=weights, **options)  # type: ignore[arg-type]  # checked by the constructor
    network.options = {key: value for key, value in options.items() if key != "backbone"}
    return network
