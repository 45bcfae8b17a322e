"""Open a file and run it: one call that a process of its own can take."""

from __future__ import annotations

from pathlib import Path

from imageqx_export.artifact import (
    Outputs,
    Pixels,
    TensorSpec,
)
from imageqx_export.runtimes import load_runtime
from imageqx_export.support.processes import quiet


def run_file(path: Path, pixels: Pixels) -> tuple[tuple[TensorSpec, ...], Outputs]:
    """Open a file, run it, and return the outputs that it declares and gives.

    Raises:
        ArtifactError: The file cannot be read or run.
    """
    with quiet():
        runtime = load_runtime(path)
        return runtime.signature, runtime.run(pixels)
