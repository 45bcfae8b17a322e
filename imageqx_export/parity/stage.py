"""Compare every artifact with PyTorch, output by output, and apart from it what quantization itself changed."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Literal

from imageqx_export.artifact import (
    QUANTIZED,
    Artifact,
    Checkpoint,
    Manifest,
    ModelSpec,
    Outputs,
    Pixels,
    Precision,
    TensorSpec,
)
from imageqx_export.bundle.manifest import RECIPES_FOLDER, name_recipe, read_manifest
from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.data.images import generate_images, read_images
from imageqx_export.errors import ImageQXError, ParityError
from imageqx_export.parity.compare import (
    TOLERANCES,
    ArtifactParity,
    ParityReport,
    QuantizationLoss,
    compare_outputs,
    explain_problem,
)
from imageqx_export.quantize.model import run_quantized
from imageqx_export.runtimes import run_file
from imageqx_export.runtimes.base import Runtime
from imageqx_export.runtimes.torch import TorchRuntime
from imageqx_export.support.files import digest
from imageqx_export.support.processes import quiet, run_isolated, start_pool
from imageqx_export.support.progress import Progress, silent


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
    loaded, reference = _load_reference(folder, checkpoint)  # before the photos, which take longer
    pixels = generate_images(spec=loaded.spec) if photos is None else read_images(photos, spec=loaded.spec)
    source: Literal["generated", "photos"] = "generated" if photos is None else "photos"
    return compare_with_reference(folder, loaded, reference, pixels, source=source, progress=progress)


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
    loaded, reference = _load_reference(folder, checkpoint)
    return compare_with_reference(folder, loaded, reference, pixels, source=source, progress=progress)


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
    loaded, reference = _load_reference(folder, checkpoint)
    with quiet():
        floats = reference.run(pixels)
    found = {artifact.precision: floats for artifact in manifest.artifacts}
    for precision, recipe in _find_recipes(folder, manifest).items():
        found[precision] = run_isolated(run_quantized, loaded.path, recipe, pixels)
    return found


def _load_reference(folder: Path, checkpoint: Path) -> tuple[Checkpoint, TorchRuntime]:
    expected = read_manifest(folder).checkpoint_sha256
    sha256 = digest(checkpoint) if checkpoint.is_file() else "missing"
    if sha256 != expected:  # before it is loaded: another file need not be a checkpoint
        raise ParityError(
            "the artifacts were made from another checkpoint",
            where=folder,
            expected=expected,
            got=f"{sha256} ({checkpoint})",
            remedy="--checkpoint with the right one, or imageqx export",
        )
    with quiet():
        loaded, network = load_checkpoint(checkpoint, sha256=sha256)
    return loaded, TorchRuntime(network, loaded.spec)


def compare_with_reference(
    folder: Path,
    checkpoint: Checkpoint,
    reference: Runtime,
    pixels: Pixels,
    *,
    source: Literal["generated", "photos"] = "generated",
    progress: Progress = silent,
) -> ParityReport:
    """Compare as :func:`compare_artifacts` does, with a checkpoint that is loaded already.

    Args:
        folder: The folder with ``manifest.json``.
        checkpoint: The checkpoint that the artifacts were made from; isolated processes load it again.
        reference: It, in PyTorch and in float32.
        pixels: uint8 [N,H,W,3].
        source: Where ``pixels`` come from, for the report.
        progress: Opens a bar over the files.

    Raises:
        ParityError: There is no readable manifest, or a recipe is missing or another.
    """
    manifest = read_manifest(folder)
    recipes = _find_recipes(folder, manifest)
    with start_pool() as threads, progress("comparing", len(manifest.artifacts) + len(recipes) + 1) as advance:
        # PyTorch's own integers take longest.
        quantized = {
            p: threads.submit(run_isolated, run_quantized, checkpoint.path, path, pixels) for p, path in recipes.items()
        }
        jobs: list[Future[tuple[tuple[TensorSpec, ...], Outputs]]] = [
            threads.submit(run_isolated, run_file, folder / artifact.path, pixels) for artifact in manifest.artifacts
        ]
        references: dict[Precision, Outputs] = {}
        with quiet():
            floats = reference.run(pixels)
        advance()
        for precision, wanted in quantized.items():
            references[precision] = wanted.result()
            advance()
        rows = []
        for artifact, job in zip(manifest.artifacts, jobs, strict=True):
            rows.append(_compare_artifact(folder, artifact, references.get(artifact.precision, floats), job))
            advance()
    losses = tuple(
        QuantizationLoss(
            precision=p,
            recipe=recipes[p].relative_to(folder).as_posix(),
            outputs=compare_outputs(reference.spec, floats, got, None),
        )
        for p, got in references.items()
    )
    return ParityReport(
        checkpoint_sha256=checkpoint.sha256,
        images=len(pixels),
        source=source,
        artifacts=tuple(rows),
        quantization=losses,
    )


def _find_recipes(folder: Path, manifest: Manifest) -> dict[Precision, Path]:
    """Return the recipe of every quantized precision that the manifest lists."""
    found = {}
    for precision in dict.fromkeys(artifact.precision for artifact in manifest.artifacts):
        if precision in QUANTIZED:
            name = name_recipe(manifest.model, precision)
            path = folder / RECIPES_FOLDER / name
            got = digest(path) if path.is_file() else "missing"
            if got != manifest.recipes.get(name):
                raise ParityError(
                    "the recipe is not the one that was exported with",
                    where=path,
                    expected=f"SHA-256 {manifest.recipes.get(name, 'in the manifest')}",
                    got=got,
                    remedy="imageqx export",
                )
            found[precision] = path
    return found


def _compare_artifact(
    folder: Path, artifact: Artifact, reference: Outputs, job: Future[tuple[tuple[TensorSpec, ...], Outputs]]
) -> ArtifactParity:
    name, precision = str(artifact.path), artifact.precision
    path = folder / artifact.path
    try:
        signature, outputs = job.result()
    except ImageQXError as error:
        return ArtifactParity(
            path=name, precision=precision, outputs=(), problems=(explain_problem("unreadable", str(error)),)
        )
    except Exception as error:  # a runtime may raise anything; that too is a failure of the file
        text = f"{type(error).__name__}: {error}"
        return ArtifactParity(
            path=name, precision=precision, outputs=(), problems=(explain_problem("unreadable", text),)
        )
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
