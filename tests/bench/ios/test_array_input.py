"""The array-input package: the artifact's own program and weights, its photo as numbers, and the same answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from imageqx_export.artifact import Precision
from imageqx_export.bench.ios.array_input import PROGRAM, read_specification, split_planes, write_array_input_package
from imageqx_export.bundle.golden import load_golden_outputs, load_golden_pixels
from imageqx_export.errors import ArtifactError
from imageqx_export.parity.compare import TOLERANCES
from imageqx_export.runtimes.mil import runtime as mil
from imageqx_export.support.files import digest

WEIGHTS = Path("Data/com.apple.CoreML/weights/weight.bin")


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.FP16])
def test_an_array_input_package_is_the_artifact_with_another_input(
    exported: Path, tmp_path: Path, precision: Precision
) -> None:
    from coremltools.proto import Model_pb2

    package = exported / f"imageqx_{precision}.mlpackage"
    before = digest(package)
    array_input = write_array_input_package(package, tmp_path / "new" / "array.mlpackage")
    ours, theirs = (Model_pb2.Model.FromString((path / PROGRAM).read_bytes()) for path in (array_input, package))
    assert ours.mlProgram == theirs.mlProgram and ours.description.output == theirs.description.output
    assert digest(array_input / WEIGHTS) == digest(package / WEIGHTS) and digest(package) == before
    array = ours.description.input[0].type.multiArrayType
    assert list(array.shape) == [1, 3, 224, 224] and array.dataType == array.FLOAT32
    assert theirs.description.input[0].type.WhichOneof("Type") == "imageType"
    assert read_specification(array_input / PROGRAM) == 7


@pytest.mark.parametrize(
    "precision", [Precision.FP32, Precision.FP16, Precision.W8, pytest.param(Precision.W8A8, marks=pytest.mark.long)]
)
def test_an_array_input_package_answers_as_pytorch_does(exported: Path, tmp_path: Path, precision: Precision) -> None:
    array_input = write_array_input_package(exported / f"imageqx_{precision}.mlpackage", tmp_path / "array.mlpackage")
    pixels = load_golden_pixels(exported)[7]
    outputs = mil.evaluate(array_input, {"image": split_planes(pixels)})
    swapped = mil.evaluate(array_input, {"image": split_planes(pixels[..., ::-1])})
    for name, expected in load_golden_outputs(exported, precision).items():
        assert np.abs(outputs[name][0] - expected[7]).max() <= TOLERANCES[precision].max_abs
    assert np.abs(swapped["quality"][0] - outputs["quality"][0]).max() > 1e-3  # the order of the colours matters


def test_planes_are_rows_columns_colours_turned() -> None:
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    assert split_planes(pixels).shape == (1, 3, 2, 3) and split_planes(pixels).dtype == np.float32
    assert split_planes(pixels)[0, 2, 1, 0] == pixels[1, 0, 2]


def test_an_array_input_package_of_another_is_refused(exported: Path, tmp_path: Path) -> None:
    array_input = write_array_input_package(exported / "imageqx_fp16.mlpackage", tmp_path / "array.mlpackage")
    with pytest.raises(ArtifactError, match="takes one photo") as refused:
        write_array_input_package(array_input, tmp_path / "again.mlpackage")
    assert refused.value.got == "image: multiArrayType" and not (tmp_path / "again.mlpackage").exists()


@pytest.mark.parametrize("content", [None, b"\xff\xff\xff"])
def test_a_package_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    package = tmp_path / "broken.mlpackage"
    (package / PROGRAM).parent.mkdir(parents=True)
    if content is not None:
        (package / PROGRAM).write_bytes(content)
    with pytest.raises(ArtifactError, match="cannot be read"):
        write_array_input_package(package, tmp_path / "array.mlpackage")
    assert not (tmp_path / "array.mlpackage").exists()
