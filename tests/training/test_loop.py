"""The loop: it learns, goes on where it stopped to the bit, and never damages what it has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from imageqx_export.artifact import Temperatures
from imageqx_export.checkpoint import load_checkpoint, save_checkpoint
from imageqx_export.data.sample_plan import plan_samples
from imageqx_export.errors import CheckpointError, TrainingError
from imageqx_export.networks.imageqx.network import ImageQX
from imageqx_export.networks.imageqx.spec import REASONS
from imageqx_export.training import batches, loop
from imageqx_export.training.looks import HeldOut
from imageqx_export.training.targets.labels import TARGETS
from tests.training.fakes import ALONE, CONFIG, bank, data, validation
from tests.training.runs import Kept, files, interrupted, same, state_of, train


def test_resuming_the_whole_network_gives_the_same_bits(tmp_path: Path) -> None:
    """Dropout, stochastic depth, averages, a warm restart and all."""
    config = replace(CONFIG, restart_epochs=1, restart_factor=2, label_smoothing=0.1)
    whole, broken = (tmp_path / name / "x.safetensors" for name in ("whole", "broken"))
    seen: list[tuple[int, float, int]] = []
    expected = train(
        config, whole, report=lambda *printed: seen.append((printed[0], printed[1], printed[2]["samples"]))
    )
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
    network = ImageQX()
    assert looks == [TARGETS.score(HeldOut(validation()).run(network), validation(), network.spec)]


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


@pytest.mark.usefixtures("small")
def test_the_loss_goes_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four samples again and again can be learnt by heart."""
    monkeypatch.setattr(batches, "plan_samples", lambda kept, key, count, *shares, **_: plan_samples(kept, (1,), count))
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
