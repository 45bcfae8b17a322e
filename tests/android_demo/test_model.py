"""The model that goes into the app: the manifest's own file, or none."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

import pytest

from android_demo.tools.model import find_artifact, is_proved_on_gpu, list_golden
from imageqx_export.artifact import Format, Precision, Proof
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


def prove(verdict: Literal["right", "wrong"], target: str = "gpu", *, whole: bool = True) -> Proof:
    return Proof(
        target=target, chips=("any",), verdict=verdict, whole=whole, labels=12, images=12, max_abs=0.0, tool="a test"
    )


@pytest.mark.parametrize(
    ("proofs", "expected"),
    [
        ((), False),
        ((prove("right"),), True),
        ((prove("right", whole=False),), False),
        ((prove("right", "qualcomm"),), False),
        ((prove("right"), prove("wrong")), False),
        ((prove("right"), prove("wrong", "qualcomm")), True),
    ],
)
def test_the_gpu_is_for_what_proofs_call_right_there(export: Path, proofs: tuple[Proof, ...], expected: bool) -> None:
    artifact = find_artifact(export, Precision.FP32).model_copy(update={"proofs": proofs})
    assert is_proved_on_gpu(artifact) is expected


def test_a_golden_file_that_is_another_one_is_refused(export: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(export, folder)
    golden = list_golden(folder)
    assert golden
    golden[0].write_bytes(b"other")
    with pytest.raises(ArtifactError, match="golden file is not the exported one"):
        list_golden(folder)
