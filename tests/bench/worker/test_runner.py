"""The runner, started as on a phone: a file of its own, a request in, a result out."""

from __future__ import annotations

import ast
import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.tiny_models import SHAPE, write_onnx, write_tflite
from imageqx_export.bench.worker import litert_layers, runner
from imageqx_export.bench.worker.launch import LITERT_LAYERS, RUNNER

WRITE = {"tflite": write_tflite, "onnx": write_onnx}
LIBRARY = {"tflite": "ai-edge-litert", "onnx": "onnxruntime"}
formats = pytest.mark.parametrize("format", list(WRITE))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {name: write(folder / f"tiny.{name}") for name, write in WRITE.items()}


def ask(
    folder: Path, request: dict[str, Any], script: Path = RUNNER, code: str | None = None
) -> tuple[int, str, dict[str, Any] | None]:
    """Return the exit status, the last line of standard error, and the result."""
    asked, answered = folder / "request.json", folder / "result.json"
    asked.write_text(json.dumps(request))
    command = [sys.executable, "-P", *(["-c", code] if code else [str(script)]), str(asked), str(answered)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    lines = done.stderr.strip().splitlines()
    return done.returncode, lines[-1] if lines else "", json.loads(answered.read_text()) if answered.exists() else None


@pytest.mark.parametrize("script", [RUNNER, LITERT_LAYERS], ids=lambda path: path.name)
def test_stands_alone(script: Path) -> None:
    allowed = {*sys.stdlib_module_names, "numpy", "ai_edge_litert", "onnxruntime", "coremltools", "PIL"}
    imported = set()
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add("." * node.level + (node.module or "").partition(".")[0])
    assert imported and imported <= allowed


@formats
def test_times_each_inference(tmp_path: Path, models: dict[str, Path], format: str) -> None:
    request = {
        "mode": "time",
        "path": str(models[format]),
        "format": format,
        "runs": 7,
        "seconds": 0.002,
        "warmup_runs": 3,
        "warmup_seconds": 0.001,
    }
    code, _, result = ask(tmp_path, request)
    assert code == 0 and result is not None
    seconds = result["seconds"]
    assert len(seconds) >= 7 and sum(seconds) >= 0.002 and min(seconds) > 0
    assert sum(seconds[:-1]) < 0.002 or len(seconds) == 7, "it went on after both were reached"
    assert result["load_seconds"] > 0 and result["first_seconds"] > 0
    assert result["started"] > 1.7e9 and "temperature_before" in result and "temperature_after" in result
    assert result["versions"].keys() == {LIBRARY[format], "numpy", "python"}
    assert result["versions"]["python"] == sys.version.split()[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["request.json", "result.json"]


@formats
def test_gives_the_outputs_by_name(tmp_path: Path, models: dict[str, Path], format: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (3, *SHAPE[1:]), np.uint8)
    np.save(tmp_path / "in.npy", pixels)
    request = {
        "mode": "outputs",
        "path": str(models[format]),
        "format": format,
        "input": str(tmp_path / "in.npy"),
        "outputs": str(tmp_path / "out.npz"),
    }
    code, _, result = ask(tmp_path, request)
    assert code == 0 and result is not None and result["names"] == ["same"]
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays["same"].dtype == np.float32
        assert np.array_equal(arrays["same"], pixels.astype(np.float32))


@formats
def test_counts_and_remembers(tmp_path: Path, models: dict[str, Path], format: str) -> None:
    request = {"path": str(models[format]), "format": format, "runs": 3}
    assert (ask(tmp_path, {**request, "mode": "count"})[2] or {})["runs"] == 3
    ballast = bytearray(400 * 2**20)  # what the parent has must not count as the child's
    ballast[:: 2**12] = b"x" * (len(ballast) >> 12)
    result = ask(tmp_path, {**request, "mode": "memory"})[2]
    assert result is not None and len(ballast) > 0
    assert 10 * 2**20 < result["before_load_bytes"] <= result["peak_memory_bytes"] < 300 * 2**20


def test_profiles_onnx_nodes(tmp_path: Path, models: dict[str, Path]) -> None:
    request = {"mode": "layers", "path": str(models["onnx"]), "format": "onnx", "runs": 4, "warmup_runs": 1}
    layers = (ask(tmp_path, request)[2] or {})["layers"]
    assert [(row["name"], row["kind"]) for row in layers] == [("cast", "Cast")]
    assert 0 <= layers[0]["seconds"] < 1


def test_profiles_litert_operations(tmp_path: Path, models: dict[str, Path]) -> None:
    pixels = tmp_path / "in.npy"
    np.save(pixels, np.zeros(SHAPE, np.uint8))
    request = {"path": str(models["tflite"]), "threads": 1, "runs": 2, "warmup_runs": 1, "input": str(pixels)}
    code, stderr, result = ask(tmp_path, request, LITERT_LAYERS)
    assert code == 0 and result is not None, stderr
    assert [row["kind"] for row in result["layers"]] == ["CAST"]
    np.save(pixels, np.zeros((1, 2, 2, 3), np.uint8))
    code, stderr, _ = ask(tmp_path, request, LITERT_LAYERS)
    assert code == 1 and "12 bytes" in stderr and "48" in stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mode": "guess"}, "guess"),
        ({"format": "tensorrt"}, "tensorrt"),
        ({"path": "none.tflite"}, "none.tflite"),
        ({"path": "request.json"}, "not a TFLite flatbuffer"),
        ({"path": "request.json", "format": "onnx"}, "request.json"),
        ({"runs": 0}, "1 or more"),
        ({"threads": 0}, "1 or more"),
        ({"input": "in.npy"}, "uint8 (1, 4, 4, 3)"),
        ({"input": "empty.npy"}, "(0, 4, 4, 3)"),
        ({"mode": "outputs", "outputs": "no/such/folder.npz"}, "no/such/folder.npz"),
    ],
    ids=str,
)
def test_what_is_wrong_is_one_line(tmp_path: Path, models: dict[str, Path], change: dict[str, Any], words: str) -> None:
    np.save(tmp_path / "in.npy", np.zeros((1, 4, 4, 3), np.float32))
    np.save(tmp_path / "empty.npy", np.zeros((0, 4, 4, 3), np.uint8))
    before = {path.name for path in tmp_path.iterdir()}
    code, stderr, result = ask(tmp_path, {"mode": "count", "path": str(models["tflite"]), "format": "tflite", **change})
    assert code == 1 and words in stderr and result is None
    assert {path.name for path in tmp_path.iterdir()} == before | {"request.json"}


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot pin")
def test_pins_itself(tmp_path: Path, models: dict[str, Path]) -> None:
    core = max(os.sched_getaffinity(0))
    code = (
        "import json, os, pathlib, sys; from imageqx_export.bench.worker import runner; runner.main(sys.argv[1:])\n"
        "pathlib.Path(sys.argv[2]).write_text(json.dumps({'cores': sorted(os.sched_getaffinity(0))}))"
    )
    request = {"mode": "count", "path": str(models["onnx"]), "format": "onnx", "runs": 1, "cores": [core]}
    assert ask(tmp_path, request, code=code)[2] == {"cores": [core]}


class Clock:
    """Nanoseconds that pass only where a run says so."""

    def __init__(self, *takes: int) -> None:
        self.now, self.takes, self.runs = 0, list(takes), 0

    def __call__(self) -> int:
        return self.now

    def run(self, image: object) -> None:
        self.now += self.takes[min(self.runs, len(self.takes) - 1)]
        self.runs += 1


@pytest.mark.parametrize(
    ("takes", "runs", "nanoseconds", "expected"),
    [
        ((10, 20, 30), 3, 0, [10, 20, 30]),
        ((10, 20, 30), 1, 25, [10, 20]),
        ((10, 20, 30), 1, 31, [10, 20, 30]),
        ((7,), 2, 70, [7] * 10),
    ],
)
def test_both_limits_are_reached_and_no_more(
    monkeypatch: pytest.MonkeyPatch, takes: tuple[int, ...], runs: int, nanoseconds: int, expected: list[int]
) -> None:
    for each in (1, 10, 10**6, 0):  # a good guess, a bad one, none
        clock = Clock(*takes)
        monkeypatch.setattr(time, "perf_counter_ns", clock)
        assert runner.time_runs(clock.run, None, runs, nanoseconds, each) == [took / 1e9 for took in expected]


def test_the_warm_up_reaches_both_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for runs, nanoseconds, done in ((3, 0, 3), (1, 95, 10), (0, 0, 0)):
        clock = Clock(10)
        monkeypatch.setattr(time, "perf_counter_ns", clock)
        assert runner.warm_up(clock.run, None, runs, nanoseconds) == (10 if done else 0)
        assert clock.runs == done


def test_no_collection_while_it_is_timed() -> None:
    states = []

    def run(image: object) -> list[object]:
        states.append(gc.isenabled())
        return []

    def load(path: str, threads: int, profile: str | None) -> runner.Model:
        return runner.Model((1, 2), np.uint8, run, lambda: [])

    request = {**runner.DEFAULTS, "path": "", "runs": 4, "seconds": 0, "warmup_runs": 2, "warmup_seconds": 0}
    assert len(runner.measure_time(request, load)["seconds"]) == 4
    assert states == [True] + [False] * 6 and gc.isenabled(), "the first inference, two of the warm-up, four timed"


def test_the_noise_is_the_same_everywhere() -> None:
    found = runner.make_noise((1, 5, 7, 3), np.uint8)
    assert found.shape == (1, 5, 7, 3) and found.dtype == np.uint8
    assert found.ravel().tolist() == [(i * 2654435761 % 2**32) >> 24 for i in range(105)]
    assert len(set(runner.make_noise((1, 224, 224, 3), np.uint8).ravel().tolist())) == 256


def test_noise_for_floats_is_that_of_bytes_divided_by_255() -> None:
    bytes_ = runner.make_noise((2, 3, 5, 7), np.uint8)
    np.testing.assert_allclose(runner.make_noise((2, 3, 5, 7), np.float32) * 255, bytes_, atol=1e-4)


def test_pictures_come_in_the_batch_that_the_file_takes(tmp_path: Path) -> None:
    model = runner.Model((4, 2, 2, 3), np.dtype(np.uint8), list, list)
    pictures = np.arange(8 * 12, dtype=np.uint8).reshape(8, 2, 2, 3)
    np.save(tmp_path / "eight.npy", pictures)
    batches = runner.load_pictures({"input": str(tmp_path / "eight.npy")}, model)
    assert len(batches) == 2 and np.array_equal(np.concatenate(batches), pictures)
    np.save(tmp_path / "six.npy", pictures[:6])
    with pytest.raises(ValueError, match="takes 4 at a time"):
        runner.load_pictures({"input": str(tmp_path / "six.npy")}, model)


def test_the_first_runs_are_left_out_of_the_profile() -> None:
    def node(name: str, kind: str, microseconds: int) -> dict[str, Any]:
        return {"cat": "Node", "name": f"{name}_kernel_time", "dur": microseconds, "args": {"op_name": kind}}

    events: list[dict[str, Any]] = [{"cat": "Session", "name": "model_run", "dur": 9, "args": {}}]
    for microseconds in (1000, 500, 30, 10):
        events += [node("a", "Conv", microseconds), node("b", "Mul", 2), {**node("a", "Conv", 7), "name": "a_fence"}]
    rows = runner.read_onnx_layers(events, 2)
    assert [(row["name"], row["kind"]) for row in rows] == [("a", "Conv"), ("b", "Mul")]
    assert [row["seconds"] for row in rows] == pytest.approx([20e-6, 2e-6])


SUMMARY = """
=================== Run Order ===================
  [node type]  [start]  [first]  [avg ms]  [%]  [cdf%]  [mem KB]  [times called]  [Name]
         CAST    0.000    0.066     0.068  0.2%   0.2%     0.000     1   [Builtin]:0
  Delegate/Convolution (NHWC, F32) IGEMM    0.000    0.395     0.395  1.010%    3.224%      0.000    1   [Delegate]:0
  Delegate/Sigmoid (NC)    0.000    0.1     0.250     1.010%    3.224%      0.000    1   [Delegate]:{second}
         RELU    0.000    0.066     0.001  0.2%   0.2%     0.000     1   [Builtin]:9
  Delegate/Sigmoid (NC)    0.000    0.1     0.125     1.010%    3.224%      0.000    1   [Delegate]:0

=================== Top by Computation Time ===================
         CAST    0.000    0.066     0.068  0.2%   0.2%     0.000     1   [Builtin]:0
"""


def test_reads_litert_summaries() -> None:
    rows = litert_layers.parse_rows(SUMMARY.replace("{second}", "1"))
    assert [(name, kind, round(seconds * 1e6)) for name, kind, seconds in rows] == [
        ("Builtin:0", "CAST", 68),
        ("Delegate:0", "Convolution (NHWC, F32) IGEMM", 395),
        ("Delegate:1", "Sigmoid (NC)", 250),
        ("Builtin:9", "RELU", 1),
        ("Delegate2:0", "Sigmoid (NC)", 125),
    ]
    with pytest.raises(ValueError, match="lost operations"):
        litert_layers.parse_rows(SUMMARY.replace("{second}", "2"))
    with pytest.raises(ValueError, match="no operations"):
        litert_layers.parse_rows("nothing")
