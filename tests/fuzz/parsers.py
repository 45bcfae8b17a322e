"""The parsers of what others may have written: each with inputs that it accepts."""

from __future__ import annotations

import json
import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from imageqx_export.artifact import Precision
from imageqx_export.bench.android import benchmark_model
from imageqx_export.bench.android.abi import read_abi
from imageqx_export.bench.android.thermal import parse_battery, parse_thermal
from imageqx_export.bench.android.workdir import parse_free_bytes
from imageqx_export.bench.ios.phones import read_phones
from imageqx_export.bench.worker.launch import read_result
from imageqx_export.budgets.limits import SHIPPED, read_budgets
from imageqx_export.bundle.golden import load_golden_outputs
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.data.annotations import read_ratings
from imageqx_export.data.tables import read_table
from imageqx_export.decisions import apply_thresholds
from imageqx_export.errors import ImageQXError
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.quantize.recipe import read_recipe
from imageqx_export.report.sides import read_side
from imageqx_export.runtimes.base import read_spec
from imageqx_export.support.untrusted import UntrustedError, parse_json
from tests.bench.tiny import make_run
from tests.fuzz.changes import Repair

CSV = b'a,b\n1,"x,y"\n2,z\n'
RATINGS = b"image,rater,evaluation,reasons\na.jpg,one,L98.9,\nb.jpg,two,poor_quality,blurry;bad_light\n"
RECORDED = Path(__file__).parents[1] / "bench"


@dataclass(frozen=True)
class Parser:
    """A parser, and inputs to change.

    Args:
        read: Reads an input's bytes, from a file where the parser wants one.
        seeds: Inputs that it accepts.
        repair: Makes an input's checksums fit again, where there are any.
        apart: Whether the project, too, runs it in a process for this input alone, and says so when that crashes.
        check: Says what is wrong with a value that was accepted, or None; numbers must be finite anyway.
    """

    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    repair: Repair | None = None
    apart: bool = False
    check: Callable[[Any], str | None] = lambda value: None


def try_input(parser: Parser, data: bytes) -> tuple[str, str]:
    """Return ``"accepted"``, ``"refused"``, ``"wrong"`` or ``"traceback"``, and in words what was wrong."""
    try:
        value = parser.read(data)
    except BaseException as error:  # a panic of Rust is no Exception
        # The bounded reader itself speaks in a ValueError of its own, which its callers make theirs.
        if isinstance(error, ImageQXError | UntrustedError):
            printed = str(error).strip()
            return (
                ("refused", "")
                if 0 < len(printed) < LONGEST_REFUSAL
                else ("wrong", f"a refusal of {len(printed)} characters")
            )
        place = traceback.extract_tb(error.__traceback__)[-1]
        return "traceback", f"{type(error).__name__}: {error!s:.200} ({Path(place.filename).name}:{place.lineno})"
    wrong = find_infinite(value) or parser.check(value)
    return ("wrong", wrong) if wrong else ("accepted", "")


def refuse_wrong_seeds(name: str, parser: Parser) -> None:
    """Raise ValueError where a parser does not accept what is changed: then nothing that comes of it says anything."""
    for seed in parser.seeds:
        found = try_input(parser, seed)
        if found[0] != "accepted":
            raise ValueError(f"{name} does not accept its own seed: {found}")


LONGEST_REFUSAL = 6500
"""Characters of a refusal that people still read."""


def find_infinite(value: object, place: str = "it") -> str | None:
    """Return where in a value a number is not finite, or None."""
    if isinstance(value, float | np.floating):
        return None if np.isfinite(value) else f"{place} is {value}"
    if isinstance(value, np.ndarray):
        return None if value.dtype.kind != "f" or np.isfinite(value).all() else f"{place} has numbers that are none"
    if isinstance(value, BaseModel):
        return find_infinite(dict(value), place)
    if isinstance(value, Mapping):
        return next(filter(None, (find_infinite(part, f"{place}.{name!s:.40}") for name, part in value.items())), None)
    if isinstance(value, list | tuple):
        return next(filter(None, (find_infinite(part, f"{place}[{i}]") for i, part in enumerate(value))), None)
    if is_dataclass(value) and not isinstance(value, type):
        return find_infinite({row.name: getattr(value, row.name) for row in fields(value)}, place)
    return None


def from_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """Return what writes an input to a file of that name and reads it; whoever chose the temporary folder clears it."""
    path = Path(tempfile.mkdtemp()) / name
    path.parent.mkdir(exist_ok=True)

    def parse(data: bytes) -> object:
        path.write_bytes(data)
        return read(path)

    return parse


def from_folder(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """Return what writes an input to a file of that name in a folder of its own, and reads the folder."""
    folder = Path(tempfile.mkdtemp())
    (folder / name).parent.mkdir(exist_ok=True)

    def parse(data: bytes) -> object:
        (folder / name).write_bytes(data)
        return read(folder)

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


def _make_result() -> bytes:
    """Return three runs of 1, 2 and 3 ms after one to warm up, as benchmark_model's protobuf."""
    message = benchmark_model._load_message_type()()
    latency = message.latency_metrics
    latency.min_ms, latency.median_ms, latency.max_ms, latency.avg_ms = 1, 2, 3, 2
    latency.init_ms, latency.first_inference_ms = 10, 4
    message.misc_metrics.num_runs, message.misc_metrics.num_warmup_runs = 3, 1
    return bytes(message.SerializeToString())


def list_parsers() -> dict[str, Callable[[], Parser]]:
    """Return what makes each parser, by name: those of text, and those that end in native code."""
    from tests.fuzz.native import list_native_parsers

    return {**list_text_parsers(), **list_native_parsers()}


def list_text_parsers() -> dict[str, Callable[[], Parser]]:
    """Return the parsers of JSON, TOML, CSV and of what tools and phones print; a few thousand inputs a second."""
    from tests.fuzz.archives import list_name_parsers
    from tests.fuzz.documents import list_document_parsers
    from tests.fuzz.releases import list_release_parsers
    from tests.fuzz.tools import list_tool_parsers

    own = {**_list_own_parsers(), **list_tool_parsers(), **list_name_parsers()}
    return {**own, **list_document_parsers(), **list_release_parsers()}


def _list_own_parsers() -> dict[str, Callable[[], Parser]]:
    """Return the parsers of the package's own files, and of what phones' tools print.

    Long because it is a table, a parser a row.
    """
    return {
        "JSON": lambda: Parser(parse_json, (b'{"a": [1, 2.5, "x", null, {"b": true}]}',)),
        "manifest": lambda: Parser(
            from_file("manifest.json", lambda path: read_manifest(path.parent)), (_make_manifest(),)
        ),
        "golden outputs": lambda: Parser(
            from_file("golden/expected.json", lambda path: load_golden_outputs(path.parents[1], Precision.FP32)),
            (json.dumps({"00.png": {"quality": [0.1, 0.9], "explanations": [0.5]}}).encode(),),
        ),
        "ModelSpec": lambda: Parser(
            lambda data: read_spec({"spec": data.decode("utf-8", "replace")}, Path("a.onnx")),
            (spec().model_dump_json().encode(),),
        ),
        "thresholds": lambda: Parser(
            from_file("a.json", lambda path: apply_thresholds(spec(), path)),
            (b'{"schema_version": 1, "poor_quality": 0.5, "reasons": {"blurry": 0.4}}',),
        ),
        "budgets": lambda: Parser(from_file("a.toml", read_budgets), (SHIPPED.read_bytes(),)),
        "recipe": lambda: Parser(from_file("a.json", read_recipe), (_make_recipe(),)),
        "history": lambda: Parser(
            from_file("a.jsonl", lambda path: read_side(str(path))), (_write_run(), _write_run() * 2)
        ),
        "baseline": lambda: Parser(
            from_file("a.json", lambda path: read_side(str(path))), (b'{"runs": [' + _write_run().strip() + b"]}",)
        ),
        "ratings in CSV": lambda: Parser(from_file("a.csv", read_ratings), (RATINGS,)),
        "fused labels in CSV": lambda: Parser(from_file("a.csv", lambda path: read_table(path, ["a"], ["b"])), (CSV,)),
        "benchmark_model's result": lambda: Parser(
            lambda data: benchmark_model.parse_result(data, "adb:x"), (_make_result(),)
        ),
        "benchmark_model's profile": lambda: Parser(
            lambda data: benchmark_model.parse_profile(data.decode("utf-8", "replace"), "adb:x"),
            ((RECORDED / "android" / "recorded" / "profile.csv").read_bytes(),),
        ),
        "phone's temperatures": lambda: Parser(
            lambda data: parse_thermal(data.decode("utf-8", "replace")),
            ((RECORDED / "android" / "recorded" / "thermalservice.txt").read_bytes(),),
        ),
        "phone's battery": lambda: Parser(
            lambda data: parse_battery(data.decode("utf-8", "replace")),
            ((RECORDED / "android" / "recorded" / "battery.txt").read_bytes(),),
        ),
        "phone's disk": lambda: Parser(
            lambda data: parse_free_bytes(data.decode("utf-8", "replace")),
            (b"Filesystem 1K-blocks Used Available Use% Mounted on\n/dev/dm-5 1000 900 100 90% /data\n",),
        ),
        "list of iPhones": lambda: Parser(
            lambda data: [(phone, phone.version, phone.label) for phone in read_phones(_as_object(data))],
            ((RECORDED / "ios" / "recorded" / "devices.json").read_bytes(),),
        ),
        "phone's program": lambda: Parser(from_file("a", read_abi), (b"\x7fELF\2\1\1" + bytes(11) + b"\xb7\0",)),
        "runner's result": lambda: Parser(
            from_file("a.json", lambda path: read_result(path, "a")), (b'{"versions": {"a": "1"}, "seconds": [0.1]}',)
        ),
    }


def _write_run() -> bytes:
    return make_run().model_dump_json().encode() + b"\n"


def _as_object(data: bytes) -> dict[str, object]:
    value = parse_json(data)
    return value if isinstance(value, dict) else {}
