"""Losses, gradients and weights that are no longer numbers end a run, and the last good state is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.errors import TrainingError
from imageqx_export.networks.base import Network
from imageqx_export.networks.imageqx.network import ImageQX
from imageqx_export.training import loop, losses
from imageqx_export.training.config import TrainingConfig
from imageqx_export.training.state import load_state, state_path
from imageqx_export.training.targets import labels
from tests.training.fakes import CONFIG, Watched, data
from tests.training.runs import Kept, files, state_of, train


def damage_from(step: int, monkeypatch: pytest.MonkeyPatch, change: Callable[[Tensor], Tensor]) -> None:
    """Change the loss from a step on."""
    real, count = losses.compute_loss, 0

    def damaged(*args: Any) -> Tensor:
        nonlocal count
        count += 1
        value = real(*args)
        return value if count < step else change(value)

    monkeypatch.setattr(labels, "compute_loss", damaged)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "change",
    [
        lambda value: value * float("nan"),
        lambda value: value * float("inf"),
        # The loss is a number, its gradient is not.
        lambda value: value.detach() + (value - value.detach()).abs().sqrt() * 1.0,
    ],
    ids=["nan", "inf", "gradient"],
)
def test_a_loss_that_is_not_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Tensor], Tensor]
) -> None:
    out = tmp_path / "x.safetensors"
    damage_from(4, monkeypatch, change)  # the last step of the second epoch
    kept: dict[str, bytes] = {}
    with pytest.raises(TrainingError, match=r"(?s)diverged.*epoch 2.*--learning-rate.*x\.safetensors\.state"):
        train(CONFIG, out, report=lambda *printed: kept.update(files(tmp_path)))
    assert len(kept) == 2 and kept == files(tmp_path)
    load_checkpoint(out)  # refuses weights that are not numbers
    assert state_of(out)["epoch"] == 1
    monkeypatch.setattr(labels, "compute_loss", losses.compute_loss)
    train(CONFIG, out)
    assert state_of(out)["epoch"] == 2


@pytest.mark.usefixtures("small")
def test_a_learning_rate_that_is_far_too_high(tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    config = replace(CONFIG, learning_rate=1e30, samples=4, epochs=3)
    with pytest.raises(TrainingError, match=r"(?s)diverged.*epoch 2.*finite numbers"):
        train(config, out)
    load_checkpoint(out)
    network = ImageQX()
    assert load_state(state_path(out), config, data().digest(), [network, *_rest(network, config)])[0] == 1


def _rest(network: Network, config: TrainingConfig) -> list[Any]:
    optimizer = torch.optim.AdamW(network.parameters())
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, config.epochs)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    return [torch.optim.swa_utils.AveragedModel(network, use_buffers=True), optimizer, schedule, scaler]


@pytest.mark.usefixtures("small")
def test_the_last_step_of_an_epoch_can_damage_the_weights(tmp_path: Path) -> None:
    """No loss has seen them by then."""
    watched = Watched(0, 1, torch.device("cpu"))

    class Damager(Kept):
        def step(self, number: int, **scalars: Any) -> None:
            if number == 3:  # the last of the second epoch
                next(watched.networks[0].parameters()).data[0] = torch.inf

    out = tmp_path / "x.safetensors"
    with pytest.raises(TrainingError, match=r"(?s)diverged.*epoch 2.*weights that are not"):
        loop.train(CONFIG, out, data(), watched, logs=Damager())
    assert load_checkpoint(out)[0].provenance["history"] == state_of(out)["history"]
    assert state_of(out)["epoch"] == 1 and len(files(tmp_path)) == 2
