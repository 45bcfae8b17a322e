"""The state file: whole or not at all, and only for the run that it belongs to."""

from __future__ import annotations

import os
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts

from imageqx_export.errors import TrainingError
from imageqx_export.support.signals import postpone_signals
from imageqx_export.training.state import (
    describe_stop,
    explain_failed_writes,
    load_state,
    read_stamps,
    save_state,
    state_path,
)
from tests.training.fakes import CONFIG

HISTORY = [{"epoch": number, "loss": 0.1 + 0.2, "quality_macro_f1": 1 / 3} for number in range(1, 5)]


def parts(seed: int, width: int = 3) -> list[Any]:
    """Make a network, its optimizer and its schedule, some steps old."""
    torch.manual_seed(seed)
    network = nn.Linear(width, 2)
    optimizer = torch.optim.AdamW(network.parameters())
    schedule = CosineAnnealingWarmRestarts(optimizer, 5, 2)
    for _ in range(seed):
        optimizer.zero_grad()
        network(torch.randn(4, width)).square().sum().backward()
        optimizer.step()
        schedule.step()
    return [network, optimizer, schedule]


def leaves(value: Any) -> Iterator[Any]:
    """List what is in nested dictionaries and lists, with tensors as lists of numbers."""
    if isinstance(value, dict):
        for key in value:
            yield key
            yield from leaves(value[key])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)
    else:
        yield value.tolist() if isinstance(value, torch.Tensor) else value


def printed(things: list[Any]) -> list[Any]:
    return [list(leaves(thing.state_dict())) for thing in things]


def save(path: Path, things: list[Any], epoch: int = 1) -> None:
    with save_state(path, CONFIG, "digest", epoch, HISTORY[:epoch], things):
        pass


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return state_path(tmp_path / "x.safetensors")


@contextmanager
def no_file_over(size: int) -> Iterator[None]:
    """Let a write past ``size`` bytes fail, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_there_and_back(path: Path) -> None:
    assert path.name == "x.safetensors.state"
    before, after = parts(7), parts(2)
    assert printed(before) != printed(after)
    save(path, before, epoch=4)
    assert load_state(path, CONFIG, "digest", after) == (4, HISTORY)
    assert printed(before) == printed(after)


def test_without_a_file_nothing_changes(path: Path) -> None:
    things = parts(2)
    before = printed(things)
    assert load_state(path, CONFIG, "digest", things) == (0, [])
    assert printed(things) == before


@pytest.mark.parametrize("damage", ["empty", "truncated", "text", "list", "no config"])
def test_a_damaged_file(path: Path, damage: str) -> None:
    save(path, parts(2))
    if damage in ("list", "no config"):
        torch.save([1, 2] if damage == "list" else {"epoch": 1}, path)
    else:
        whole = path.read_bytes()
        path.write_bytes({"empty": b"", "truncated": whole[: len(whole) // 2], "text": b"not a state"}[damage])
    content = path.read_bytes()
    with pytest.raises(TrainingError, match=r"(?s)cannot be read.*x\.safetensors\.state.*--fresh"):
        load_state(path, CONFIG, "digest", parts(2))
    assert path.read_bytes() == content


def test_a_file_that_would_run_code_is_not_loaded(path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(path.parent / "exploded"),)

    torch.save({"config": {}, "data": Bomb()}, path)
    with pytest.raises(TrainingError, match="cannot be read"):
        load_state(path, CONFIG, "digest", [])
    assert not (path.parent / "exploded").exists()


def test_another_configuration_and_other_photos(path: Path) -> None:
    save(path, parts(2))
    things = parts(1)
    before = printed(things)
    other = replace(CONFIG, epochs=9, learning_rate=0.5)
    with pytest.raises(TrainingError, match=r"(?s)other values for epochs, learning_rate\n.*--fresh"):
        load_state(path, other, "digest", things)
    with pytest.raises(TrainingError, match=r"(?s)other values for the photos\n.*--fresh"):
        load_state(path, CONFIG, "another digest", things)
    assert printed(things) == before


def test_a_state_of_an_earlier_version_is_gone_on_from(path: Path) -> None:
    things = parts(2)
    save(path, things, epoch=4)
    state = torch.load(path, weights_only=True)
    state["config"]["painted"] = state["config"].pop("synthetic_scenes")
    torch.save(state, path)
    assert load_state(path, CONFIG, "digest", things) == (4, HISTORY)


@pytest.mark.parametrize("kind", ["too few", "of another shape"])
def test_parts_of_another_version(path: Path, kind: str) -> None:
    save(path, parts(2))
    with pytest.raises(TrainingError, match=r"(?s)does not fit this version.*--fresh"):
        load_state(path, CONFIG, "digest", parts(2)[:2] if kind == "too few" else parts(2, width=5))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epoch", -1),
        ("epoch", 1.0),
        ("epoch", float("nan")),
        ("epoch", 10**30),
        ("epoch", 3),
        ("history", {}),
        ("history", [1]),
        ("history", [{"epoch": 2, "loss": 0.5}]),
        ("history", [{"epoch": 1, "loss": float("inf")}]),
        ("history", [{"epoch": 1, "loss": "0.5"}]),
        ("parts", 7),
        ("parts", [7, 7, 7]),
        ("parts", [{}, {"state": 1}, None]),
    ],
)
def test_a_state_that_no_run_wrote(path: Path, field: str, value: object) -> None:
    """Torch's own load_state_dict raises AttributeError, IndexError or whatever else such values provoke."""
    save(path, parts(2))
    state = torch.load(path, weights_only=True)
    torch.save({**state, field: value}, path)
    with pytest.raises(TrainingError, match=r"(?s)does not fit this version.*x\.safetensors\.state.*--fresh"):
        load_state(path, CONFIG, "digest", parts(2))


def test_the_state_takes_its_place_after_the_block(path: Path) -> None:
    save(path, parts(1), epoch=1)
    old = path.read_bytes()
    with save_state(path, CONFIG, "digest", 2, HISTORY[:2], parts(2)):
        assert path.read_bytes() == old
    assert load_state(path, CONFIG, "digest", parts(1))[0] == 2


def test_a_block_that_fails_keeps_the_old_state(path: Path) -> None:
    save(path, parts(1), epoch=1)
    old = path.read_bytes()
    with pytest.raises(ZeroDivisionError), save_state(path, CONFIG, "digest", 2, HISTORY[:2], parts(2)):
        _ = 1 / 0
    assert [kept.read_bytes() for kept in path.parent.iterdir()] == [old]


def test_a_full_disk_keeps_the_old_state(path: Path) -> None:
    save(path, parts(1), epoch=1)
    old, entered = path.read_bytes(), []
    big = [nn.Linear(1000, 1000)]
    with (
        no_file_over(1_000_000),
        pytest.raises(TrainingError, match=r"(?s)cannot be written.*File too large.*make room"),
        save_state(path, CONFIG, "digest", 2, HISTORY, big),
    ):
        entered.append("the checkpoint is written")
    assert entered == [], "the checkpoint would be an epoch ahead of the state"
    assert [kept.read_bytes() for kept in path.parent.iterdir()] == [old]


def test_a_full_disk_while_weights_are_written(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    with no_file_over(1000), pytest.raises(TrainingError, match=r"(?s)cannot be written.*File too large"):
        explain_failed_writes(tmp_path)(save_file)({"a": torch.zeros(1000)}, tmp_path / "a.safetensors")


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Let Ctrl-C interrupt: a shell's background job, and so pytest in one, ignores it."""
    was = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, was)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_waits_for_the_save() -> None:
    steps: list[str] = []

    def save() -> None:
        press()
        steps.append("written")

    with pytest.raises(KeyboardInterrupt):
        save()
    assert steps == [], "Ctrl-C does nothing here: the test proves nothing"
    with pytest.raises(KeyboardInterrupt):
        postpone_signals()(save)()
    assert steps == ["written"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("ctrl_c")
def test_an_error_in_the_save_is_told_first() -> None:
    def save() -> None:
        press()
        raise TrainingError("full")

    with pytest.raises(TrainingError, match="full"):
        postpone_signals()(save)()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_have_no_ctrl_c() -> None:
    steps = []

    def work() -> None:
        with postpone_signals():
            steps.append("written")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert steps == ["written"]


@pytest.mark.parametrize(
    ("resume", "again"), [(True, "the same command,"), (False, "the same command without --fresh,")]
)
def test_a_stopped_run_names_the_command_that_goes_on(tmp_path: Path, resume: bool, again: str) -> None:
    first, second = tmp_path / "a.state", tmp_path / "b.state"
    first.touch()
    stopped = describe_stop([first, second], tmp_path / "*.state", (0, 0), resume=resume)
    assert stopped.where == str(tmp_path / "*.state") and stopped.remedy == f"{again} which goes on from there"


def test_what_an_earlier_run_kept_is_no_epoch_of_a_fresh_one(tmp_path: Path) -> None:
    states = [tmp_path / "a.state", tmp_path / "b.state"]
    states[0].touch()
    before = read_stamps(states)
    assert describe_stop(states, states[0], before, resume=False).remedy == "the same command, which starts over"
    assert describe_stop(states, states[0], before, resume=True).remedy == "the same command, which goes on from there"
    states[1].touch()
    assert "without --fresh" in str(describe_stop(states, states[0], before, resume=False))
