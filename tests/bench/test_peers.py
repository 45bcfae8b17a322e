"""The benchmark of the peers: what is pinned, what a figure is, and that a tool that fails is a row of its own."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks import bench_peers
from benchmarks.bench_peers import COLUMNS, Row
from benchmarks.int8_measures import Score
from benchmarks.peers import converters, tools, worker
from benchmarks.peers.tools import PEERS, Peer
from imageqx_export.compat.environments import Environment
from imageqx_export.errors import UnavailableError
from imageqx_export.evaluation.accuracy_loss import Accuracy, Loss

LISTS = Path(tools.__file__).parent / "requirements"


def test_every_peer_has_a_converter_a_runtime_and_an_environment() -> None:
    assert [peer.name for peer in PEERS] and {peer.name for peer in PEERS} == set(converters.CONVERTERS)
    assert {peer.runtime for peer in PEERS} <= worker.RUNTIMES.keys()
    lists = {path.stem for path in LISTS.glob("*.txt")}
    assert {peer.environment for peer in PEERS} == {"project", "ExecuTorch", "ncnn", "MNN", *lists}
    assert {peer.home for peer in PEERS} == {"project", "openvino", "ExecuTorch", "ncnn", "MNN"}


@pytest.mark.parametrize("path", sorted(LISTS.glob("*.txt")), ids=lambda path: path.stem)
def test_every_wheel_is_pinned_with_hashes_from_no_named_place(path: Path) -> None:
    text = path.read_text()
    pinned = re.findall(r"^([a-z0-9._-]+)==", text, re.MULTILINE)
    assert pinned and len(pinned) == len(re.findall(r"^[a-z0-9._-]+==\S+ \\\n    --hash=sha256:", text, re.MULTILINE))
    assert "://" not in text and "index" not in text.replace("--no-emit-index-url", "")
    wanted = re.findall(r"^([a-z0-9-]+)", path.with_suffix(".in").read_text(), re.MULTILINE)
    assert set(wanted) <= set(pinned)


def row(peer: Peer, path: Path, times: list[float], worth: Score | None) -> Row:
    measured = [{"load_ms": t, "first_ms": 1.0, "run_ms": t, "memory_mib": 8.0} for t in times]
    return Row(peer, path, measured=measured, score=worth)


def make_score() -> Score:
    none = Loss(points=0.0, interval=(0.0, 0.0))
    lost = Accuracy.model_construct(quality=Loss(points=0.25, interval=(0, 1)), explanations=none, agreement=98.5)
    return Score(88.0, 73.0, lost, 0.125)


def test_a_figure_is_the_ratio_of_the_same_round(tmp_path: Path) -> None:
    for name in ("peer.xml", "peer.bin", "other.bin"):
        (tmp_path / name).write_bytes(bytes(1_000_000))
    ours = row(Peer("imageqx tflite", "w8a8", "project", "LiteRT", ".tflite"), tmp_path / "x", [1, 2, 4], make_score())
    theirs = row(Peer("p", "w8a8", "openvino", "OpenVINO", ".xml"), tmp_path / "peer.xml", [2, 6, 4], make_score())
    cells = dict(zip(COLUMNS, bench_peers.make_cells([ours, theirs])[1], strict=True))
    assert cells["MB"] == "2.00", "an .xml's weights lie beside it"
    assert cells["CPU time × TFLite w8a8"] == "2.00 (1.00…3.00)"
    assert cells["load + first, CPU ms"] == "5 (3…7)"
    assert cells["labels' macro-F1 (lost)"] == "88.0 (+0.25)" and cells["same label"] == "98.5 %"


def test_a_file_weighs_what_is_its_own_not_what_has_its_name(tmp_path: Path) -> None:
    for size, name in enumerate(("a.onnx", "a.tflite", "a.xml", "a.bin", "a.param"), 1):
        (tmp_path / name).write_bytes(bytes(10**size))
    (tmp_path / "a.mlpackage").mkdir()
    (tmp_path / "a.mlpackage" / "weights").write_bytes(bytes(7))
    sizes = {name: tools.measure_size(tmp_path / name) for name in ("a.onnx", "a.tflite", "a.mlpackage", "a.xml", "a")}
    expected = {"a.onnx": 10, "a.tflite": 100, "a.mlpackage": 7, "a.xml": 11_000, "a": 110_000}
    assert sizes == expected and tools.measure_size(tmp_path / "b.onnx") == 0


def test_where_ours_breaks_in_a_round_those_before_are_compared(tmp_path: Path) -> None:
    ours = row(Peer("imageqx tflite", "w8a8", "project", "LiteRT", ".tflite"), tmp_path / "x", [2], make_score())
    theirs = row(Peer("p", "w8a8", "project", "LiteRT", ".tflite"), tmp_path / "y.tflite", [4, 5], make_score())
    figure = COLUMNS.index("CPU time × TFLite w8a8")
    assert bench_peers.make_cells([ours, theirs])[1][figure] == "2.00"
    ours.measured.clear()
    assert bench_peers.make_cells([ours, theirs])[1][figure] == "–"


def test_a_tool_that_cannot_be_had_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(peer: Peer, sources: object, cache: Path) -> Path:
        if peer.name.startswith("MNN"):
            raise UnavailableError("the environment of MNN cannot be made", got="no such wheel")
        return tmp_path / "peer.onnx"

    monkeypatch.setattr(tools, "make_file", refuse)
    monkeypatch.setattr(tools, "gather_sources", lambda *_: None)
    options = argparse.Namespace(artifacts=tmp_path, cache=tmp_path)
    rows = bench_peers.make_rows(options, None, PEERS, np.zeros((2, 4, 4, 3), np.uint8))  # type: ignore[arg-type]
    assert [one.peer for one in rows] == list(PEERS)
    failed = next(one for one in rows if one.peer.name == "MNN")
    ours = row(Peer("imageqx tflite", "w8a8", "project", "LiteRT", ".tflite"), tmp_path / "x", [1, 2], make_score())
    cells = bench_peers.make_cells([ours, failed])[1]
    assert cells[3] == "–" and cells[4] == "not made: the environment of MNN cannot be made: no such wheel"


def test_the_worker_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    from benchmarks.tiny_models import write_tflite

    path = write_tflite(tmp_path / "a.tflite", (1, 8, 8, 3))
    request = {"mode": "measure", "runtime": "LiteRT", "target": str(path), "dtype": "uint8", "runs": 2, "cores": [0]}
    found, _ = tools.call(Environment("peers", None), request, np.zeros((1, 8, 8, 3), np.uint8))
    assert found.keys() == {"load_ms", "first_ms", "run_ms", "memory_mib"} and min(found.values()) >= 0


def test_integers_become_the_numbers_that_they_stand_for() -> None:
    integers = np.array([-128, 127], np.int8)
    assert worker._scale(integers, 1 / 256, -128).tolist() == [0.0, 0.99609375]
    assert worker._scale(np.array([0.5], np.float32), 0.0, 0).tolist() == [0.5]
