"""Each runtime opens its own kind, and refuses what it cannot trust."""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.errors import ArtifactError, UnavailableError, UnknownNameError
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.runtimes import load_runtime, tflite

SUFFIXES = ["onnx", "tflite", "mlpackage"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.filterwarnings("default")  # coremltools warns about versions that it has not tested
def test_a_file_tells_its_spec_and_its_outputs(exported: Path, checkpoint: Path, suffix: str) -> None:
    runtime = load_runtime(exported / f"imageqx_fp32.{suffix}")
    assert runtime.spec.model_copy(update={"min_runtime": {}}) == load_checkpoint(checkpoint)[0].spec
    assert [tensor.name for tensor in runtime.signature] == ["quality", "explanations", "attention"]
    assert all(got.shape in ((), want.shape) for got, want in zip(runtime.signature, spec().outputs, strict=True))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    both, second = runtime.run(pixels), runtime.run(pixels[1:])
    for name, value in second.items():
        assert both[name].dtype == np.float32
        np.testing.assert_array_equal(both[name][1:], value)
    np.testing.assert_allclose(both["quality"].sum(1), 1, atol=1e-5)
    assert (both["attention"] >= 0).all()


@pytest.mark.parametrize("suffix", ["onnx", "tflite", "mlpackage", "safetensors"])
def test_garbage_is_an_artifact_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"garbage.{suffix}"
    path.write_bytes(np.random.default_rng(0).bytes(4000))
    with pytest.raises(Exception, match="garbage") as caught:
        load_runtime(path)
    assert type(caught.value).__name__ in ("ArtifactError", "CheckpointError")


def test_unknown_kinds_and_runtimes_list_the_known(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="tflite"):
        load_runtime(tmp_path / "model.pt")
    with pytest.raises(UnknownNameError, match="mil"):
        load_runtime(tmp_path / "model.onnx", runtime="tensorrt")
    with pytest.raises(ArtifactError, match="no such file"):
        load_runtime(tmp_path / "model.onnx")


@pytest.mark.skipif(sys.platform == "darwin", reason="there Core ML runs")
def test_core_ml_is_unavailable_elsewhere_and_says_what_to_use(tmp_path: Path) -> None:
    (tmp_path / "x.mlpackage").mkdir()
    with pytest.raises(UnavailableError, match="'mil'"):
        load_runtime(tmp_path / "x.mlpackage", runtime="coreml")


def test_a_tflite_file_without_its_spec_is_refused(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "bare.tflite"
    shutil.copy(exported / "imageqx_fp32.tflite", path)
    with zipfile.ZipFile(path) as archive:
        start = min(entry.header_offset for entry in archive.infolist())
    path.write_bytes(path.read_bytes()[:start])
    assert tflite.read_metadata(path) == {}
    with pytest.raises(ArtifactError, match="no ModelSpec"):
        load_runtime(path)
