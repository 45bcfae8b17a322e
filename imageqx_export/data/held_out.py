"""Make the photos that a model is measured on: other patients' and other synthetic scenes, the same at every call."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from imageqx_export.artifact import Pixels
from imageqx_export.data.bank import SIDE, Bank, join
from imageqx_export.data.degradations import Degrader
from imageqx_export.data.folder import PhotoFolder
from imageqx_export.data.labels import LabelledPhotos, Split
from imageqx_export.data.sample_plan import plan_clean, plan_samples
from imageqx_export.data.scenes import SCENE_KINDS, render_scenes
from imageqx_export.data.settings import USUAL, PhotoSettings
from imageqx_export.preprocess import stretch
from imageqx_export.support.progress import Progress, silent

# Training draws with its run's seed, a small number.
SEEDS: dict[Split, int] = {"train": 0, "val": 2**31, "test": 2**31 + 1}
_SCENES = 408
_BATCH = 32


def make_held_out_bank(
    split: Split, folder: PhotoFolder | None, *, side: int = SIDE, progress: Progress = silent
) -> Bank:
    """Return one side's photos and synthetic scenes, of ``side`` pixels a side as the folder's."""
    scenes = render_scenes(SEEDS[split], _SCENES, side=side, progress=progress)
    return scenes if folder is None else join([folder.side(split), scenes])


def draw_samples(
    bank: Bank,
    count: int,
    split: Split,
    photos: bool,
    *,
    photo_share: float = 0.7,
    settings: PhotoSettings = USUAL,
    progress: Progress = silent,
) -> LabelledPhotos:
    """Draw ``count`` samples of one side of the split.

    Args:
        bank: Its pictures.
        count: How many samples.
        split: Whose random numbers.
        photos: Whether the bank has photos; for the source's sentence.
        photo_share: Of the samples, the share that is made from photos.
        settings: What the network wants photos to be like; its side is the bank's.
        progress: Opens a bar.
    """
    kind = "other patients' photos and other synthetic scenes" if photos else "synthetic scenes"
    source = f"{count} {split} samples: {kind}, degraded in known ways"
    return _make_samples(bank, SEEDS[split], count, photo_share, split, source, settings, progress)


def make_synthetic_samples(count: int, seed: int, settings: PhotoSettings = USUAL) -> LabelledPhotos:
    """Draw scenes, degrade them, and return ``count`` samples; a seed gives the same in every release."""
    bank = render_scenes(seed, max(count, SCENE_KINDS), side=settings.side, varied=False)
    source = f"{count} synthetic samples of seed {seed}"
    return _make_samples(bank, seed, count, 0, "synthetic", source, settings, silent, varied=False)


def draw_clean(bank: Bank, count: int, seed: int, settings: PhotoSettings = USUAL) -> Pixels:
    """Draw good pictures as they are, every other one a little brighter, uint8 [count,H,W,3]; a seed gives the same."""
    room = Degrader(bank, torch.device("cpu"))
    plans = [plan_clean(bank, (seed, start), min(_BATCH, count - start)) for start in range(0, count, _BATCH)]
    pixels = [room.degrade(plan, bank.side).to(torch.uint8).numpy() for plan in plans]
    return _fit(np.concatenate(pixels), settings)


def _make_samples(
    bank: Bank,
    seed: int,
    count: int,
    photo_share: float,
    name: str,
    source: str,
    settings: PhotoSettings,
    progress: Progress,
    *,
    varied: bool = True,
) -> LabelledPhotos:
    """Make samples on the CPU, so that they are the same wherever the model runs."""
    room = Degrader(bank, torch.device("cpu"))
    starts = range(0, count, _BATCH)
    plans = [
        plan_samples(
            bank, (seed, start), min(_BATCH, count - start), photo_share, between=settings.between, varied=varied
        )
        for start in starts
    ]
    pixels = []
    with progress("drawing samples", len(plans)) as advance:
        for plan in plans:
            pixels.append(_fit(room.degrade(plan, bank.side).to(torch.uint8).numpy(), settings))
            advance()
    return LabelledPhotos(
        pixels=np.concatenate(pixels),
        quality=np.concatenate([plan.quality for plan in plans]),
        reasons=np.concatenate([plan.reasons for plan in plans]),
        fitzpatrick=np.concatenate([plan.fitzpatrick for plan in plans]),
        names=tuple(f"{name} sample {i}" for i in range(count)),
        source=source,
        votes=np.concatenate([plan.votes for plan in plans]),
    )


def _fit(pixels: Pixels, settings: PhotoSettings) -> Pixels:
    """Return samples of the size that the network takes, stretched as photos are."""
    if settings.shape is None:
        return pixels
    size = (settings.size.width, settings.size.height)
    return np.stack([np.asarray(stretch(Image.fromarray(one), size)) for one in pixels])
