"""A runtime that is too old for a file is refused with the version that it needs; what is not known is not refused."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from imageqx_export.errors import ArtifactError
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.runtimes import load_runtime
from imageqx_export.runtimes.minimum import explain_older


@pytest.mark.parametrize(
    ("needed", "installed", "problem"),
    [
        ("1.10.0", "1.9.2", "litert 1.10.0 or newer"),  # as numbers, not as text
        ("1.4", "1.4.0.dev20251130", None),
        ("2.3.0", "2.3.0+cpu", None),
        ("2.3.1", "2.3.0", "litert 2.3.1 or newer"),
        (None, "9.0", "no version of litert"),
    ],
)
def test_versions_are_compared_as_numbers(needed: str | None, installed: str, problem: str | None) -> None:
    found = explain_older(spec().model_copy(update={"min_runtime": {"litert": needed}}), "ai-edge-litert", installed)
    assert found is None if problem is None else found is not None and problem in found


def test_what_nobody_asked_is_not_refused() -> None:
    assert explain_older(spec(), "ai-edge-litert", "0.1") is None
    asked = spec().model_copy(update={"min_runtime": {"onnxruntime": "1.15.1"}})
    assert explain_older(asked, "tflite-runtime", "2.14.0") is None


@pytest.mark.parametrize("name", ["imageqx_fp32.onnx", "imageqx_fp32.tflite"])
def test_a_file_for_a_newer_runtime_is_refused_by_name(exported: Path, tmp_path: Path, name: str) -> None:
    """The same files open as they are: see test_runtimes.py."""
    path = tmp_path / name
    shutil.copy(exported / name, path)
    text = load_runtime(path).spec.model_copy(update={"min_runtime": {"litert": "99.1", "onnxruntime": "99.1"}})
    write_spec(path, text.model_dump_json())
    with pytest.raises(ArtifactError, match="too old") as caught:
        load_runtime(path)
    assert "99.1 or newer" in str(caught.value) and name in str(caught.value)
    write_spec(path, text.model_copy(update={"min_runtime": {"litert": "1.0", "onnxruntime": "1.0"}}).model_dump_json())
    assert load_runtime(path).run(np.zeros((1, 224, 224, 3), np.uint8))


def write_spec(path: Path, spec: str) -> None:
    if path.suffix == ".onnx":
        import onnx

        model = onnx.load(path)
        next(entry for entry in model.metadata_props if entry.key == "spec").value = spec
        onnx.save(model, path)
        return
    content = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        flatbuffer = content[: min(info.header_offset for info in archive.infolist())]
    path.write_bytes(flatbuffer)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("spec.json", json.dumps({"spec": spec}))
