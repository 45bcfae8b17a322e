"""Write a run's scalars for TensorBoard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from imageqx_export.support.libraries import require

_EVERY = 10  # steps; a GPU has to be waited for to know a number


class Logs(Protocol):
    """A taker of scalars."""

    def step(self, number: int, **scalars: Any) -> None:
        """Take a step's."""
        ...

    def epoch(self, step: int, loss: float, scalars: Mapping[str, float]) -> None:
        """Take an epoch's loss and validation scores, after ``step`` steps."""
        ...


class NoLogs:
    """A taker of scalars that keeps none."""

    def step(self, number: int, **scalars: Any) -> None:
        """Do nothing."""

    def epoch(self, step: int, loss: float, scalars: Mapping[str, float]) -> None:
        """Do nothing."""


class TensorBoard:
    """A writer of event files: ``tensorboard --logdir DIR`` shows them."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def step(self, number: int, **scalars: Any) -> None:
        """Write a step's scalars, every tenth step."""
        if number % _EVERY == 0:
            for name, value in scalars.items():
                self._writer.add_scalar(f"train/{name}", float(value), number)

    def epoch(self, step: int, loss: float, scalars: Mapping[str, float]) -> None:
        """Write an epoch's loss and validation scores."""
        self._writer.add_scalar("train/epoch_loss", loss, step)
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()


@contextmanager
def open_tensorboard(folder: Path) -> Iterator[TensorBoard]:
    """Open event files in ``folder``.

    Raises:
        UnavailableError: TensorBoard is not installed.
    """
    require("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        yield TensorBoard(writer)
