"""Make the photos that a model is measured on: other patients' and other painted scenes, the same at every call."""

from __future__ import annotations

import numpy as np
import torch

from imageqx_export.data.bank import SIDE, Bank, join
from imageqx_export.data.folder import PhotoFolder
from imageqx_export.data.labels import LabelledPhotos, Split
from imageqx_export.data.painted import SCENE_KINDS, paint
from imageqx_export.data.recipes import plan
from imageqx_export.data.spoil import Darkroom
from imageqx_export.support.progress import Progress, silent

# Training paints with its run's seed, a small number.
SEEDS: dict[Split, int] = {"train": 0, "val": 2**31, "test": 2**31 + 1}
_SCENES = 408
_BATCH = 32


def held_out_bank(split: Split, folder: PhotoFolder | None, *, progress: Progress = silent) -> Bank:
    """Return one side's photos and painted scenes."""
    scenes = paint(SEEDS[split], _SCENES, progress=progress)
    return scenes if folder is None else join([folder.side(split), scenes])


def drawn(
    bank: Bank, count: int, split: Split, photos: bool, *, photo_share: float = 0.7, progress: Progress = silent
) -> LabelledPhotos:
    """Draw ``count`` samples of one side of the split.

    Args:
        bank: Its pictures.
        count: How many samples.
        split: Whose random numbers.
        photos: Whether the bank has photos; for the source's sentence.
        photo_share: Of the samples, the share that is made from photos.
        progress: Opens a bar.
    """
    kind = "other patients' photos and other painted scenes" if photos else "painted scenes"
    source = f"{count} {split} samples: {kind}, spoilt in known ways"
    return _developed(bank, SEEDS[split], count, photo_share, split, source, progress)


def painted_samples(count: int, seed: int) -> LabelledPhotos:
    """Paint scenes, spoil them, and return ``count`` samples; a seed always gives the same."""
    bank = paint(seed, max(count, SCENE_KINDS))
    return _developed(bank, seed, count, 0, "painted", f"{count} painted samples of seed {seed}", silent)


def _developed(
    bank: Bank, seed: int, count: int, photo_share: float, name: str, source: str, progress: Progress
) -> LabelledPhotos:
    """Make samples on the CPU, so that they are the same wherever the model runs."""
    room = Darkroom(bank, torch.device("cpu"))
    starts = range(0, count, _BATCH)
    recipes = [plan(bank, (seed, start), min(_BATCH, count - start), photo_share) for start in starts]
    pixels = []
    with progress("drawing samples", len(recipes)) as advance:
        for recipe in recipes:
            pixels.append(room.develop(recipe, SIDE).to(torch.uint8).numpy())
            advance()
    return LabelledPhotos(
        pixels=np.concatenate(pixels),
        quality=np.concatenate([recipe.quality for recipe in recipes]),
        reasons=np.concatenate([recipe.reasons for recipe in recipes]),
        fitzpatrick=np.concatenate([recipe.fitzpatrick for recipe in recipes]),
        names=tuple(f"{name} sample {i}" for i in range(count)),
        source=source,
    )
