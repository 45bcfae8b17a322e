"""A runtime that answers from a table, and photos to ask it about."""

from __future__ import annotations

import numpy as np

from imageqx_export.artifact import ModelSpec, Outputs, Pixels, TensorSpec
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.networks.imageqx.spec import spec


class FakeRuntime:
    """Answer by a photo's first pixel, which numbers it; keeps the sizes of the batches it was given."""

    def __init__(self, outputs: Outputs, model: ModelSpec | None = None) -> None:
        self.spec: ModelSpec = model or spec()
        self.signature: tuple[TensorSpec, ...] = self.spec.outputs
        self.outputs = outputs
        self.batches: list[int] = []

    def run(self, pixels: Pixels) -> Outputs:
        self.batches.append(len(pixels))
        places = pixels[:, 0, 0, :2].astype(int) @ [256, 1]
        return {name: values[places] for name, values in self.outputs.items()}


def labelled(seed: int, count: int, *, fitzpatrick: bool = True) -> LabelledPhotos:
    """Return numbered noise with random truth."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, 224, 224, 3), np.uint8)
    pixels[:, 0, 0, 0], pixels[:, 0, 0, 1] = np.divmod(np.arange(count), 256)
    quality = np.arange(count) % 4
    reasons = (rng.random((count, 5)) < 0.3).astype(np.float32)
    skin = rng.integers(1, 7, count) if fitzpatrick else np.zeros(count, np.int64)
    names = tuple(f"folder/photo number {k}.jpg" for k in range(count))
    return LabelledPhotos(pixels, quality, reasons, skin, names, "photos of noise")


def answers(photos: LabelledPhotos, seed: int, skill: float = 1.5) -> Outputs:
    """Return the outputs of a model that is right more often than not."""
    rng = np.random.default_rng(seed)
    count = len(photos)
    logits = rng.normal(0, 1, (count, 4)) + skill * np.eye(4)[photos.quality]
    quality = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    explanations = 1 / (1 + np.exp(-(rng.normal(0, 1, (count, 5)) + skill * (2 * photos.reasons - 1))))
    attention = rng.random((count, 5, 7, 7))
    outputs = {"quality": quality, "explanations": explanations, "attention": attention}
    return {name: value.astype(np.float32) for name, value in outputs.items()}
