"""Small things to train on: synthetic scenes, a table of rated photos, a network that takes no time."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from imageqx_export.data.bank import Bank
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.data.scenes import render_scenes
from imageqx_export.networks.base import Network
from imageqx_export.training.config import TrainingConfig
from imageqx_export.training.loop import TrainingData
from imageqx_export.training.parallel import World

ALONE = World(0, 1, torch.device("cpu"))
CONFIG = TrainingConfig(
    epochs=2, samples=8, batch_size=4, small_epochs=99, small_size=32, validation_samples=4, synthetic_scenes=17, seed=3
)

# image: per rater, what the rater said, and of which patient; every label is on every side.
RATED = {
    "train": (("L57.0", "poor_quality:blurry"), ("no_skin",), ("healthy_skin",), ("poor_quality:blurry;bad_light",)),
    "val": (("L57.0",), ("no_skin",), ("healthy_skin",), ("poor_quality:blurry", "poor_quality:bad_framing")),
    "test": (("L57.0", "D22.9"), ("no_skin",), ("healthy_skin", "L57.0"), ("poor_quality:blurry",)),
}


@cache
def bank() -> Bank:
    """Draw two scenes of each kind; not to be written to."""
    return render_scenes(7, 34)


@cache
def validation() -> LabelledPhotos:
    """Return four scenes, one of them called poor."""
    kept = bank()
    return LabelledPhotos(
        pixels=kept.images[:4],
        quality=np.array([*kept.quality[:3], 3]),
        reasons=np.eye(4, 5, dtype=np.float32),
        fitzpatrick=kept.fitzpatrick[:4],
        names=("a", "b", "c", "d"),
        source="4 scenes",
    )


def data() -> TrainingData:
    return TrainingData(bank(), validation(), {"validation": "4 scenes", "synthetic_scenes": 34})


@dataclass(frozen=True)
class Watched(World):
    """A World that keeps the networks which are trained in it."""

    networks: list[Network] = field(default_factory=list)

    def spread(self, network: Network, *, heads: bool = False) -> nn.Module:
        self.networks.append(network)
        return super().spread(network, heads=heads)


def small_backbone(weights: str) -> nn.Module:
    """Return two convolutions, a norm and dropout in the place of EfficientNet-B0."""
    convolutions = nn.Conv2d(3, 8, 5, stride=4), nn.Conv2d(8, 1280, 3, stride=4)
    return nn.Sequential(convolutions[0], nn.BatchNorm2d(8), nn.SiLU(), nn.Dropout(0.3), convolutions[1])


def rated_photos(folder: Path) -> Path:
    """Write twelve photos, each of a patient of its own, and the table ``ratings.csv`` of what raters said.

    Returns:
        The table, which lies among its photos.
    """
    rng = np.random.default_rng(5)
    lines = ["image,rater,evaluation,reasons,patient,split,fitzpatrick"]
    for split, photos in RATED.items():
        for number, printed in enumerate(photos):
            name = f"{split}{number}.png"
            coarse = rng.integers(0, 256, (3, 4, 3), np.uint8).repeat(12, 0).repeat(10, 1)
            Image.fromarray(coarse).save(folder / name)
            for rater, rating in enumerate(printed):
                evaluation, _, reasons = rating.partition(":")
                lines.append(f"{name},r{rater},{evaluation},{reasons},{name},{split},{number + 1}")
    table = folder / "ratings.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table
