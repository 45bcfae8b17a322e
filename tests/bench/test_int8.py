"""The benchmark of INT8: what a figure is, what a goal is, and that others' tools may fail without ending the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, save

from benchmarks import bench_int8, int8_measures, int8_peers, int8_table
from benchmarks.int8_measures import Score, Subject
from benchmarks.int8_peers import Peer
from benchmarks.tiny_models import SHAPE, write_onnx, write_tflite
from imageqx_export.artifact import Format, Precision
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.errors import ImageQXError
from imageqx_export.networks.imageqx.spec import spec

IMAGES = np.zeros((2, 4, 4, 3), np.uint8)


def subject(name: str, path: Path | None, format: Format = Format.ONNX, trouble: str | None = None) -> Subject:
    return Subject(name, "imageqx", format, name.partition("_")[2], path, trouble)


def copied(source: Path, target: Path, images: NDArray[np.uint8]) -> None:
    target.write_bytes(source.read_bytes() + bytes(len(images)))
    with (source.parent / "calls").open("a") as log:
        log.write("x")


def failed(source: Path, target: Path, images: NDArray[np.uint8]) -> None:
    target.write_bytes(b"half")
    raise ValueError("num_scales must be 1")


def test_a_peer_is_made_once(tmp_path: Path) -> None:
    source = tmp_path / "a.onnx"
    source.write_bytes(b"abc")
    peer = Peer("copy", Format.ONNX, "w8", (), copied)
    paths = [int8_peers.make_cached(peer, source, IMAGES, tmp_path / "cache") for _ in range(2)]
    assert paths[0] == paths[1] and paths[0].read_bytes() == b"abc\0\0"
    assert (tmp_path / "calls").read_text() == "x"


def test_a_peer_that_fails_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "a.onnx"
    source.write_bytes(b"abc")
    with pytest.raises(ImageQXError, match="num_scales must be 1"):
        int8_peers.make_cached(Peer("bad", Format.ONNX, "w8", (), failed), source, IMAGES, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_peers_are_those_of_the_specification() -> None:
    names = {"quantize_static", "static_wi8_ai8", "dynamic_wi8_afp32", "linear_quantize_weights"}
    assert {peer.make.__name__ for peer in int8_peers.PEERS} == names


def test_files_take_turns_and_one_that_does_not_load_stays_out(tmp_path: Path) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"nonsense")
    rows = [
        subject("onnx_fp32", write_onnx(tmp_path / "a.onnx")),
        subject("tflite_fp32", write_tflite(tmp_path / "a.tflite"), Format.TFLITE),
        subject("onnx_w8", bad),
    ]
    found = int8_measures.time_in_turns(rows, 2)
    assert isinstance(found["onnx_w8"], str) and "the runner failed" in found["onnx_w8"]
    assert [len(found[name]) for name in ("onnx_fp32", "tflite_fp32")] == [2, 2]
    given = int8_measures.run_subject(rows[1], np.full(SHAPE, 7, np.uint8))
    assert given["same"].dtype == np.float32 and (given["same"] == 7).all()
    with pytest.raises(ImageQXError, match="failed"):
        int8_measures.run_subject(rows[2], np.zeros(SHAPE, np.uint8))


def write_conv(path: Path, quantized: bool) -> Path:
    """Write one convolution, float, or between uint8 activations and an int8 weight as ONNX Runtime fuses them."""
    weight = np.arange(-4, 4, dtype=np.int8).reshape(2, 4, 1, 1)
    stored: dict[str, NDArray[Any]] = {
        "scale": np.array(0.1, np.float32),
        "zero": np.array(0, np.uint8),
        "weight_zero": np.array(0, np.int8),
    }
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"])]
    if quantized:
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["xq"]),
            helper.make_node("DequantizeLinear", ["xq", "scale", "zero"], ["xd"]),
            helper.make_node("DequantizeLinear", ["w", "scale", "weight_zero"], ["wd"]),
            helper.make_node("Conv", ["xd", "wd"], ["yf"]),
            helper.make_node("QuantizeLinear", ["yf", "scale", "zero"], ["yq"]),
            helper.make_node("DequantizeLinear", ["yq", "scale", "zero"], ["y"]),
        ]
    stored |= {"w": weight if quantized else weight.astype(np.float32)}
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, c, 8, 8)) for n, c in (("x", 4), ("y", 2))]
    values = [numpy_helper.from_array(value, name) for name, value in stored.items()]
    graph = helper.make_graph(nodes, "conv", ends[:1], ends[1:], values)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


def test_convolutions_are_counted_in_the_graph_that_runs(tmp_path: Path) -> None:
    assert int8_measures.count_fused(subject("a", write_conv(tmp_path / "a.onnx", True))) == {"QLinearConv": 1}
    assert int8_measures.count_fused(subject("b", write_conv(tmp_path / "b.onnx", False))) == {"Conv": 1}
    (tmp_path / "c.onnx").write_bytes(b"nonsense")
    with pytest.raises(ImageQXError, match="cannot optimize"):
        int8_measures.count_fused(subject("c", tmp_path / "c.onnx"))


def score(flips: int) -> Score:
    labels, reasons = np.arange(100) % 4, np.random.default_rng(0).random((100, 5)) < 0.4
    given = {"quality": np.eye(4, dtype=np.float32)[labels], "explanations": reasons.astype(np.float32)}
    other = {**given, "quality": np.eye(4, dtype=np.float32)[np.where(np.arange(100) < flips, 3 - labels, labels)]}
    photos = LabelledPhotos(
        np.zeros((100, 1, 1, 3), np.uint8), labels, reasons.astype(np.float32), np.zeros(100, np.int64), (), "numbers"
    )
    return int8_measures.score_outputs(other, given, photos, spec())


def test_a_score_is_in_points_beside_fp32s() -> None:
    same, other = score(0), score(4)
    assert (same.quality, same.reasons, same.max_abs, same.lost.agreement) == (100, 100, 0, 100)
    assert other.quality == pytest.approx(96) and other.lost.quality.points == pytest.approx(4)
    assert (other.reasons, other.max_abs, other.lost.agreement) == (100, 1, 96)


@pytest.fixture
def rows(tmp_path: Path) -> dict[str, int8_table.Row]:
    """Return rows of both formats, w8a8 0.4 and 0.95 times as slow, and a peer that could not be made."""
    file = tmp_path / "a.onnx"
    file.write_bytes(bytes(1_500_000))
    took: dict[str, tuple[float, ...] | str] = {
        "tflite_fp32": (1.0, 2.0, 4.0),
        "tflite_w8a8": (0.4, 0.8, 2.0),
        "onnx_fp32": (1.0,),
        "onnx_w8a8": (0.95,),
        "onnx_w8": "the runner crashed",
    }
    counts: dict[str, dict[str, float | str]] = {
        "cortex-a76": {"tflite_fp32": 10.0, "tflite_w8a8": 5.0, "onnx_fp32": 10.0, "onnx_w8a8": "the runner crashed"}
    }
    subjects = [subject(name, file, Format(name.partition("_")[0])) for name in took]
    subjects.append(subject("tflite_static", None, Format.TFLITE, "it failed"))
    return {s.name: bench_int8.make_row(s, took, counts, {"tflite_w8a8": score(4)}) for s in subjects}


def test_ratios_are_of_each_round(rows: dict[str, int8_table.Row]) -> None:
    assert rows["tflite_w8a8"].latency == pytest.approx((0.4, 0.4, 0.5))
    assert rows["tflite_w8a8"].counted == {"cortex-a76": 0.5} and rows["onnx_w8a8"].counted == {}


def test_goals_are_missed_by_what_is_too_slow_and_by_what_has_no_figure(rows: dict[str, int8_table.Row]) -> None:
    found = int8_table.check_goals(rows, bench_int8.LATENCY_GOALS, bench_int8.INSTRUCTION_GOALS)
    assert [(goal.limit, goal.verdict) for goal in found] == [
        (0.5, "ok"),
        (0.9, "MISSED"),
        (0.6, "ok"),
        (0.6, "MISSED"),
    ]
    assert int8_table.check_goals(rows, {}, {}) == ()
    assert [goal.verdict for goal in int8_table.check_goals({}, bench_int8.LATENCY_GOALS, {})] == ["MISSED", "MISSED"]


def test_the_tables_have_every_row(rows: dict[str, int8_table.Row]) -> None:
    lines = int8_table.render_markdown(rows).splitlines()
    assert len(lines) == 2 + len(rows) and len({line.replace(r"\|", "").count("|") for line in lines}) == 1
    assert "| 1.50 | 0.40 (0.40…0.50) | 0.50 | 96.0 (+4.00) | 100.0 (0) | 96.0 % | 1.000 |" in lines[3]
    assert "it failed" in lines[-1] and "the runner crashed" in lines[-2]
    assert int8_table.make_table(rows, "x").row_count == len(rows)
    body = int8_table.make_body(rows["tflite_w8a8"])
    assert body["lost"]["quality"]["points"] == pytest.approx(4) and body["size_bytes"] == 1_500_000
    assert int8_table.make_body(rows["tflite_static"])["trouble"] == "it failed"


def test_our_files_are_those_of_the_manifest(tmp_path: Path) -> None:
    from imageqx_export.artifact import Manifest

    found = bench_int8.list_own_files(tmp_path, Manifest(model="x", checkpoint_sha256="0", artifacts=()))
    assert len(found) == 9 and all(row.trouble and "imageqx export" in row.trouble for row in found)
    assert {row.scheme for row in found} == {Precision.FP32, Precision.W8, Precision.W8A8}
