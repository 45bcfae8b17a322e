"""An artifact's array-input package, which takes its photo as numbers: coremltools' runner can hand over nothing else.

The runner that coremltools puts on a phone makes every input an ``MLMultiArray`` (``MLFeatureValue(multiArray:)`` in
its ``ModelService.swift``), and Core ML refuses that for an image input. The package's program and weights
are the artifact's, to the byte; its description alone says "float32 [1,3,224,224], 0…255" where the artifact says
"RGB image". What a phone does beyond this in an app, turning a camera's pixels into these numbers, is not measured.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.bench.ios.app import import_coremltools
from imageqx_export.errors import ArtifactError

PROGRAM = Path("Data") / "com.apple.CoreML" / "model.mlmodel"


def write_array_input_package(package: Path, path: Path) -> Path:
    """Copy an ``.mlpackage`` and let its image input take numbers.

    Args:
        package: The artifact: an ML Program with one RGB image input.
        path: Where to; must not exist.

    Returns:
        ``path``.

    Raises:
        ArtifactError: The package cannot be read, or has another input.
    """
    model = _read(package / PROGRAM)
    from coremltools.proto import MIL_pb2  # after _read, which imports coremltools quietly

    inputs = model.description.input
    image = inputs[0].type.imageType if len(inputs) == 1 else None
    kinds = {value.name: value.type.tensorType for value in model.mlProgram.functions["main"].inputs}
    if image is None or image.colorSpace != image.RGB or inputs[0].name not in kinds:
        raise ArtifactError(
            "not an ML Program that takes one photo",
            where=package,
            expected="one RGB image input",
            got=", ".join(f"{value.name}: {value.type.WhichOneof('Type')}" for value in inputs),
        )
    if kinds[inputs[0].name].dataType != MIL_pb2.FLOAT32:
        raise ArtifactError("the program's input is no float32", where=package, expected="FLOAT32")
    array = inputs[0].type.multiArrayType  # a oneof: this takes the image's place
    array.dataType = array.FLOAT32
    array.shape.extend([1, 3, image.height, image.width])
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(package, path)
    (path / PROGRAM).write_bytes(model.SerializeToString(deterministic=True))
    return path


def read_specification(program: Path) -> int:
    """Return the ``specificationVersion`` of a ``model.mlmodel``.

    Raises:
        ArtifactError: It cannot be read.
    """
    return int(_read(program).specificationVersion)


def _read(program: Path) -> Any:
    import_coremltools()
    from coremltools.proto import Model_pb2

    try:
        return Model_pb2.Model.FromString(program.read_bytes())
    except Exception as error:  # no file, or protobuf's DecodeError, which differs between its implementations
        raise ArtifactError(
            "Core ML's description cannot be read", where=program, got=str(error), remedy="imageqx export"
        ) from error


def split_planes(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return uint8 [H,W,3] RGB as the array-input package takes it: float32 [1,3,H,W], 0…255."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)
