"""Run a network on held-out photos, or on what it learns from, to see how it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from imageqx_export.artifact import Outputs
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.networks.base import Network
from imageqx_export.networks.pixels import normalise
from imageqx_export.training.batches import Batches, compute_features
from imageqx_export.training.config import TrainingConfig
from imageqx_export.training.targets.base import Truth

_CHUNK = 32
_STEPS = 64  # at most so many batches of training samples are looked at


@dataclass(frozen=True)
class HeldOut:
    """Photos to look at after every epoch.

    Args:
        photos: What they are.
        features: A backbone's, where it does not learn, per 32 photos; None computes them at every look.
    """

    photos: LabelledPhotos
    features: tuple[Tensor, ...] | None = None

    def keep(self, network: Network) -> HeldOut:
        """Return the same with the features of a backbone that does not learn."""
        with torch.inference_mode():
            return HeldOut(
                self.photos, tuple(compute_features(network, pixels) for pixels in self._iterate_pixels(network))
            )

    def run(self, network: Network) -> Outputs:
        """Return the outputs that are probabilities, by name; the network is in eval mode afterwards."""
        network.eval()
        with torch.inference_mode():
            features = self.features or (network.features(pixels) for pixels in self._iterate_pixels(network))
            return _gather(network, [network.probabilities(network.logits(one)) for one in features])

    def _iterate_pixels(self, network: Network) -> Iterator[Tensor]:
        device = next(network.parameters()).device
        for start in range(0, len(self.photos), _CHUNK):
            yield normalise(torch.from_numpy(self.photos.pixels[start : start + _CHUNK]).to(device))


def run_batches(network: Network, batches: Batches, config: TrainingConfig) -> tuple[Outputs, Truth]:
    """Return a network's probabilities on the first epoch's samples, 64 batches of them at most, and their truth."""
    made, truth = [], []
    with torch.inference_mode():
        for step in range(min(config.steps, _STEPS)):
            batch = batches.load(0, step)
            features = batch.inputs if batches.features else network.features(batch.inputs)
            made.append(network.probabilities(network.logits(features)))
            truth.append(batch.truth)
    return _gather(network, made), tuple(torch.cat(one) for one in zip(*truth, strict=True))


def _gather(network: Network, parts: list[tuple[Tensor, ...]]) -> Outputs:
    names = [output.name for output in network.spec.outputs]
    columns = zip(*parts, strict=True)
    return {
        name: np.concatenate([one.cpu().numpy() for one in column])
        for name, column in zip(names, columns, strict=False)  # attention comes after the probabilities
    }
