"""Two training loops of one shape, for :mod:`benchmarks.bench_train`: this project's, and torchvision's first example.

The reference is favoured where the two cannot be alike: its files are as small as the network's input, it degrades
photos in fewer ways, it neither clips gradients nor averages weights, and it loads ahead in a process per core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Sampler

from imageqx_export.artifact import Preprocessing
from imageqx_export.data.bank import PHOTO, SIDE, Bank, join, make_bank
from imageqx_export.data.degradations import Degrader
from imageqx_export.data.sample_plan import plan_samples
from imageqx_export.data.scenes import render_scenes
from imageqx_export.networks.imageqx.network import ImageQX
from imageqx_export.networks.imageqx.spec import LABELS, REASONS
from imageqx_export.networks.pixels import normalise
from imageqx_export.training.config import TrainingConfig
from imageqx_export.training.loop import GRADIENT_CLIP
from imageqx_export.training.losses import compute_class_weights, compute_loss
from imageqx_export.training.parallel import World

SEED = 0


class Batch(NamedTuple):
    """A batch: ``pixels`` [B,3,H,H], normalised, and the truth: ``shares`` [B,4] and ``reasons`` [B,5]; all float32."""

    pixels: Tensor
    shares: Tensor
    reasons: Tensor


class Contestant(Protocol):
    """A loop that loads batches and learns from one."""

    def batches(self, count: int) -> Iterator[Batch]:
        """Load ``count`` batches onto the device."""

    def step(self, batch: Batch) -> float:
        """Learn from a batch and return the loss."""


@dataclass(frozen=True)
class Setting:
    """What both do: ``batch`` photos of ``size`` pixels a side on ``device``; the reference has ``workers``."""

    batch: int
    size: int
    device: torch.device
    workers: int


class Ours:
    """The lines of :func:`imageqx_export.training.loop.train` between two batches, with its default configuration."""

    def __init__(self, bank: Bank, setting: Setting, arithmetic: torch.dtype | None = None) -> None:
        self.setting, self.bank, self.arithmetic, self.made = setting, bank, arithmetic, 0
        config, device = TrainingConfig(), setting.device
        torch.manual_seed(SEED)
        self.network = ImageQX("random").train()
        average = get_ema_multi_avg_fn(config.ema_decay)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(self.network, multi_avg_fn=average, use_buffers=True).to(device)
        self.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.schedule = CosineAnnealingWarmRestarts(self.optimizer, config.epochs * config.steps)
        self.scaler = torch.amp.GradScaler(device.type, enabled=False)
        self.module = World(0, 1, device).spread(self.network)
        self.weights = compute_class_weights(torch.ones(len(LABELS))).to(device)
        self.room = Degrader(bank, device)

    def batches(self, count: int) -> Iterator[Batch]:
        """Plan, develop and normalise."""
        for _ in range(count):
            self.made += 1
            plan = plan_samples(self.bank, (SEED, self.made), self.setting.batch)
            pixels = normalise(self.room.degrade(plan, self.setting.size))
            truth = (torch.from_numpy(values).to(self.setting.device) for values in (plan.shares, plan.reasons))
            yield Batch(pixels, *truth)

    def step(self, batch: Batch) -> float:
        """Learn as ``train`` does."""
        with torch.autocast(self.setting.device.type, self.arithmetic, self.arithmetic is not None):
            logits = self.module(batch.pixels)
        value = compute_loss(logits, batch.shares, batch.reasons, self.weights)
        self.optimizer.zero_grad()
        self.scaler.scale(value).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_CLIP)
        if not value.isfinite() or not norm.isfinite():
            raise RuntimeError("the training diverged, so that its speed means nothing")
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        self.average.update_parameters(self.network)
        return float(value.detach())


class Draws(Sampler[int]):
    """A drawer of ``count`` of ``total`` files; ``count`` is set before each turn."""

    def __init__(self, total: int) -> None:
        self.total, self.count, self.rng = total, 0, np.random.default_rng(SEED)

    def __iter__(self) -> Iterator[int]:
        return iter(self.rng.integers(self.total, size=self.count).tolist())

    def __len__(self) -> int:
        return self.count


class Reference:
    """The first thing to write: ImageFolder, transforms, a DataLoader with a process per core, AdamW, float32."""

    def __init__(self, folder: Path, setting: Setting) -> None:
        from torchvision.datasets import ImageFolder

        self.setting = setting
        dataset = ImageFolder(str(folder), _transform(setting.size))
        self.draws = Draws(len(dataset))
        self.loader: DataLoader[Any] = DataLoader(
            dataset,
            setting.batch,
            sampler=self.draws,
            num_workers=setting.workers,
            persistent_workers=True,
            pin_memory=setting.device.type == "cuda",
            generator=torch.Generator().manual_seed(SEED),
        )
        torch.manual_seed(SEED)
        self.network = ImageQX("random").to(setting.device).train()
        config = TrainingConfig()
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.weights = compute_class_weights(torch.ones(len(LABELS))).to(setting.device)

    def batches(self, count: int) -> Iterator[Batch]:
        """Load files and transform them; a folder's name is a label, and there are no reasons."""
        self.draws.count = count * self.setting.batch
        for pixels, labels in self.loader:
            shares = functional.one_hot(labels, len(LABELS)).float()
            reasons = torch.zeros(len(labels), len(REASONS))
            yield Batch(*(part.to(self.setting.device, non_blocking=True) for part in (pixels, shares, reasons)))

    def step(self, batch: Batch) -> float:
        """Learn as in any tutorial."""
        logits = self.network.logits(self.network.features(batch.pixels))
        value = compute_loss(logits, batch.shares, batch.reasons, self.weights)
        self.optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return value.item()


def _transform(size: int) -> Callable[[Image.Image], Tensor]:
    """Return torchvision's counterparts of framing and distance, light, blur and resolution.

    Blur and compression befall as many photos as with ours; a change of hue is the counterpart of our colour casts.
    """
    from torchvision.transforms import v2

    preprocessing = Preprocessing()
    chain: Callable[[Image.Image], Tensor] = v2.Compose(
        [
            v2.ToImage(),
            v2.RandomResizedCrop(size, scale=(0.2, 1.0), antialias=True),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(brightness=0.5, contrast=0.3, saturation=0.3, hue=0.05),
            v2.RandomApply([v2.GaussianBlur(9, sigma=(0.3, 3.0))], 0.7),
            v2.RandomApply([v2.JPEG((8, 90))], 0.6),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(preprocessing.mean, preprocessing.std),
        ]
    )
    return chain


def pictures(count: int) -> Bank:
    """Draw scenes; those that are good as they are count once more, as photos, whose plans take most work.

    Every other photo has a mask, since not every subject can be cut out.
    """
    scenes = render_scenes(SEED, count)
    good = scenes.take(np.flatnonzero(scenes.reasons.sum(1) == 0))
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    mask = np.where(x**2 + y**2 < 0.5, 255, 0).astype(np.uint8)
    masks = [mask if index % 2 else None for index in range(len(good))]
    return join([scenes, make_bank(good.images, good.quality, PHOTO, masks=masks)])


def write_folder(bank: Bank, folder: Path) -> None:
    """Write a bank as JPEG files of quality 95, a folder per label, as ImageFolder reads them."""
    for index, (image, label) in enumerate(zip(bank.images, bank.quality, strict=True)):
        path = folder / f"{label}_{LABELS[label]}" / f"{index:05}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path, quality=95)
