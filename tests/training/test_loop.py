"""The loop: it learns, goes on where it stopped, and never spoils what it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.data.samples import Samples
from imageqx_export.errors import TrainingError, UnknownNameError
from imageqx_export.networks import imageqx
from imageqx_export.training import loop, losses
from imageqx_export.training.loop import TrainingConfig, normalised, train

CONFIG = TrainingConfig(
    epochs=2, samples=8, batch_size=4, small_epochs=2, small_size=64, validation_samples=4, workers=0, seed=3
)
Report = Callable[[int, float, dict[str, Any]], None]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train the real heads on a backbone of two convolutions, dropout and a norm."""

    def backbone(weights: str) -> nn.Module:
        convolutions = nn.Conv2d(3, 8, 5, stride=4), nn.Conv2d(8, 1280, 3, stride=4)
        return nn.Sequential(convolutions[0], nn.BatchNorm2d(8), nn.SiLU(), nn.Dropout(0.3), convolutions[1])

    monkeypatch.setattr(imageqx, "_backbone", backbone)
    monkeypatch.setattr(loop, "_label_counts", lambda samples: torch.tensor([3, 1, 2, 4]))  # a second to draw


def interrupted(after: int) -> Report:
    """Press Ctrl-C after an epoch."""

    def report(epoch: int, value: float, metrics: dict[str, Any]) -> None:
        if epoch == after:
            raise KeyboardInterrupt

    return report


def equal(one: Path, other: Path) -> bool:
    first, second = load_file(one), load_file(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_the_whole_network_for_one_epoch(tmp_path: Path) -> None:
    seen: list[tuple[int, float]] = []
    config = replace(CONFIG, epochs=1, samples=4, small_epochs=1)
    out = tmp_path / "imageqx.safetensors"
    checkpoint = train(config, out, report=lambda epoch, value, metrics: seen.append((epoch, value)))
    again, network = load_checkpoint(out)
    assert again == checkpoint and len(seen) == 1 and seen[0][0] == 1 and np.isfinite(seen[0][1])
    assert not network.training and checkpoint.metrics["samples"] == 4
    provenance: dict[str, Any] = checkpoint.provenance
    assert provenance["config"]["seed"] == 3 and provenance["photos"] is None
    assert provenance["history"][0]["loss"] == seen[0][1]
    done = train(config, out)  # nothing is left to do
    assert done == checkpoint


@pytest.mark.usefixtures("tiny")
def test_resuming_gives_the_same_weights(tmp_path: Path) -> None:
    whole, broken, other = (tmp_path / name / "x.safetensors" for name in ("whole", "broken", "other"))
    expected = train(CONFIG, whole)
    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, broken, report=interrupted(1))
    assert not equal(broken, whole), "the second epoch changes nothing: the test proves nothing"
    epochs: list[int] = []
    torch.rand(7)  # chance elsewhere does not matter
    got = train(CONFIG, broken, report=lambda epoch, value, metrics: epochs.append(epoch))
    assert epochs == [2]
    assert equal(broken, whole)
    assert got.provenance == expected.provenance and got.metrics == expected.metrics
    train(replace(CONFIG, epochs=1, seed=4), other)
    assert not equal(other, whole)


@pytest.mark.usefixtures("tiny")
def test_starting_over(tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, out, report=interrupted(1))
    epochs: list[int] = []
    train(CONFIG, out, resume=False, report=lambda epoch, value, metrics: epochs.append(epoch))
    assert epochs == [1, 2]


@pytest.mark.usefixtures("tiny")
def test_the_state_of_another_configuration(tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    train(replace(CONFIG, epochs=1), out)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(TrainingError, match=r"(?s)epochs, learning_rate.*--fresh"):
        train(replace(CONFIG, epochs=3, learning_rate=0.5), out)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("damage", ["empty", "truncated", "text", "list", "no config"])
def test_a_damaged_state(tmp_path: Path, damage: str) -> None:
    out = tmp_path / "x.safetensors"
    state = tmp_path / "x.safetensors.state"
    if damage == "truncated":
        torch.save({"config": {}, "parts": [torch.zeros(4000)]}, state)
        state.write_bytes(state.read_bytes()[:5000])
    elif damage in ("list", "no config"):
        torch.save([1, 2] if damage == "list" else {"epoch": 1}, state)
    else:
        state.write_bytes(b"" if damage == "empty" else b"not a state at all")
    content = state.read_bytes()
    with pytest.raises(TrainingError, match=r"(?s)cannot be read.*x\.safetensors\.state.*--fresh"):
        train(CONFIG, out)
    assert state.read_bytes() == content


def spoil_from(step: int, monkeypatch: pytest.MonkeyPatch, change: Callable[[Tensor], Tensor]) -> None:
    """Change the loss from a step on."""
    real, count = losses.loss, 0

    def spoilt(*args: Any) -> Tensor:
        nonlocal count
        count += 1
        value = real(*args)
        return value if count < step else change(value)

    monkeypatch.setattr(loop, "loss", spoilt)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    "change",
    [
        lambda value: value * float("nan"),
        lambda value: value * float("inf"),
        # The loss is a number, its gradient is not: the last step of an epoch.
        lambda value: value.detach() + (value - value.detach()).abs().sqrt() * 1.0,
    ],
    ids=["nan", "inf", "gradient"],
)
@pytest.mark.parametrize("step", [4])  # the last of the second epoch
def test_a_loss_that_is_not_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Tensor], Tensor], step: int
) -> None:
    out = tmp_path / "x.safetensors"
    spoil_from(step, monkeypatch, change)
    kept: dict[str, bytes] = {}

    def report(epoch: int, value: float, metrics: dict[str, Any]) -> None:
        kept.update({path.name: path.read_bytes() for path in tmp_path.iterdir()})

    with pytest.raises(TrainingError, match=r"(?s)not a number.*epoch 2.*--learning-rate"):
        train(CONFIG, out, report=report)
    assert len(kept) == 2 and kept == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert all(value.isfinite().all() for value in load_file(out).values())


@pytest.mark.usefixtures("tiny")
def test_a_learning_rate_that_is_far_too_high(tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    with pytest.raises(TrainingError, match="not a number"):
        train(replace(CONFIG, learning_rate=1e30, samples=16), out)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("tiny")
def test_the_loss_goes_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four photos again and again can be learnt by heart."""
    fixed = [Samples(3)[index] for index in range(4)]
    monkeypatch.setattr(loop._Epoch, "__getitem__", lambda self, index: fixed[index % 4])
    means: list[float] = []
    config = replace(CONFIG, epochs=6, small_epochs=6, samples=32, learning_rate=2e-2, validation_samples=1)
    train(config, tmp_path / "x.safetensors", report=lambda epoch, value, metrics: means.append(value))
    assert means[-1] < 0.5 * means[0]


@pytest.mark.parametrize("size", [224, 64])
def test_normalised_pixels(size: int) -> None:
    card = np.broadcast_to(np.array([10, 128, 250], np.uint8), (2, 224, 224, 3)).copy()
    got = normalised(torch.from_numpy(card), size)
    expected = (np.array([10, 128, 250]) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert got.shape == (2, 3, size, size) and got.dtype == torch.float32
    assert np.abs(got.numpy() - expected[:, None, None]).max() < 1e-5


@pytest.mark.parametrize("name", ["epochs", "samples", "batch_size", "validation_samples"])
def test_configurations_that_make_no_sense(name: str) -> None:
    with pytest.raises(TrainingError, match="at least 1"):
        replace(CONFIG, **{name: 0})  # type: ignore[arg-type]  # all four are integers
    with pytest.raises(UnknownNameError, match=r"'pretrained'"):
        TrainingConfig(initialisation="pretrained")
