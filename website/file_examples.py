"""An example of each kind of file in the reference, made of what the repository has, and cut to a few rows."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from imageqx_export import networks
from imageqx_export.artifact import Artifact, Manifest
from imageqx_export.bench.model import BenchRun
from imageqx_export.model_spec import Thresholds
from imageqx_export.parity.compare import TOLERANCES, ArtifactParity, ParityReport, compare_outputs
from imageqx_export.quantize.recipe import Recipe, read_recipe
from imageqx_export.report.sides import read_side
from website import REPOSITORY


def make_examples() -> dict[type[BaseModel], BaseModel]:
    """Return an example of each kind of file, by its model."""
    spec = networks.spec("imageqx")
    run = _cut_run()
    measured = run.measurements[0]
    artifact = Artifact(
        path=Path(measured.artifact),
        format=measured.format,
        precision=measured.precision,
        spec=spec,
        sha256=measured.sha256,
        size_bytes=measured.size_bytes,
        checkpoint_sha256=str(run.checkpoint_sha256),
        tool_versions={name: version(name) for name in ("torch", "onnx")},
    )
    manifest = Manifest(model=spec.name, checkpoint_sha256=artifact.checkpoint_sha256, artifacts=(artifact,))
    examples: tuple[BaseModel, ...] = (
        manifest,
        spec,
        _compare(artifact),
        _cut_recipe(),
        Thresholds(schema_version=1, poor_quality=0.5, reasons={spec.reasons[0]: 0.4}),
        run,
    )
    return {type(example): example for example in examples}


def _cut_run() -> BenchRun:
    """Return the baseline's first run, with one file and, where it was timed, one process's first inferences."""
    run = read_side(str(REPOSITORY / "benchmarks" / "baseline.json")).runs[0]
    first = run.measurements[0]
    samples = tuple(one.model_copy(update={"seconds": one.seconds[:3]}) for one in first.samples[:1])
    return run.model_copy(update={"measurements": (first.model_copy(update={"samples": samples, "layers": ()}),)})


def _compare(artifact: Artifact) -> ParityReport:
    """Return the parity of a file that gives PyTorch's very numbers."""
    spec = artifact.spec
    outputs = {one.name: np.full(one.shape, 0.5, np.float32) for one in spec.outputs}
    rows = compare_outputs(spec, outputs, outputs, TOLERANCES[artifact.precision])
    row = ArtifactParity(path=artifact.path.as_posix(), precision=artifact.precision, outputs=rows)
    return ParityReport(
        checkpoint_sha256=artifact.checkpoint_sha256, images=1, source="generated", artifacts=(row,), quantization=()
    )


def _cut_recipe() -> Recipe:
    """Return the shipped recipe of w8 with the scales of one operation, and the first that stays float."""
    recipe = read_recipe(REPOSITORY / "models" / "imageqx.w8.json")
    weights = min(recipe.weights, key=lambda row: len(row.scales))
    return recipe.model_copy(update={"weights": (weights,), "floats": recipe.floats[:1]})
