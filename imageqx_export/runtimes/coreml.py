"""Run Core ML packages natively, on macOS. Elsewhere :mod:`imageqx_export.runtimes.mil.runtime` evaluates them."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import Outputs, Pixels
from imageqx_export.errors import UnavailableError
from imageqx_export.runtimes.base import (
    declare_output,
    explain_failed_load,
    explain_failed_run,
    read_input,
    read_spec,
)
from imageqx_export.support.libraries import require


class CoreMlRuntime:
    """An ``.mlpackage`` that Apple's framework runs.

    Args:
        path: The package.
        model: A ``coremltools.models.MLModel`` of it.
    """

    def __init__(self, path: Path, model: Any) -> None:
        self._model = model
        self.spec = read_spec(dict(model.user_defined_metadata), path)
        self._path, self._input = path, read_input(self.spec, path)
        self.signature = tuple(
            declare_output(path, feature.name, tuple(feature.type.multiArrayType.shape), "float32")
            for feature in model.get_spec().description.output
        )

    def run(self, pixels: Pixels) -> Outputs:
        """Return every output for uint8 [N,H,W,3] RGB."""
        from PIL import Image

        feed = self._input

        def infer(batch: NDArray[Any]) -> dict[str, NDArray[Any]]:
            row = self._model.predict({feed.name: batch if feed.form.kind.is_float else Image.fromarray(batch[0])})
            return {output.name: np.asarray(row[output.name], np.float32) for output in self.signature}

        with explain_failed_run(self._path):  # coremltools raises bare Exceptions and Objective-C errors
            return feed.run(pixels, infer)


def load(path: Path) -> CoreMlRuntime:
    """Open an ``.mlpackage``.

    Raises:
        UnavailableError: This is not macOS, or coremltools is not installed.
        ArtifactError: The package cannot be read.
    """
    if platform.system() != "Darwin":
        raise UnavailableError(
            "Core ML runs on macOS alone",
            where=path,
            got=platform.system(),
            remedy="use the runtime 'mil', which runs anywhere",
        )
    require("coremltools")
    import coremltools

    with explain_failed_load("Core ML cannot read the package", path):
        return CoreMlRuntime(
            path, coremltools.models.MLModel(str(path), compute_units=coremltools.ComputeUnit.CPU_ONLY)
        )
