"""Batches to learn from: fresh samples at every step, or the same ones, whose features are computed once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from imageqx_export.data.bank import Bank
from imageqx_export.data.degradations import Degrader
from imageqx_export.data.sample_plan import SamplePlan, plan_samples
from imageqx_export.data.settings import PhotoSettings
from imageqx_export.errors import TrainingError
from imageqx_export.networks.base import Network
from imageqx_export.networks.pixels import normalise
from imageqx_export.support.progress import Progress, silent
from imageqx_export.training.config import TrainingConfig
from imageqx_export.training.parallel import World
from imageqx_export.training.targets.base import Targets, Truth

_FEW = 4
_TRAINING, _FLIPPING, _ORDER = 1, 2, 3  # what random numbers are for: the second part of their key


class Batch(NamedTuple):
    """A process's part of a batch.

    Args:
        inputs: Normalised pixels, float32 [B,3,H,W], or the backbone's features of such.
        truth: What the samples are.
    """

    inputs: Tensor
    truth: Truth


class Batches(Protocol):
    """A source of batches.

    Attributes:
        features: Whether the inputs are the backbone's features.
    """

    features: bool

    def load(self, epoch: int, step: int) -> Batch:
        """Return a batch, the same at every call."""
        ...


@dataclass(frozen=True)
class Maker:
    """A maker of samples from a bank, for one network, in one process.

    Args:
        config: How to train.
        bank: The pictures.
        settings: What the network wants photos to be like.
        targets: What it learns.
        world: Which process this is.
        room: Where pictures are degraded.
    """

    config: TrainingConfig
    bank: Bank
    settings: PhotoSettings
    targets: Targets
    world: World
    room: Degrader

    def make(self, key: tuple[int, ...], size: int) -> Batch:
        """Make a batch of normalised pixels, flipped at random if the configuration says so."""
        config = self.config
        plan = self.world.share(
            plan_samples(
                self.bank,
                key,
                config.batch_size,
                config.photo_share,
                config.rated_share,
                between=self.settings.between,
            )
        )
        pixels = normalise(self.room.degrade(plan, size))
        if config.flips:
            pixels = flip(pixels, plan)
        return Batch(pixels, tuple(one.to(self.world.device) for one in self.targets.read_truth(plan)))


class FreshBatches:
    """Batches of samples that were never seen before, with a size for each epoch."""

    features = False

    def __init__(self, maker: Maker) -> None:
        self.maker = maker

    def load(self, epoch: int, step: int) -> Batch:
        """Make the batch."""
        config = self.maker.config
        size = config.size(epoch, self.maker.bank.side)
        return self.maker.make((config.seed, _TRAINING, epoch, step), size)


class KeptBatches:
    """The first epoch's samples in every epoch, in another order, as the features of a backbone that does not learn.

    Args:
        maker: Makes the samples, once; each is flipped once too.
        network: In eval mode; its backbone is not to change any more.
        progress: Opens a bar.
    """

    features = True

    def __init__(self, maker: Maker, network: Network, progress: Progress = silent) -> None:
        config = maker.config
        if maker.world.size > 1:
            raise TrainingError(
                "a backbone that does not learn needs one process alone",
                got=f"{maker.world.size} processes",
                remedy="leave torchrun out, or --frozen-backbone",
            )
        self.seed = config.seed
        parts: list[Batch] = []
        with progress("features of the samples", config.steps) as advance, torch.inference_mode():
            for step in range(config.steps):
                made = maker.make((config.seed, _TRAINING, 0, step), maker.bank.side)
                parts.append(Batch(compute_features(network, made.inputs), made.truth))
                advance()
        # Not inference tensors, which autograd refuses.
        self.inputs = torch.cat([part.inputs for part in parts]).clone()
        self.truth = tuple(torch.cat(one).clone() for one in zip(*(part.truth for part in parts), strict=True))
        self.batch_size = config.batch_size

    def load(self, epoch: int, step: int) -> Batch:
        """Return the batch of that place in the epoch's own order."""
        order = np.random.default_rng((self.seed, _ORDER, epoch)).permutation(len(self.inputs))
        chosen = torch.from_numpy(order[step * self.batch_size : (step + 1) * self.batch_size])
        return Batch(self.inputs[chosen], tuple(one[chosen] for one in self.truth))


def flip(pixels: Tensor, plan: SamplePlan) -> Tensor:
    """Flip half of the pictures [B,3,H,W] from left to right, and half from top to bottom, by the plan's seed."""
    rng = np.random.default_rng((plan.seed, _FLIPPING))
    across, down = torch.from_numpy(rng.random((2, len(pixels))) < 0.5).to(pixels.device)
    pixels = torch.where(across[:, None, None, None], pixels.flip(3), pixels)
    return torch.where(down[:, None, None, None], pixels.flip(2), pixels)


def compute_features(network: Network, pixels: Tensor) -> Tensor:
    """Return the backbone's features of normalised pixels, averaged over the picture where the heads do that anyway.

    A head that pools gives the same for a map of 7 × 7 and for its mean, which takes a forty-ninth of the memory.
    Whether it does is tried on the first picture.
    """
    # A few at a time: one photo may be several pictures to a backbone, and a CPU's caches are small.
    features = torch.cat([network.features(few) for few in torch.split(pixels, _FEW)])
    if features.ndim != 4:  # no maps: pooled already
        return features
    pooled = features.mean((-2, -1), keepdim=True)
    whole, small = network.logits(features[:1]), network.logits(pooled[:1])
    same = all(torch.allclose(a, b, rtol=1e-4, atol=1e-4) for a, b in zip(whole, small, strict=True))
    return pooled if same else features
