"""Save and load what a run goes on from: weights, averages, optimizer, schedule, history."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, Field, asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError

from imageqx_export.errors import StoppedError, TrainingError
from imageqx_export.support.boundaries import translate_errors
from imageqx_export.support.files import write_aside
from imageqx_export.support.untrusted import name_error
from imageqx_export.training.config import rename_old_fields

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

History = list[dict[str, Any]]


def state_path(out: Path) -> Path:
    """Return where the state of the run that writes ``out`` lies."""
    return out.with_suffix(out.suffix + ".state")


@contextmanager
def save_state(
    path: Path, config: DataclassInstance, data: str, epoch: int, history: History, parts: list[Any]
) -> Iterator[None]:
    """Write the state after ``epoch`` epochs; it takes its place when the block, which writes the checkpoint, has.

    So a disk that fills up leaves both as they were: the state, which is four times as large, is whole before the
    checkpoint is touched.

    Args:
        path: The file.
        config: Of the run, a dataclass of numbers and words.
        data: Digest of what is trained on.
        epoch: Epochs done.
        history: A line per epoch.
        parts: Things with ``state_dict()``.

    Raises:
        TrainingError: There is no room on the disk, or the folder may not be written to.
    """
    state = {"config": asdict(config), "data": data, "epoch": epoch, "history": history}
    with explain_failed_writes(path.parent), write_aside(path) as aside:
        try:
            with aside.open("wb") as file:
                torch.save({**state, "parts": [part.state_dict() for part in parts]}, file)
        except RuntimeError as error:  # torch's own, where writing fails; the reason is in its context
            raise error.__context__ if isinstance(error.__context__, OSError) else error from None
        yield


@contextmanager
def explain_failed_writes(folder: Path) -> Iterator[None]:
    """Turn what the libraries raise when a file cannot be written into one sentence.

    Raises:
        TrainingError: Something in the block could not be written.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            "a file cannot be written",
            where=folder,
            got=(getattr(error, "strerror", None) or str(error)),
            remedy="make room there, and run the same command: it goes on after the last epoch that was kept",
        ) from error


def _find_usual(field: Field[Any]) -> Any:
    """Return a field's default, or MISSING, which equals no value."""
    return field.default if field.default_factory is MISSING else field.default_factory()


def load_state(path: Path, config: DataclassInstance, data: str, parts: list[Any]) -> tuple[int, History]:
    """Put the state at ``path`` into ``parts``; without a file, leave them as they are.

    Returns:
        Epochs done, and the history.

    Raises:
        TrainingError: The file is damaged, or belongs to another configuration or other data.
    """
    if not path.is_file():
        return 0, []
    with translate_errors(lambda error: _blame("the state file cannot be read", path, error)):
        state = torch.load(path, weights_only=True, map_location="cpu")
        saved, saved_data = rename_old_fields(state["config"]), str(state["data"])
    # What an earlier version did not know, it did as is usual today.
    usual = {field.name: _find_usual(field) for field in fields(config)}
    changed = [name for name, value in asdict(config).items() if saved.get(name, usual[name]) != value]
    changed += ["the photos"] if saved_data != data else []
    if changed:
        raise TrainingError(
            "the state file belongs to another configuration",
            where=path,
            got=f"other values for {', '.join(changed)}",
            remedy="pass the same options to go on, or --fresh to start over",
        )
    with translate_errors(lambda error: _blame("the state file does not fit this version", path, error)):
        epoch, history = _check_progress(state["epoch"], state["history"])
        for part, values in zip(parts, state["parts"], strict=True):
            part.load_state_dict(values)
        return epoch, history


def _check_progress(epoch: Any, history: Any) -> tuple[int, History]:
    """Return the epochs done and their lines; nothing else may have been between a number and a list of as many."""
    if type(epoch) is not int or not isinstance(history, list) or len(history) != epoch:
        raise ValueError(f"epoch {str(epoch)[:20]} with a history of {len(history)}")
    for number, line in enumerate(history, 1):
        if not isinstance(line, dict) or line.get("epoch") != number:
            raise ValueError(f"line {number} of the history is not of epoch {number}")
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in line.values()):
            raise ValueError(f"line {number} of the history has what is no number")
    return epoch, history


def _blame(what: str, path: Path, error: Exception) -> TrainingError:
    return TrainingError(what, where=path, got=name_error(error), remedy="pass --fresh to start over")


def describe_divergence(epoch: int, got: str, state: Path) -> TrainingError:
    """Return the error of a run whose numbers are no longer finite.

    Args:
        epoch: The epoch in which it was seen, from 0.
        got: The numbers.
        state: The file of the state before that epoch.
    """
    return TrainingError(
        "the training diverged",
        where=f"epoch {epoch + 1}",
        expected="finite numbers",
        got=got,
        remedy=f"--fresh with a smaller --learning-rate; the state before this epoch is kept in {state}",
    )


def read_stamps(states: Sequence[Path]) -> tuple[int, ...]:
    """Return when each state file was written, in nanoseconds; 0 of one that is not there."""
    return tuple(state.stat().st_mtime_ns if state.is_file() else 0 for state in states)


def describe_stop(states: Sequence[Path], where: Path, before: Sequence[int], *, resume: bool) -> StoppedError:
    """Return the error of a run that was stopped with Ctrl-C, perhaps while its pictures were still drawn.

    Args:
        states: The state files that it writes, or would have written.
        where: The file to name, or the pattern of several.
        before: Their stamps when the run began. What an earlier run left is no epoch of one that did not take it up.
        resume: Whether it took up an earlier run's state; ``--fresh`` does not, and given again starts over.
    """
    now = read_stamps(states)
    if not (any(now) if resume else now != tuple(before)):
        return StoppedError(
            "stopped before the first epoch was finished; nothing is kept",
            got="Ctrl-C",
            remedy="the same command, which starts over",
        )
    return StoppedError(
        "stopped; the epochs that were finished are kept",
        where=where,
        got="Ctrl-C",
        remedy=f"the same command{'' if resume else ' without --fresh'}, which goes on from there",
    )
