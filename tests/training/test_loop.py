"""The loop: it learns, goes on where it stopped to the bit, and never damages what it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from imageqx_export.artifact import Checkpoint, Temperatures
from imageqx_export.checkpoint import load_checkpoint, save_checkpoint
from imageqx_export.data.sample_plan import plan_samples
from imageqx_export.errors import CheckpointError, TrainingError, UnknownNameError
from imageqx_export.networks.base import Network
from imageqx_export.networks.imageqx.network import ImageQX
from imageqx_export.networks.imageqx.spec import REASONS
from imageqx_export.training import loop, losses
from imageqx_export.training.config import TrainingConfig
from imageqx_export.training.state import load_state, state_path
from tests.training.fakes import ALONE, CONFIG, Watched, bank, data, validation

Report = Callable[[int, float, dict[str, Any]], None]


class Kept:
    """Keep a run's scalars."""

    def __init__(self) -> None:
        self.steps: dict[int, dict[str, float]] = {}
        self.epochs: dict[int, float] = {}

    def step(self, number: int, **scalars: Any) -> None:
        self.steps[number] = {name: float(value) for name, value in scalars.items()}

    def epoch(self, step: int, loss: float, metrics: dict[str, Any]) -> None:
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


def test_resuming_the_whole_network_gives_the_same_bits(tmp_path: Path) -> None:
    """Dropout, stochastic depth, averages, a warm restart and all."""
    config = replace(CONFIG, restart_epochs=1, restart_factor=2, label_smoothing=0.1)
    whole, broken = (tmp_path / name / "x.safetensors" for name in ("whole", "broken"))
    seen: list[tuple[int, float, int]] = []
    expected = train(config, whole, report=lambda *said: seen.append((said[0], said[1], said[2]["samples"])))
    assert [epoch for epoch, _, _ in seen] == [0, 1, 2] and {samples for _, _, samples in seen} == {4}
    assert np.isnan(seen[0][1]) and all(np.isfinite(value) for _, value, _ in seen[1:])
    with pytest.raises(KeyboardInterrupt):
        train(config, broken, report=interrupted(1))
    assert not same(load_file(broken), load_file(whole)), "the second epoch changes nothing: the test proves nothing"
    torch.rand(7)  # chance elsewhere does not matter
    epochs: list[int] = []
    got = train(config, broken, report=lambda epoch, *rest: epochs.append(epoch))
    assert epochs == [2]
    assert same(load_file(broken), load_file(whole)) and same(state_of(broken), state_of(whole))
    assert broken.read_bytes() == whole.read_bytes() and got.sha256 == expected.sha256
    assert got.provenance == expected.provenance and got.metrics == expected.metrics
    again, network = load_checkpoint(whole)
    assert again == expected and not network.training
    provenance: dict[str, Any] = again.provenance
    assert provenance["config"]["seed"] == 3 and provenance["data"] == data().facts
    assert [row["loss"] for row in provenance["history"]] == [value for _, value, _ in seen[1:]]


@pytest.mark.usefixtures("small")
def test_a_run_that_is_done_stays_done(tmp_path: Path) -> None:
    out, epochs = tmp_path / "x.safetensors", list[int]()
    done = train(replace(CONFIG, epochs=1), out)
    before = files(tmp_path)
    assert train(replace(CONFIG, epochs=1), out, report=lambda epoch, *rest: epochs.append(epoch)) == done
    assert epochs == [] and files(tmp_path) == before


@pytest.mark.usefixtures("small")
def test_starting_over_and_another_seed(tmp_path: Path) -> None:
    out, other, epochs = tmp_path / "x.safetensors", tmp_path / "y.safetensors", list[int]()
    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, out, report=interrupted(1))
    first = load_file(out)
    with pytest.raises(KeyboardInterrupt):
        train(replace(CONFIG, seed=4), other, report=interrupted(1))
    assert not same(load_file(other), first)
    train(CONFIG, out, resume=False, report=lambda epoch, *rest: epochs.append(epoch))
    assert epochs == [0, 1, 2]


@pytest.mark.usefixtures("small")
def test_the_early_look_is_at_the_first_weights(tmp_path: Path) -> None:
    """What cannot be scored is told before an epoch is trained, and nothing is written by then."""
    looks: list[dict[str, Any]] = []

    def report(epoch: int, value: float, metrics: dict[str, Any]) -> None:
        assert epoch == 0 and np.isnan(value) and not list(tmp_path.iterdir())
        looks.append(metrics)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, tmp_path / "x.safetensors", report=report)
    torch.manual_seed(CONFIG.seed)
    assert looks == [loop.evaluate(ImageQX(), validation())]


@pytest.mark.usefixtures("small")
def test_going_on_from_a_checkpoint(tmp_path: Path) -> None:
    """Its weights are the first ones, its temperatures are not learnt from, and where they come from is on record."""
    start, out, looks = tmp_path / "start.safetensors", tmp_path / "x.safetensors", list[dict[str, Any]]()
    first = train(replace(CONFIG, epochs=1), start)
    _, network = load_checkpoint(start)
    heat = Temperatures(quality=3.0, explanations=dict.fromkeys(REASONS, 3.0))
    first = save_checkpoint(network, first.spec, first.metrics, first.provenance, start, heat)
    config = replace(CONFIG, epochs=1, seed=8, initialisation=str(start))
    got = train(config, out, report=lambda epoch, value, metrics: looks.append(metrics))
    assert looks[0] == first.metrics and got.temperatures is None
    assert got.provenance["origin"] == {"sha256": first.sha256, **first.provenance}
    assert not same(load_file(out), load_file(start))
    with pytest.raises(CheckpointError, match=r"none\.safetensors"):
        train(replace(config, initialisation="none.safetensors"), tmp_path / "y.safetensors")


@pytest.mark.usefixtures("small")
def test_the_learning_rate_takes_the_papers_course(tmp_path: Path) -> None:
    """Loshchilov & Hutter, SGDR, ICLR 2017, equation 5, with T_0 of one epoch and T_mult of 2; also when resumed."""
    config = replace(CONFIG, epochs=7, restart_epochs=1, restart_factor=2, learning_rate=0.03, validation_samples=1)
    top, bottom = 0.03, 0.03 / 100
    cycles = [(step, length) for length in (2, 4, 8) for step in range(length)]  # two steps an epoch
    expected = [bottom + (top - bottom) / 2 * (1 + np.cos(np.pi * step / length)) for step, length in cycles]
    kept = Kept()
    train(config, tmp_path / "x.safetensors", logs=kept)
    assert list(kept.steps) == list(range(14)) and kept.rates() == pytest.approx(expected, rel=1e-9)
    assert list(kept.epochs) == [2, 4, 6, 8, 10, 12, 14]
    assert kept.epochs[2] == pytest.approx((kept.steps[0]["loss"] + kept.steps[1]["loss"]) / 2)
    first, second = Kept(), Kept()
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "y.safetensors", logs=first, report=interrupted(2))
    train(config, tmp_path / "y.safetensors", logs=second)
    assert first.rates() + second.rates() == kept.rates()
    once = Kept()
    train(replace(config, restart_epochs=0, epochs=3), tmp_path / "z.safetensors", logs=once)
    halfway = [bottom + (top - bottom) / 2 * (1 + np.cos(np.pi * step / 6)) for step in range(6)]
    assert once.rates() == pytest.approx(halfway, rel=1e-9)


def test_bfloat16_trains_and_is_saved_as_float32(tmp_path: Path) -> None:
    values: dict[str, float] = {}
    for name in ("bf16", "fp32"):
        kept = Kept()
        config = replace(CONFIG, epochs=1, samples=4, arithmetic=name)
        train(config, tmp_path / name / "x.safetensors", logs=kept)
        values[name] = kept.steps[0]["loss"]
    assert values["bf16"] != values["fp32"], "nothing was computed in bfloat16"
    assert values["bf16"] == pytest.approx(values["fp32"], rel=0.3)
    weights = load_file(tmp_path / "bf16" / "x.safetensors")
    assert all(value.dtype == torch.float32 and value.isfinite().all() for value in weights.values())


@pytest.mark.usefixtures("small")
def test_float16_without_a_gpu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"(?s)fp16 arithmetic needs a GPU.*bf16"):
        train(replace(CONFIG, arithmetic="fp16"), tmp_path / "x.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("small")
def test_averaged_weights_by_hand(tmp_path: Path) -> None:
    """After one step the average is the weights; after two, d · the first + (1 - d) · the second."""
    one, two, raw = (tmp_path / name / "x.safetensors" for name in ("one", "two", "raw"))
    config = replace(CONFIG, epochs=1, samples=4, ema_decay=0.75)
    train(config, one)
    train(replace(config, samples=8), two)
    train(replace(config, samples=8, ema_decay=0.0), raw)
    first, second, got = state_of(one)["parts"][0], state_of(two)["parts"][0], load_file(two)
    assert same({name: value.float() for name, value in first.items()}, load_file(one))
    assert same({name: value.float() for name, value in second.items()}, load_file(raw))
    assert not same(load_file(raw), got)
    for name, value in got.items():
        if "num_batches" not in name:
            expected = 0.75 * first[name].double() + 0.25 * second[name].double()
            assert torch.allclose(value.double(), expected, atol=1e-6), name


def damage_from(step: int, monkeypatch: pytest.MonkeyPatch, change: Callable[[Tensor], Tensor]) -> None:
    """Change the loss from a step on."""
    real, count = losses.compute_loss, 0

    def damaged(*args: Any) -> Tensor:
        nonlocal count
        count += 1
        value = real(*args)
        return value if count < step else change(value)

    monkeypatch.setattr(loop, "compute_loss", damaged)


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
        train(CONFIG, out, report=lambda *said: kept.update(files(tmp_path)))
    assert len(kept) == 2 and kept == files(tmp_path)
    load_checkpoint(out)  # refuses weights that are not numbers
    assert state_of(out)["epoch"] == 1
    monkeypatch.setattr(loop, "compute_loss", losses.compute_loss)
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


@pytest.mark.usefixtures("small")
def test_the_loss_goes_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four samples again and again can be learnt by heart."""
    monkeypatch.setattr(loop, "plan_samples", lambda kept, key, count, *shares: plan_samples(kept, (1,), count))
    means: list[float] = []
    config = replace(CONFIG, epochs=6, samples=32, learning_rate=2e-2)
    train(config, tmp_path / "x.safetensors", report=lambda epoch, value, metrics: means.append(value))
    assert means[-1] < 0.5 * means[1]


@pytest.mark.usefixtures("small")
def test_other_pictures_or_labels_are_other_data(tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    train(replace(CONFIG, epochs=1), out)
    before = files(tmp_path)
    pixels, shares = bank().images.copy(), bank().shares.copy()
    pixels[9, 100, 100, 1] ^= 1
    shares[9] = [0.5, 0, 0, 0.5]
    for changed in (replace(bank(), images=pixels), replace(bank(), shares=shares)):
        with pytest.raises(TrainingError, match=r"(?s)other values for the photos.*--fresh"):
            loop.train(replace(CONFIG, epochs=1), out, replace(data(), bank=changed), ALONE)
    assert files(tmp_path) == before


@pytest.mark.parametrize("name", ["epochs", "samples", "batch_size", "validation_samples", "restart_factor"])
def test_configurations_that_make_no_sense(name: str) -> None:
    with pytest.raises(TrainingError, match="at least 1"):
        replace(CONFIG, **{name: 0})  # type: ignore[arg-type]  # all of them are integers


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"small_size": 100}, "multiple of 16"),
        ({"small_size": 16}, "multiple of 16"),
        ({"learning_rate": float("nan")}, "learning rate"),
        ({"learning_rate": 1e39}, "learning rate"),
        ({"weight_decay": -1.0}, "weight decay"),
        ({"ema_decay": 1.5}, "ema decay"),
        ({"label_smoothing": -0.1}, "label smoothing"),
        ({"rated_share": 2.0}, "rated share"),
    ],
)
def test_values_out_of_range(change: dict[str, Any], words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        replace(CONFIG, **change)


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError, match=r"(?s)'pretrained'.*imagenet, lite0, random"):
        TrainingConfig(initialisation="pretrained")
    with pytest.raises(UnknownNameError, match=r"(?s)'int8'.*fp32, bf16, fp16"):
        TrainingConfig(arithmetic="int8")
