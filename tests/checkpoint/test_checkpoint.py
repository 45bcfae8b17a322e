"""Checkpoints: what goes in comes back, and a save that fails keeps what was there."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from imageqx_export import networks
from imageqx_export.checkpoint import find_model, load_checkpoint, save_checkpoint
from imageqx_export.errors import CheckpointError
from imageqx_export.networks.imageqx.network import ImageQX
from imageqx_export.support.files import digest
from imageqx_export.support.locks import clear_dead
from tests.checkpoint.conftest import INTEGER, METRICS, PROVENANCE, SOME, TEMPERATURES, spec, write


def test_round_trip(network: ImageQX, saved: Path) -> None:
    torch.manual_seed(99)  # a loaded network owes nothing to chance
    checkpoint, loaded = load_checkpoint(saved)
    before, after = network.state_dict(), loaded.state_dict()
    assert list(before) == list(after)
    for name, value in before.items():
        assert after[name].dtype == value.dtype and torch.equal(after[name], value), name
    assert int(after[INTEGER]) == 1234
    assert not loaded.training
    assert checkpoint.metrics == METRICS and checkpoint.provenance == PROVENANCE
    assert set(checkpoint.spec.thresholds.values()) == {0.25}
    assert checkpoint.path == saved


def test_digest_and_size(saved: Path) -> None:
    import hashlib

    checkpoint, _ = load_checkpoint(saved)
    assert checkpoint.sha256 == hashlib.sha256(saved.read_bytes()).hexdigest()
    assert 16.80e6 <= saved.stat().st_size <= 16.95e6  # papers.md: 16.86 MB as float32
    assert {value.dtype for value in load_file(saved).values()} == {torch.float32}


def test_same_bytes_twice(network: ImageQX, saved: Path, tmp_path: Path) -> None:
    checkpoint, loaded = load_checkpoint(saved)
    again = save_checkpoint(loaded, checkpoint.spec, METRICS, PROVENANCE, tmp_path / "again.safetensors")
    assert again.path.read_bytes() == saved.read_bytes()
    assert again == checkpoint.model_copy(update={"path": again.path})
    other = save_checkpoint(loaded, checkpoint.spec, METRICS, PROVENANCE | {"seed": 8}, tmp_path / "other.safetensors")
    assert other.sha256 != again.sha256


def test_plain_weights_get_the_networks_spec(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    checkpoint, _ = load_checkpoint(write(tmp_path / "plain.safetensors", tensors))
    assert checkpoint.spec == spec() and checkpoint.metrics == {} and checkpoint.provenance == {}


def test_temperatures_come_back_and_the_tensors_stay(network: ImageQX, saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "warm.safetensors"
    written = save_checkpoint(network, spec(), METRICS, PROVENANCE, path, TEMPERATURES)
    checkpoint, loaded = load_checkpoint(path)
    assert isinstance(loaded, ImageQX)
    assert checkpoint == written and checkpoint.temperatures == TEMPERATURES
    assert float(loaded.quality_temperature) == 1.25 and loaded.explanation_temperatures.tolist() == [0.75] * 5
    before, after = load_file(saved), load_file(path)
    assert before.keys() == after.keys() and all(torch.equal(value, after[name]) for name, value in before.items())
    again = save_checkpoint(loaded, spec(), METRICS, PROVENANCE, tmp_path / "again.safetensors", TEMPERATURES)
    assert again.sha256 == checkpoint.sha256


def test_temperatures_that_an_earlier_version_wrote_are_read(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    old = {"spec": spec().model_dump(mode="json"), "calibration": TEMPERATURES.model_dump(mode="json")}
    checkpoint, network = load_checkpoint(write(tmp_path / "old.safetensors", tensors, json.dumps(old)))
    assert isinstance(network, ImageQX)
    assert checkpoint.temperatures == TEMPERATURES and float(network.quality_temperature) == 1.25


def test_without_temperatures_all_are_one(saved: Path) -> None:
    checkpoint, network = load_checkpoint(saved)
    assert checkpoint.temperatures is None and isinstance(network, ImageQX)
    assert network.quality_temperature == 1 and network.explanation_temperatures.tolist() == [1] * 5


def test_specs_of_before_there_was_a_poor_quality_threshold(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    old = spec().model_dump(mode="json")
    del old["poor_quality_threshold"]
    header = json.dumps({"spec": old, "metrics": METRICS, "provenance": PROVENANCE})
    checkpoint, _ = load_checkpoint(write(tmp_path / "old.safetensors", tensors, header))
    assert checkpoint.spec == spec() and checkpoint.spec.poor_quality_threshold is None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_are_read(tensors: dict[str, Tensor], tmp_path: Path, dtype: torch.dtype) -> None:
    own = dict(tensors) | {SOME: tensors[SOME].to(dtype)}
    _, network = load_checkpoint(write(tmp_path / "floats.safetensors", own))
    assert isinstance(network, ImageQX) and network.explanation_head.weight.dtype == torch.float32
    assert torch.equal(network.explanation_head.weight, own[SOME].float())


def test_a_failed_save_keeps_the_old_file(network: ImageQX, tmp_path: Path) -> None:
    path = tmp_path / "kept.safetensors"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        save_checkpoint(network, spec(), {"not JSON": object()}, {}, path)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_an_error_of_the_system_and_keeps_the_old_file(network: ImageQX, saved: Path) -> None:
    before = saved.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # a write past that fails, as on a full disk
    try:
        with pytest.raises(OSError, match="File too large"):
            save_checkpoint(network, networks.spec("imageqx"), {}, {}, saved)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_the_model_is_read_from_the_header_alone(checkpoint: Path, tmp_path: Path) -> None:
    content = checkpoint.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    path = tmp_path / "header.safetensors"
    path.write_bytes(content[:end])
    assert find_model(path) == "imageqx"
    for broken in (
        content[: end - 1],
        b"",
        b"PK\x03\x04" + content,
        b"\xff" * 8 + content[8:],
        b"\x02" + bytes(7) + b"[]",
    ):
        path.write_bytes(broken)
        with pytest.raises(CheckpointError):
            find_model(path)


def test_a_second_writer_does_not_clear_what_is_being_written(
    network: ImageQX, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It clears what dead writers left; until a file takes its place, its writer must hold it."""
    path, cleared = tmp_path / "a.safetensors", list[int]()

    def clear(handle: int) -> None:
        clear_dead(tmp_path, f".{path.name}.", ".part")
        cleared.append(handle)

    monkeypatch.setattr("imageqx_export.support.files.os.fsync", clear)
    made = save_checkpoint(network, spec(), METRICS, PROVENANCE, path)
    assert cleared and digest(path) == made.sha256 and list(tmp_path.iterdir()) == [path]


def test_the_bytes_are_those_of_the_librarys_own_writer(network: ImageQX, saved: Path, tmp_path: Path) -> None:
    with safe_open(saved, "pt") as file:
        header = file.metadata()
    save_file(load_file(saved), tmp_path / "again.safetensors", header)
    assert saved.read_bytes() == (tmp_path / "again.safetensors").read_bytes()
