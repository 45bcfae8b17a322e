"""Duke IQA on VGG16's kinds of layers, a fiftieth as large: what its export is tried with."""

from __future__ import annotations

import torch
from torch import nn

from imageqx_export.artifact import ModelSpec
from imageqx_export.networks.duke_iqa import spec as duke
from imageqx_export.networks.duke_iqa.network import DukeIQA

NAME = "small-vgg"


def make_backbone() -> nn.Sequential:
    """Return VGG16's first two convolutions and two more, each with its ReLU, and pools between them."""
    layers: list[nn.Module] = []
    for before, after in ((3, 8), (8, 8), (8, 12), (12, 512)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True)]
        layers += [nn.MaxPool2d(4)] if before > 3 else []
    return nn.Sequential(*layers)


def small_vgg() -> DukeIQA:
    """Return the same network every time, in eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        made = DukeIQA(NAME)
        made.features.backbone = make_backbone()
        made.bag.score = nn.Linear(512, 1, bias=False)
    made.bag.score.weight.data *= 30  # so that what it answers varies
    return made.eval()


def spec(name: str, **options: str | float) -> ModelSpec:
    """Return its ModelSpec."""
    return duke.spec(name)


def build(weights: str, name: str, **options: str | float) -> DukeIQA:
    """Return it."""
    return small_vgg()
