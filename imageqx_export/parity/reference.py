"""Run PyTorch on the pictures that files are compared on: with floats, and with each recipe's integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from imageqx_export.artifact import QUANTIZED, Checkpoint, Manifest, Outputs, Pixels, Precision
from imageqx_export.bundle.manifest import RECIPES_FOLDER, name_recipe, read_manifest
from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.errors import ParityError
from imageqx_export.quantize.model import recall_quantized
from imageqx_export.runtimes.base import Runtime
from imageqx_export.runtimes.torch import TorchRuntime
from imageqx_export.support.arrays import digest_array
from imageqx_export.support.files import digest
from imageqx_export.support.processes import quiet, start_pool
from imageqx_export.support.progress import Progress, silent
from imageqx_export.support.recall import ARRAYS, recall_each
from imageqx_export.support.store import NO_STORE, Store


def run_reference(
    checkpoint: Checkpoint,
    reference: Runtime,
    recipes: Mapping[Precision, Path],
    sets: Sequence[Pixels],
    *,
    store: Store = NO_STORE,
    progress: Progress = silent,
) -> list[dict[Precision, Outputs]]:
    """Return, for each set of pictures, what PyTorch gives in float32 and in every quantized precision.

    Args:
        checkpoint: The float32 checkpoint; isolated processes load it again.
        reference: It, in PyTorch and in float32.
        recipes: The recipe's file of each quantized precision.
        sets: Of pictures, uint8 [N,H,W,3] each.
        store: Where answers are kept.
        progress: Opens a bar.

    Raises:
        CheckpointError: The checkpoint cannot be trusted.
        ArtifactError: A recipe cannot be read.
    """
    title = f"running PyTorch: {', '.join([Precision.FP32, *recipes])}"
    with start_pool() as threads, progress(title, 1 + len(recipes)) as advance:
        jobs = {p: threads.submit(recall_quantized, store, checkpoint, path, sets) for p, path in recipes.items()}
        with quiet():
            floats = recall_each(
                store,
                sets,
                lambda pixels: store.make_key("floats", checkpoint=checkpoint.sha256, pixels=digest_array(pixels)),
                lambda missing: map(reference.run, missing),
                ARRAYS,
            )
        found = [{Precision.FP32: outputs} for outputs in floats]
        advance()
        for precision, job in jobs.items():
            for one, outputs in zip(found, job.result(), strict=True):
                one[precision] = outputs
            advance()
    return found


def load_reference(folder: Path, checkpoint: Path) -> tuple[Checkpoint, TorchRuntime]:
    """Return the checkpoint that a folder's manifest names, and it in PyTorch.

    Raises:
        ParityError: There is no readable manifest, or the checkpoint is another one.
        CheckpointError: The checkpoint cannot be trusted.
    """
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


def find_recipes(folder: Path, manifest: Manifest) -> dict[Precision, Path]:
    """Return the recipe of every quantized precision that the manifest lists.

    Raises:
        ParityError: One is missing, or another.
    """
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
