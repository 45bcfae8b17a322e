"""The parsers of what others may have written: each with inputs that it accepts."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from imageqx_export.artifact import Precision
from imageqx_export.bench.android import benchmark_model
from imageqx_export.bench.android.thermal import parse_battery, parse_thermal
from imageqx_export.bench.ios.phones import read_phones
from imageqx_export.budgets.limits import SHIPPED, read_budgets
from imageqx_export.bundle.golden import load_golden_outputs
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.data.tables import read_table
from imageqx_export.decisions import apply_thresholds
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.quantize.recipe import read_recipe
from imageqx_export.report.sides import read_side
from imageqx_export.runtimes.base import read_spec
from imageqx_export.runtimes.tflite import read_metadata
from imageqx_export.support.untrusted import parse_json
from tests.bench.tiny import make_run

RECORDED = Path(__file__).parents[1] / "bench"


@dataclass(frozen=True)
class Parser:
    """A parser, and inputs to change.

    Args:
        read: Reads what is in a folder's file or files, given the input's bytes.
        seeds: Inputs that it accepts.
    """

    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]


def _from_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    def parse(data: bytes) -> object:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
            return read(path)

    return parse


def _make_manifest() -> bytes:
    artifact = {
        "path": "a.onnx",
        "format": "onnx",
        "precision": "fp32",
        "spec": spec().model_dump(mode="json"),
        "sha256": "0",
        "size_bytes": 1,
        "checkpoint_sha256": "0",
        "tool_versions": {},
    }
    return json.dumps({"model": "imageqx", "checkpoint_sha256": "0", "artifacts": [artifact]}).encode()


def _make_recipe() -> bytes:
    row = {"observer": "minmax"}
    body = {
        "precision": "w8a8",
        "checkpoint_sha256": "0",
        "weights": [{"tensor": "a:conv", "scales": [0.5, 0.25], **row}],
        "activations": [{"tensor": "a:conv", "scale": 0.5, "zero_point": -128, **row}],
        "channels": [{"module": "a.1", "scales": [0.5]}],
    }
    return json.dumps(body).encode()


def _make_zip(folder: Path) -> bytes:
    import zipfile

    path = folder / "a.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(24))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("spec.json", json.dumps({"spec": "{}"}))
    return path.read_bytes()


def _make_result() -> bytes:
    """Return three runs of 1, 2 and 3 ms after one to warm up, as benchmark_model's protobuf."""
    message = benchmark_model._load_message_type()()
    latency = message.latency_metrics
    latency.min_ms, latency.median_ms, latency.max_ms, latency.avg_ms = 1, 2, 3, 2
    latency.init_ms, latency.first_inference_ms = 10, 4
    message.misc_metrics.num_runs, message.misc_metrics.num_warmup_runs = 3, 1
    return bytes(message.SerializeToString())


def list_parsers() -> dict[str, Parser]:
    """Return every parser by name: the one table."""
    run = make_run().model_dump_json().encode() + b"\n"
    golden = json.dumps({"00.png": {"quality": [0.1, 0.9], "explanations": [0.5]}}).encode()
    clinic = b'{"schema_version": 1, "poor_quality": 0.5, "reasons": {"blurry": 0.4}}'
    with tempfile.TemporaryDirectory() as folder:
        zipped = _make_zip(Path(folder))
    devices = (RECORDED / "ios" / "recorded" / "devices.json").read_bytes()
    return {
        "JSON": Parser(parse_json, (b'{"a": [1, 2.5, "x", null, {"b": true}]}',)),
        "manifest": Parser(_from_file("manifest.json", lambda path: read_manifest(path.parent)), (_make_manifest(),)),
        "golden outputs": Parser(
            _from_file("golden/expected.json", lambda path: load_golden_outputs(path.parents[1], Precision.FP32)),
            (golden,),
        ),
        "ModelSpec": Parser(
            lambda data: read_spec({"spec": data.decode("utf-8", "replace")}, Path("a.onnx")),
            (spec().model_dump_json().encode(),),
        ),
        "TFLite zip": Parser(_from_file("a.tflite", read_metadata), (zipped,)),
        "thresholds": Parser(_from_file("a.json", lambda path: apply_thresholds(spec(), path)), (clinic,)),
        "budgets": Parser(_from_file("a.toml", read_budgets), (SHIPPED.read_bytes(),)),
        "recipe": Parser(_from_file("a.json", read_recipe), (_make_recipe(),)),
        "history": Parser(_from_file("a.jsonl", lambda path: read_side(str(path))), (run, run.replace(b'"a"', b'"b"'))),
        "baseline": Parser(
            _from_file("a.json", lambda path: read_side(str(path))), (b'{"runs": [' + run.strip() + b"]}",)
        ),
        "CSV": Parser(_from_file("a.csv", lambda path: read_table(path, ["a"], ["b"])), (b'a,b\n1,"x,y"\n2,z\n',)),
        "benchmark_model result": Parser(lambda data: benchmark_model.parse_result(data, "adb:x"), (_make_result(),)),
        "benchmark_model profile": Parser(
            lambda data: benchmark_model.parse_profile(data.decode("utf-8", "replace"), "adb:x"),
            ((RECORDED / "android" / "recorded" / "profile.csv").read_bytes(),),
        ),
        "phone's temperatures": Parser(
            lambda data: parse_thermal(data.decode("utf-8", "replace")),
            ((RECORDED / "android" / "recorded" / "thermalservice.txt").read_bytes(),),
        ),
        "phone's battery": Parser(
            lambda data: parse_battery(data.decode("utf-8", "replace")),
            ((RECORDED / "android" / "recorded" / "battery.txt").read_bytes(),),
        ),
        "list of iPhones": Parser(lambda data: read_phones(_as_object(data)), (devices,)),
    }


def _as_object(data: bytes) -> dict[str, object]:
    value = parse_json(data)
    return value if isinstance(value, dict) else {}
