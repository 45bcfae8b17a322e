"""What an artifact says of old runtimes: the matrix's word for its own name, and of Core ML the package's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from imageqx_export.artifact import Checkpoint, Format, Precision
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.bundle.runtimes import RuntimeRow, RuntimeTable
from imageqx_export.export.minimum import find_minimums, state_minimum
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.runtimes import load_runtime


def row(runtime: str, version: str, verdict: str, variant: str = "xnnpack", **fields: Any) -> RuntimeRow:
    base = {"artifact": "imageqx_w8a8.tflite", "sha256": "", "machine": "x86-64", "app": ""}
    return RuntimeRow.model_validate(
        base | {"runtime": runtime, "version": version, "verdict": verdict, "variant": variant} | fields
    )


ROWS = (
    row("litert", "1.0.1", "refused"),
    row("litert", "1.1.2", "right"),
    row("litert", "1.10.0", "right"),
    row("litert", "2.0.0", "unavailable"),
    row("litert", "1.10.0", "wrong", variant="builtin"),  # an app gets XNNPACK
    row("tflite-runtime", "2.14.0", "wrong"),
    row("litert", "9.0.0", "refused", artifact="imageqx_fp32.tflite"),
)


def test_the_oldest_of_those_that_are_right_up_to_the_newest_that_could_be_had() -> None:
    table = RuntimeTable(images=12, rows=ROWS)
    assert find_minimums(table, "imageqx_w8a8.tflite") == {"litert": "1.1.2", "tflite-runtime": None}
    later = RuntimeTable(images=12, rows=(*ROWS, row("litert", "2.1.0", "wrong")))
    assert find_minimums(later, "imageqx_w8a8.tflite")["litert"] is None


def test_a_table_beside_the_checkpoint_is_read_and_without_one_nothing_is_stated(tmp_path: Path) -> None:
    checkpoint = Checkpoint(path=tmp_path / "imageqx.safetensors", sha256="", spec=spec())
    assert state_minimum(checkpoint, Format.TFLITE, Precision.W8A8) == spec()
    (tmp_path / "imageqx.runtimes.json").write_text(RuntimeTable(images=12, rows=ROWS).model_dump_json())
    stated = state_minimum(checkpoint, Format.TFLITE, Precision.W8A8)
    assert stated.min_runtime == {"litert": "1.1.2", "tflite-runtime": None}
    assert state_minimum(checkpoint, Format.ONNX, Precision.W8A8) == spec()
    assert state_minimum(checkpoint, Format.COREML, Precision.W8, "16.0").min_runtime == {"ios": "16.0"}


@pytest.mark.filterwarnings("default")  # coremltools warns about versions that it has not tested
def test_a_packages_minimum_ios_is_its_specification_versions(exported: Path) -> None:
    """Version 7 is iOS 16 and 8 iOS 17 (coremltools' own constants: tests/bench/ios/test_phones.py)."""
    from coremltools.proto import Model_pb2

    artifacts = [a for a in read_manifest(exported).artifacts if a.format is Format.COREML]
    assert artifacts
    for artifact in artifacts:
        content = (exported / artifact.path / "Data/com.apple.CoreML/model.mlmodel").read_bytes()
        wanted = {7: "16.0", 8: "17.0"}[Model_pb2.Model.FromString(content).specificationVersion]
        assert artifact.spec.min_runtime["ios"] == wanted
        assert load_runtime(exported / artifact.path).spec == artifact.spec


def test_every_file_says_what_the_manifest_says(exported: Path) -> None:
    for artifact in read_manifest(exported).artifacts:
        if artifact.format is not Format.COREML:
            assert load_runtime(exported / artifact.path).spec == artifact.spec
