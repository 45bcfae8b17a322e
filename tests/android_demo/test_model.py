"""The model that goes into the app: the manifest's own file, or none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from android_demo.tools.model import find_artifact
from imageqx_export.artifact import Format, Precision
from imageqx_export.errors import ArtifactError
from tests.bench.tiny import tiny_folder


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("app") / "tiny")


def test_the_file_of_a_precision_is_found(export: Path) -> None:
    artifact = find_artifact(export, Precision.FP32)
    assert (artifact.format, artifact.path.name) == (Format.TFLITE, "tiny_fp32.tflite")


def test_a_precision_that_was_not_exported_is_told(export: Path) -> None:
    with pytest.raises(ArtifactError, match="no such model"):
        find_artifact(export, Precision.W8A8)


@pytest.mark.parametrize("change", [lambda file: file.write_bytes(b"other"), Path.unlink])
def test_another_file_is_refused(export: Path, tmp_path: Path, change: object) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(export, folder)
    assert callable(change)
    change(folder / "tiny_fp32.tflite")
    with pytest.raises(ArtifactError, match="not the exported one"):
        find_artifact(folder, Precision.FP32)
