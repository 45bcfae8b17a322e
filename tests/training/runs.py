"""Runs of the training loop, and what they leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imageqx_export.artifact import Checkpoint
from imageqx_export.training import loop
from imageqx_export.training.config import TrainingConfig
from imageqx_export.training.state import state_path
from tests.training.fakes import ALONE, data

Report = Callable[[int, float, dict[str, Any]], None]


class Kept:
    """Keep a run's scalars."""

    def __init__(self) -> None:
        self.steps: dict[int, dict[str, float]] = {}
        self.epochs: dict[int, float] = {}

    def step(self, number: int, **scalars: Any) -> None:
        self.steps[number] = {name: float(value) for name, value in scalars.items()}

    def epoch(self, step: int, loss: float, scalars: Mapping[str, float]) -> None:
        self.epochs[step] = loss

    def rates(self) -> list[float]:
        return [scalars["rate"] for scalars in self.steps.values()]


def train(config: TrainingConfig, out: Path, **options: Any) -> Checkpoint:
    return loop.train(config, out, data(), ALONE, **options)[0]


def interrupted(after: int) -> Report:
    """Press Ctrl-C after an epoch."""

    def report(epoch: int, value: float, metrics: dict[str, Any]) -> None:
        if epoch == after:
            raise KeyboardInterrupt

    return report


def state_of(out: Path) -> dict[str, Any]:
    state = torch.load(state_path(out), weights_only=True)
    assert isinstance(state, dict)
    return state


def same(one: Any, other: Any) -> bool:
    """Compare nested values bit by bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return torch.equal(one, other) if isinstance(one, Tensor) else bool(one == other)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
