"""Checkpoints: what goes in comes back, and what does not fit is refused without being run."""

from __future__ import annotations

import io
import json
import pickle
import resource
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from imageqx_export import networks
from imageqx_export.artifact import ModelSpec, Temperatures
from imageqx_export.checkpoint import find_model, load_checkpoint, save_checkpoint
from imageqx_export.errors import CheckpointError, UnknownNameError
from imageqx_export.networks.imageqx.network import ImageQX

METRICS = {"quality_macro_f1": 0.73, "confusion": [[1, 2], [3, 4]]}
PROVENANCE = {"seed": 7, "data": "gemalte Bilder — ü", "versions": {"torch": "2.13.0"}}
SOME = "explanation_head.weight"
INTEGER = "features.0.1.num_batches_tracked"


def spec(**changes: Any) -> ModelSpec:
    return networks.spec("imageqx").model_copy(update=changes)


@pytest.fixture(scope="module")
def network() -> ImageQX:
    torch.manual_seed(5)
    network = ImageQX()
    with torch.no_grad():
        for name, value in network.named_buffers():
            if value.is_floating_point():
                value.uniform_(0.5, 1.5)
            elif name.endswith("num_batches_tracked"):
                value.fill_(1234)
    return network


@pytest.fixture(scope="module")
def saved(network: ImageQX, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "deep" / "imageqx.safetensors"
    thresholds = dict.fromkeys(networks.spec("imageqx").reasons, 0.25)
    save_checkpoint(network, spec(thresholds=thresholds), METRICS, PROVENANCE, path)
    return path


@pytest.fixture(scope="module")
def tensors(saved: Path) -> dict[str, Tensor]:
    return load_file(saved)


def refused(path: Path) -> str:
    """Load ``path``, which must fail, leave the folder as it was and name the file."""
    before = {file.name: file.stat().st_size for file in path.parent.iterdir()}
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert before == {file.name: file.stat().st_size for file in path.parent.iterdir()}
    assert caught.value.where is not None and caught.value.where.startswith(str(path))
    return str(caught.value)


def write(path: Path, tensors: dict[str, Tensor], header: str | None = None) -> Path:
    save_file(tensors, path, metadata=None if header is None else {"imageqx_export": header})
    return path


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


TEMPERATURES = Temperatures(quality=1.25, explanations=dict.fromkeys(networks.spec("imageqx").reasons, 0.75))


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


def test_header_length_that_looks_like_a_pickle(network: ImageQX, saved: Path, tmp_path: Path) -> None:
    """The header's length stands first: one in 2,048 begins as a pickle does."""
    (length,) = struct.unpack("<Q", saved.read_bytes()[:8])
    padding = (0x0280 - length) % 65536  # both are multiples of 8, to which safetensors pads
    checkpoint, _ = load_checkpoint(saved)
    provenance = PROVENANCE | {"data": f"{PROVENANCE['data']}{'x' * padding}"}
    path = tmp_path / "unlucky.safetensors"
    save_checkpoint(network, checkpoint.spec, METRICS, provenance, path)
    assert path.read_bytes()[:2] == b"\x80\x02"
    assert load_checkpoint(path)[0].provenance == provenance


def test_missing_file(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "none.safetensors")
    assert "no such file" in refused(tmp_path)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(share=st.floats(0, 1, exclude_max=True), more=st.integers(0, 16))
def test_truncated(saved: Path, tmp_path_factory: pytest.TempPathFactory, share: float, more: int) -> None:
    whole = saved.read_bytes()
    length = min(int(share * len(whole)) + more, len(whole) - 1)
    path = tmp_path_factory.mktemp("truncated") / "short.safetensors"
    path.write_bytes(whole[:length])
    assert str(length) in refused(path)
    path.unlink()


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 1000, -1])
def test_truncated_at_the_edges(saved: Path, tmp_path: Path, length: int) -> None:
    path = tmp_path / "short.safetensors"
    path.write_bytes(saved.read_bytes()[:length])
    assert "safetensors" in refused(path)


def test_garbage(tmp_path: Path) -> None:
    path = tmp_path / "garbage.safetensors"
    for content in (b"\xff" * 64, b"{}", b"<html>404</html>", struct.pack("<Q", 2**62) + b"{}"):
        path.write_bytes(content)
        assert "safetensors" in refused(path)


def damaged(name: str, change: Callable[[Tensor], Tensor]) -> Callable[[dict[str, Tensor]], None]:
    def change_one(tensors: dict[str, Tensor]) -> None:
        tensors[name] = change(tensors[name])

    return change_one


def with_value(value: float) -> Callable[[Tensor], Tensor]:
    def change(tensor: Tensor) -> Tensor:
        changed = tensor.clone()
        changed.view(-1)[3] = value
        return changed

    return change


DAMAGE: dict[str, tuple[Callable[[dict[str, Tensor]], None], str, str]] = {
    "missing": (lambda t: (t.pop(SOME), None)[1], "missing", SOME),
    "surplus": (lambda t: t.update({"extra.weight": torch.zeros(2)}), "not the network's", "extra.weight"),
    "transposed": (damaged(SOME, lambda t: t.T.contiguous()), "wrong shape", SOME),
    "scalar": (damaged(SOME, lambda t: t[0, 0].clone()), "wrong shape", SOME),
    "nan": (damaged(SOME, with_value(float("nan"))), "not numbers", SOME),
    "inf": (damaged("features.0.0.weight", with_value(float("inf"))), "not numbers", "features.0.0.weight"),
    "-inf": (damaged(SOME, with_value(float("-inf"))), "not numbers", SOME),
    "nan8": (damaged(SOME, lambda t: with_value(float("nan"))(t).to(torch.float8_e4m3fn)), "not numbers", SOME),
    "too large": (damaged(SOME, lambda t: with_value(1e300)(t.double())), "not numbers", SOME),
    "int8": (damaged(SOME, lambda t: t.to(torch.int8)), "wrong dtype", SOME),
    "int64": (damaged(SOME, lambda t: t.to(torch.int64)), "wrong dtype", SOME),
    "bool": (damaged(SOME, lambda t: t > 0), "wrong dtype", SOME),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_tensors_that_do_not_fit(tensors: dict[str, Tensor], tmp_path: Path, damage: str) -> None:
    spoil, reason, name = DAMAGE[damage]
    own = dict(tensors)
    spoil(own)
    text = refused(write(tmp_path / "spoilt.safetensors", own))
    assert reason in text and name in text


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_are_read(tensors: dict[str, Tensor], tmp_path: Path, dtype: torch.dtype) -> None:
    own = dict(tensors) | {SOME: tensors[SOME].to(dtype)}
    _, network = load_checkpoint(write(tmp_path / "floats.safetensors", own))
    assert isinstance(network, ImageQX) and network.explanation_head.weight.dtype == torch.float32
    assert torch.equal(network.explanation_head.weight, own[SOME].float())


class _Payload:
    """Make a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def pickled(path: Path, how: str) -> bytes:
    if how.startswith("protocol"):
        return pickle.dumps(_Payload(path), protocol=int(how[-1]))
    buffer = io.BytesIO()
    torch.save({SOME: torch.zeros(2), "payload": _Payload(path)}, buffer, _use_new_zipfile_serialization=how == "zip")
    return buffer.getvalue()


@pytest.mark.parametrize("how", ["zip", "legacy", *(f"protocol {n}" for n in range(pickle.HIGHEST_PROTOCOL + 1))])
def test_pickles_are_never_run(tmp_path: Path, how: str) -> None:
    made = tmp_path / "made"
    path = tmp_path / "weights.safetensors"
    path.write_bytes(pickled(made, how))
    text = refused(path)
    assert not made.exists()
    assert "safetensors" in text
    if how not in ("protocol 0", "protocol 1"):  # these two have no mark of their own
        assert "pickle" in text and "imageqx import-checkpoint" in text
    content = io.BytesIO(path.read_bytes())
    torch.load(content, weights_only=False) if how in ("zip", "legacy") else pickle.load(content)
    assert made.exists(), "the payload is a dud: the test proves nothing"


_ONES = TEMPERATURES.explanations
BAD_TEMPERATURES: list[tuple[object, str]] = [
    ([1, 2], "temperatures in the header are not valid"),
    (1.5, "not valid"),
    ({"quality": 1.0}, "not valid"),
    ({"quality": 0, "explanations": _ONES}, "not valid"),
    ({"quality": -1, "explanations": _ONES}, "not valid"),
    ({"quality": float("nan"), "explanations": _ONES}, "not valid"),
    ({"quality": float("inf"), "explanations": _ONES}, "not valid"),
    ({"quality": 1e-9, "explanations": _ONES}, "0.01"),
    ({"quality": "warm", "explanations": _ONES}, "not valid"),
    ({"quality": 1, "explanations": _ONES, "surprise": 1}, "not valid"),
    ({"quality": 1, "explanations": _ONES | {"blurry": 0}}, "not valid"),
    ({"quality": 1, "explanations": _ONES | {"blurry": None}}, "not valid"),
    ({"quality": 1, "explanations": {"blurry": 1}}, "not the network's"),
    ({"quality": 1, "explanations": _ONES | {"lesion_covered": 1}}, "not the network's"),
]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("[1, 2]", "not a JSON object"),
        ('"text"', "not a JSON object"),
        ("null", "not a JSON object"),
        ('{"spec": ', "safetensors"),
        ("[" * 200_000, "safetensors"),
        ('{"spec": null}', "not valid"),
        ('{"spec": {"name": "imageqx"}}', "not valid"),
        ('{"metrics": [1]}', "not valid"),
        (json.dumps({"spec": spec().model_dump(mode="json") | {"surprise": 1}}), "not valid"),
        (json.dumps({"spec": spec(thresholds={"blurry": 0.5}).model_dump(mode="json")}), "thresholds"),
        (json.dumps({"spec": spec(name="duke_iqa").model_dump(mode="json")}), "duke_iqa"),
        (json.dumps({"spec": spec(poor_quality_threshold=1.01).model_dump(mode="json")}), "not valid"),
        (json.dumps({"spec": spec(poor_quality_threshold=float("nan")).model_dump(mode="python")}), "not valid"),
        (json.dumps({"options": {"reasons": 3.0}}), "reasons are names"),
        (json.dumps({"options": {"labels": 0.0}}), "labels are names"),
        (json.dumps({"options": {"side": "256"}}), "side is a multiple of 32"),
        *((json.dumps({"temperatures": temperatures}), reason) for temperatures, reason in BAD_TEMPERATURES),
    ],
    ids=[str(n) for n in range(16 + len(BAD_TEMPERATURES))],
)
def test_headers_that_do_not_fit(tensors: dict[str, Tensor], tmp_path: Path, header: str, reason: str) -> None:
    assert reason in refused(write(tmp_path / "header.safetensors", tensors, header))


def test_unknown_network(saved: Path) -> None:
    with pytest.raises(UnknownNameError):
        load_checkpoint(saved, "duke_iqa_that_is_not")


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
