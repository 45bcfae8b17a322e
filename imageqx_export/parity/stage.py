"""Compare every artifact with PyTorch, output by output, and apart from it what quantization itself changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from imageqx_export.artifact import (
    Artifact,
    Checkpoint,
    Format,
    ModelSpec,
    Outputs,
    Pixels,
    Precision,
    TensorSpec,
)
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.data.images import generate_images, read_images
from imageqx_export.data.photos import list_photos
from imageqx_export.errors import ImageQXError
from imageqx_export.parity.compare import (
    TOLERANCES,
    ArtifactParity,
    ParityReport,
    QuantizationLoss,
    compare_outputs,
    explain_problem,
)
from imageqx_export.parity.reference import find_recipes, load_reference, run_reference
from imageqx_export.runtimes.base import Runtime
from imageqx_export.runtimes.recalled import Run, recall_runs
from imageqx_export.support.files import digest
from imageqx_export.support.processes import start_pool
from imageqx_export.support.progress import Progress, silent
from imageqx_export.support.store import NO_STORE, Store


def check(folder: Path, checkpoint: Path, photos: Path | None = None, *, progress: Progress = silent) -> ParityReport:
    """Compare a folder of artifacts with its checkpoint, on synthetic photos or on those below ``photos``.

    Args:
        folder: The folder with ``manifest.json``.
        checkpoint: The float32 checkpoint; must be the one that the manifest names.
        photos: At least 64 photos, or None for synthetic ones.
        progress: Opens a bar over the files.

    Raises:
        ParityError: There is no readable manifest, or the checkpoint is another one.
        DatasetError: There are too few photos.
        PhotoError: A photo cannot be read.
    """
    loaded, reference = load_reference(folder, checkpoint)  # before the photos, which take longer
    pixels = generate_images(spec=loaded.spec) if photos is None else read_images(photos, spec=loaded.spec)
    source: Literal["generated", "photos"] = "generated" if photos is None else "photos"
    report = _compare(folder, loaded, reference, pixels, source, progress)
    return report if photos is None else report.model_copy(update={"left_out": list_photos(photos).left_out})


def compare_artifacts(
    folder: Path,
    checkpoint: Path,
    pixels: Pixels,
    *,
    source: Literal["generated", "photos"] = "generated",
    progress: Progress = silent,
) -> ParityReport:
    """Run every artifact of a manifest and what it is compared with on the same images.

    Each artifact runs in a process of its own: one that crashes its runtime fails, and the others are still
    compared.

    Args:
        folder: The folder with ``manifest.json``.
        checkpoint: The float32 checkpoint; must be the one that the manifest names.
        pixels: uint8 [N,H,W,3].
        source: Where ``pixels`` come from, for the report.
        progress: Opens a bar over the files.

    Raises:
        ParityError: There is no readable manifest, the checkpoint is another one, or a recipe is missing or another.
        CheckpointError: The checkpoint cannot be trusted.
    """
    loaded, reference = load_reference(folder, checkpoint)
    return _compare(folder, loaded, reference, pixels, source, progress)


def _compare(
    folder: Path,
    checkpoint: Checkpoint,
    reference: Runtime,
    pixels: Pixels,
    source: Literal["generated", "photos"],
    progress: Progress,
) -> ParityReport:
    recipes = find_recipes(folder, read_manifest(folder))
    (references,) = run_reference(checkpoint, reference, recipes, [pixels], progress=progress)
    return compare_with_reference(folder, checkpoint.spec, references, pixels, source=source, progress=progress)


def compute_references(folder: Path, checkpoint: Path, pixels: Pixels) -> dict[Precision, Outputs]:
    """Return what PyTorch gives for each precision of a manifest: with floats, or with its recipe's integers.

    Args:
        folder: The folder with ``manifest.json``.
        checkpoint: The float32 checkpoint; must be the one that the manifest names.
        pixels: uint8 [N,H,W,3].

    Raises:
        ParityError: As :func:`compare_artifacts`; likewise the next.
        CheckpointError: The checkpoint cannot be trusted.
    """
    manifest = read_manifest(folder)
    loaded, reference = load_reference(folder, checkpoint)
    (found,) = run_reference(loaded, reference, find_recipes(folder, manifest), [pixels])
    return {one.precision: found.get(one.precision, found[Precision.FP32]) for one in manifest.artifacts}


def compare_with_reference(
    folder: Path,
    spec: ModelSpec,
    references: Mapping[Precision, Outputs],
    pixels: Pixels,
    *,
    source: Literal["generated", "photos"] = "generated",
    store: Store = NO_STORE,
    progress: Progress = silent,
) -> ParityReport:
    """Compare as :func:`compare_artifacts` does, with what PyTorch gave already.

    Args:
        folder: The folder with ``manifest.json``.
        spec: The checkpoint's.
        references: From :func:`run_reference`.
        pixels: uint8 [N,H,W,3].
        source: Where ``pixels`` come from, for the report.
        store: Where files' answers are kept.
        progress: Opens a bar over the files.

    Raises:
        ParityError: There is no readable manifest, or a recipe is missing or another.
    """
    manifest = read_manifest(folder)
    recipes = find_recipes(folder, manifest)
    floats = references[Precision.FP32]
    with start_pool() as threads, progress("comparing files with PyTorch", len(manifest.artifacts)) as advance:
        jobs = [
            (batch, threads.submit(recall_runs, store, [folder / artifact.path for artifact in batch], pixels))
            for batch in _split(manifest.artifacts)
        ]
        found = {}
        for batch, job in jobs:
            for artifact, run in zip(batch, job.result(), strict=True):
                wanted = references[artifact.precision] if artifact.precision in recipes else floats
                found[artifact.path] = _compare_artifact(folder, artifact, wanted, run)
                advance()
    losses = tuple(
        QuantizationLoss(
            precision=p,
            recipe=recipes[p].relative_to(folder).as_posix(),
            outputs=compare_outputs(spec, floats, references[p], None),
        )
        for p in recipes
    )
    return ParityReport(
        checkpoint_sha256=manifest.checkpoint_sha256,
        images=len(pixels),
        source=source,
        artifacts=tuple(found[artifact.path] for artifact in manifest.artifacts),
        quantization=losses,
    )


def _split(artifacts: Sequence[Artifact]) -> list[list[Artifact]]:
    """Return artifacts in batches that share a process: of one format, and Core ML's, which take longest, first."""
    order = [Format.COREML, Format.TFLITE, Format.ONNX]
    return [found for format in order if (found := [one for one in artifacts if one.format is format])]


def _compare_artifact(folder: Path, artifact: Artifact, reference: Outputs, run: Run | ImageQXError) -> ArtifactParity:
    name, precision = str(artifact.path), artifact.precision
    path = folder / artifact.path
    if isinstance(run, ImageQXError):
        return ArtifactParity(
            path=name, precision=precision, outputs=(), problems=(explain_problem("unreadable", str(run)),)
        )
    signature, outputs = run
    problems = _check_interface(artifact.spec, signature)
    if digest(path) != artifact.sha256:
        problems.append(explain_problem("digest", f"SHA-256 is not the manifest's {artifact.sha256}"))
    rows = compare_outputs(artifact.spec, reference, outputs, TOLERANCES[precision])
    return ArtifactParity(path=name, precision=precision, outputs=rows, problems=tuple(problems))


def _check_interface(spec: ModelSpec, signature: tuple[TensorSpec, ...]) -> list[str]:
    names, wanted = [tensor.name for tensor in signature], [tensor.name for tensor in spec.outputs]
    if names != wanted:
        return [explain_problem("interface", f"outputs are {names}, expected {wanted}")]
    return [
        explain_problem("shape", f"{tensor.name} is declared {list(tensor.shape)}, expected {list(want.shape)}")
        for tensor, want in zip(signature, spec.outputs, strict=True)
        if tensor.shape not in ((), want.shape)
    ]
