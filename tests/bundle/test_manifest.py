"""What an artifacts folder may hold: all that an export writes, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imageqx_export import networks
from imageqx_export.bundle.manifest import make_layout, read_manifest
from imageqx_export.errors import ParityError

# As `find artifacts/imageqx -type f` lists an export of all twelve files, one of each kind.
WRITTEN = (
    "manifest.json",
    "parity.json",
    "budgets.json",
    "imageqx_fp32.onnx",
    "imageqx_w8a8.tflite",
    "imageqx_fp16.mlpackage/Manifest.json",
    "imageqx_fp16.mlpackage/Data/com.apple.CoreML/model.mlmodel",
    "imageqx_fp16.mlpackage/Data/com.apple.CoreML/weights/weight.bin",
    "golden/00.png",
    "golden/expected.json",
    "golden/expected_w8.json",
    "golden/expected_w8a8.json",
    "quantization/imageqx_w8.json",
    "quantization/imageqx_w8a8.json",
)
FOREIGN = (
    "notes.txt",
    "photos/00.png",
    "golden/notes.txt",
    "imageqx_fp32.onnx.bak",
    "imageqx_best.onnx",
    "other_fp32.onnx",
    "imageqx_fp16.mlpackage/notes.txt",
    "quantization/mine.json",
    "manifest.json/a",
)


def write(folder: Path, name: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_an_exports_own_files(tmp_path: Path) -> None:
    for name in WRITTEN:
        write(tmp_path, name)
    assert make_layout("imageqx").find_foreign(tmp_path) == []


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_of_others(tmp_path: Path, name: str) -> None:
    write(tmp_path, name)
    assert make_layout("imageqx").find_foreign(tmp_path) == [name]


def test_an_empty_folder_of_others(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert make_layout("imageqx").find_foreign(tmp_path) == ["mine"]


@pytest.mark.parametrize(("key", "repeated"), [("path", "onnx fp16"), ("precision", "b.onnx")])
def test_an_artifact_that_is_listed_twice_is_refused(tmp_path: Path, key: str, repeated: str) -> None:
    """One file under two precisions, or two files as one: a report cannot tell them apart."""
    spec = networks.spec("imageqx").model_dump(mode="json")
    one = {
        "path": "a.onnx",
        "format": "onnx",
        "precision": "fp32",
        "spec": spec,
        "sha256": "0" * 64,
        "size_bytes": 1,
        "checkpoint_sha256": "1" * 64,
        "tool_versions": {},
    }
    other = {**one, "path": "b.onnx", "precision": "fp16"}
    body = {"model": "imageqx", "checkpoint_sha256": "1" * 64, "artifacts": [one, other]}
    (tmp_path / "manifest.json").write_text(json.dumps(body))
    assert len(read_manifest(tmp_path).artifacts) == 2
    body["artifacts"] = [one, other, {**other, key: {"path": "c.onnx", "precision": "w8"}[key]}]
    (tmp_path / "manifest.json").write_text(json.dumps(body))
    with pytest.raises(ParityError) as caught:
        read_manifest(tmp_path)
    assert f"named more than once: {repeated}" in str(caught.value)
