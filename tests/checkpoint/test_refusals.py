"""What does not fit is refused in words that name it, and nothing of it is run."""

from __future__ import annotations

import io
import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from imageqx_export.checkpoint import load_checkpoint, save_checkpoint
from imageqx_export.errors import UnknownNameError
from imageqx_export.networks.imageqx.network import ImageQX
from tests.checkpoint.conftest import METRICS, PROVENANCE, SOME, TEMPERATURES, refused, spec, write


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
