"""Files of every kind, ours and strangers', whole and damaged, as lint reads them."""

from __future__ import annotations

import importlib
import json
import struct
import zipfile
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from imageqx_export.artifact import Format
from imageqx_export.errors import ArtifactError
from imageqx_export.lint.model import LintReport
from imageqx_export.lint.stage import READERS, lint_file, lint_files, lint_own_files
from imageqx_export.support.store import Store
from tests.conftest import Cli
from tests.export.tflite.test_accelerators import Graph


def strangers_onnx(path: Path, *, cast: bool) -> Path:
    """Write uint8 pixels → float32 → · 2, by Cast or by DequantizeLinear."""
    arrays = {"two": np.float32(2), "one": np.float32(1), "zero": np.uint8(0)}
    entry = (
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT)
        if cast
        else helper.make_node("DequantizeLinear", ["x", "one", "zero"], ["f"])
    )
    graph = helper.make_graph(
        [entry, helper.make_node("Mul", ["f", "two"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, (1, 4))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4))],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in arrays.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=7), path)
    return path


def strangers_tflite(path: Path) -> Path:
    from imageqx_export.export.tflite import flatbuffer

    made = Graph()
    image, out = made.tensor((1, 4), "UINT8"), made.tensor((1, 4), "FLOAT32")
    made.operator("CAST", [image], out)
    path.write_bytes(flatbuffer.write(made.ends(image, out)))
    return path


def library(alignment: int, bits: int = 64) -> bytes:
    """Return the head of an ELF file with one loaded segment."""
    identity = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1, 1]) + bytes(9)
    head = struct.pack("<HHIQQQIHHHHHH", 3, 183, 1, 0, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    return identity + head + struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 4096, 4096, alignment)


def rules(path: Path) -> set[str]:
    found = lint_file(path)
    assert found.unread is None, found.unread
    return {finding.rule for finding in found.findings}


def test_an_onnx_file_of_anybodys(tmp_path: Path) -> None:
    assert "cast-from-uint8" in rules(strangers_onnx(tmp_path / "a.onnx", cast=True))
    assert "cast-from-uint8" not in rules(strangers_onnx(tmp_path / "b.onnx", cast=False))


def test_a_tflite_file_of_anybodys(tmp_path: Path) -> None:
    assert rules(strangers_tflite(tmp_path / "a.tflite")) == {"cast-from-uint8"}


@pytest.mark.parametrize(("alignment", "found"), [(4096, {"16-kb-pages"}), (16384, set())])
def test_libraries_alone_and_in_an_android_package(tmp_path: Path, alignment: int, found: set[str]) -> None:
    (tmp_path / "a.so").write_bytes(library(alignment))
    with zipfile.ZipFile(tmp_path / "a.aar", "w") as archive:
        archive.writestr("jni/arm64-v8a/libA.so", library(alignment))
        archive.writestr("jni/armeabi-v7a/libA.so", library(4096, bits=32))
    assert rules(tmp_path / "a.so") == rules(tmp_path / "a.aar") == found


CONTENTS = (b"", b"\x1c\0\0\0TFL3" + b"\xff" * 64, b"\x08" * 100, b"\x7fELF" + b"\x02" * 80)


@pytest.mark.parametrize("name", ["a.onnx", "a.tflite", "a.so", "a.aar", "a.apk"])
@pytest.mark.parametrize("content", CONTENTS)
def test_what_is_not_its_kind_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ArtifactError):
        importlib.import_module(f"imageqx_export.lint.readers.{READERS[path.suffix]}").read(path)


def test_what_is_refused_is_unreadable_and_fails(tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(CONTENTS[1])
    found = lint_file(tmp_path / "a.tflite")
    assert found.unread and not found.passed and "\n" not in found.unread


def test_a_file_that_is_cut_short_anywhere_is_read_or_refused(tmp_path: Path) -> None:
    from imageqx_export.lint.readers import onnx as onnx_reader
    from imageqx_export.lint.readers import tflite as tflite_reader

    readers: dict[str, Any] = {"tflite": tflite_reader, "onnx": onnx_reader}
    whole = {
        "tflite": strangers_tflite(tmp_path / "whole.tflite").read_bytes(),
        "onnx": strangers_onnx(tmp_path / "whole.onnx", cast=True).read_bytes(),
    }
    refused = 0
    for kind, content in whole.items():
        for size in range(0, len(content), 7):
            path = tmp_path / f"cut.{kind}"
            path.write_bytes(content[:size])
            try:
                readers[kind].read(path)
            except ArtifactError:
                refused += 1
    assert refused > 20


def test_a_core_ml_package_that_points_out_of_itself_is_refused(tmp_path: Path) -> None:
    package = tmp_path / "a.mlpackage"
    package.mkdir()
    entries = {"1": {"path": "../../secret"}}
    (package / "Manifest.json").write_text(json.dumps({"itemInfoEntries": entries, "rootModelIdentifier": "1"}))
    (tmp_path / "secret").write_text("")
    assert "no file of the package" in (lint_file(package).unread or "")


def test_files_of_no_kind_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("")
    for path in (tmp_path / "a.txt", tmp_path / "missing.onnx", tmp_path):
        with pytest.raises(ArtifactError):
            lint_files([path])


def found_in(report: dict[str, Any], name: str) -> Any:
    return next(file["findings"] for file in report["files"] if Path(file["path"]).name == name)


def test_the_exported_files_have_no_error(exported: Path, cli: Cli) -> None:
    """As the export found; the command finds the same in one file of each format."""
    written = LintReport.model_validate_json((exported / "lint.json").read_bytes())
    assert written.passed, written
    report = written.model_dump(mode="json")
    some = [exported / f"imageqx_fp16{format.suffix}" for format in Format]
    result = cli("lint", *some, "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    again = {Path(file["path"]).name: file["findings"] for file in json.loads(result.stdout)["files"]}
    assert again == {path.name: found_in(report, path.name) for path in some}
    found = {Path(file["path"]).name: {row["rule"] for row in file["findings"]} for file in report["files"]}
    assert found["imageqx_fp32.onnx"] == found["imageqx_fp32.tflite"] == found["imageqx_fp32.mlpackage"] == set()
    assert found["imageqx_w8.tflite"] == {"per-channel-dequantize"}
    assert found["imageqx_fp16.mlpackage"] == {"float32-among-float16"}
    assert all(file["operators"] > 100 for file in report["files"])


def test_an_error_is_said_with_its_mend_and_exits_with_1(tmp_path: Path, cli: Cli) -> None:
    result = cli("lint", strangers_onnx(tmp_path / "a.onnx", cast=True))
    assert result.returncode == 1
    for text in ("cast-from-uint8", "mend:", "DequantizeLinear", "no phone has confirmed it", "0 of 1 files"):
        assert text in result.stdout


def test_own_files_share_a_process_a_kind_and_say_what_they_say_alone(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"\x08" * 100)
    good = [strangers_onnx(tmp_path / "a.onnx", cast=True), strangers_tflite(tmp_path / "a.tflite")]
    files = [good[0], tmp_path / "bad.onnx", good[1]]
    store = Store(tmp_path / "cache", lambda: {"code": "1"})
    found = lint_own_files(files, store=store)
    assert found.files == lint_files(files).files
    assert [row.unread is None for row in found.files] == [True, False, True]
    moved = [path.rename(path.with_name(f"moved{path.suffix}")) for path in good]
    with mock.patch("imageqx_export.lint.stage.run_isolated", side_effect=AssertionError("read again")):
        again = lint_own_files(moved, store=store)
    assert [row.path for row in again.files] == moved
    assert [row.findings for row in again.files] == [found.files[0].findings, found.files[2].findings]
