"""A network whose BatchNorms mean something, and what goes through it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from imageqx_export.artifact import Temperatures
from imageqx_export.networks.imageqx.network import ImageQX, build

Array = NDArray[Any]

REASONS = ("bad_framing", "bad_light", "blurry", "low_resolution", "too_far_away")
TEMPERATURES = dict(zip(REASONS, (0.4, 1.0, 2.5, 0.8, 1.3), strict=True))


def randomise(network: ImageQX, pixels: Tensor, seed: int) -> None:
    """Give every BatchNorm what a trained one has, so that signals live and folding it away is not trivial.

    With statistics made up from nothing every photo ends in the same features.
    """
    generator = torch.Generator().manual_seed(seed)
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)]
    network.eval()  # no dropout while the statistics are taken
    with torch.no_grad():
        for norm in norms:
            norm.train()
            norm.weight.uniform_(0.6, 1.5, generator=generator)
            norm.bias.normal_(0, 0.2, generator=generator)
            norm.momentum = 1.0  # the statistics of this batch alone
        network.logits(network.features(pixels))
    network.eval()


@pytest.fixture(scope="module")
def network(pixels: Tensor) -> ImageQX:
    torch.manual_seed(11)
    network = build("random")
    randomise(network, pixels, 12)
    return network


@pytest.fixture(scope="module")
def photos() -> Array:
    rng = np.random.default_rng(13)
    coarse = rng.integers(0, 256, (3, 4, 4, 3)).repeat(56, 1).repeat(56, 2)  # so that the maps are not flat
    return np.asarray(np.clip(coarse + rng.normal(0, 25, coarse.shape), 0, 255), np.uint8)


@pytest.fixture(scope="module")
def pixels(photos: Array) -> Tensor:
    scaled = (photos / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    return torch.from_numpy(np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), np.float32))


@pytest.fixture(scope="module")
def features(network: ImageQX, pixels: Tensor) -> Tensor:
    with torch.no_grad():
        return network.features(pixels).detach()  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def calibrated(network: ImageQX) -> ImageQX:
    own = copy.deepcopy(network)
    own.set_temperatures(
        Temperatures(quality=1.7, explanations=dict(reversed(TEMPERATURES.items())))
    )  # by name, not by place
    return own
