"""Write what lies beside the artifacts: recipes, golden files, and the manifest's entries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from imageqx_export.artifact import (
    QUANTIZED,
    Artifact,
    Checkpoint,
    Format,
    Manifest,
    ModelSpec,
    Outputs,
    Pixels,
    Precision,
    Proof,
)
from imageqx_export.bundle.manifest import GOLDEN_FOLDER, MANIFEST_FILE, PHOTOS_FOLDER, name_golden_outputs, name_recipe
from imageqx_export.bundle.photos import write_photos
from imageqx_export.bundle.proofs import read_proofs_beside
from imageqx_export.data.images import generate_images
from imageqx_export.export.convert import Variant, list_libraries
from imageqx_export.export.form import take_form
from imageqx_export.export.metadata import versions
from imageqx_export.export.minimum import state_minimum
from imageqx_export.parity.self_test import write_self_test
from imageqx_export.support.core_ml import find_minimum_ios
from imageqx_export.support.files import count_bytes, digest

if TYPE_CHECKING:
    from imageqx_export.quantize.recipe import Recipe

GOLDEN_SEED = 2**32 + 1
GOLDEN_COUNT = 12


def write_recipes(folder: Path, model: str, recipes: Mapping[Precision, Recipe]) -> dict[Precision, Path]:
    """Write how each quantized precision was made; return the files."""
    from imageqx_export.quantize.recipe import write_recipe

    paths = {precision: folder / name_recipe(model, precision) for precision in recipes}
    for precision, path in paths.items():
        write_recipe(path, recipes[precision])
    return paths


def hash_files(files: Iterable[Path]) -> dict[str, str]:
    """Return each file's name with its SHA-256, hexadecimal; folders are left out."""
    return {path.name: digest(path) for path in sorted(files) if path.is_file()}


def describe_artifact(
    root: Path,
    path: Path,
    format: Format,
    precision: Precision,
    checkpoint: Checkpoint,
    proofs: Mapping[str, tuple[Proof, ...]],
) -> Artifact:
    """Return the manifest's entry of an artifact that was written.

    Args:
        root: The artifacts folder.
        path: The file or package in it.
        format: Its format.
        precision: Its scheme.
        checkpoint: What it was made from.
        proofs: What accelerators' compilers and simulators said, by the file's SHA-256.
    """
    sha256 = digest(path)
    libraries = ("torch", "torchvision", *list_libraries(format).values())
    return Artifact(
        path=path.relative_to(root),
        format=format,
        precision=precision,
        spec=state_minimum(checkpoint, format, precision, find_minimum_ios(path) if format is Format.COREML else None),
        sha256=sha256,
        size_bytes=count_bytes(path),
        checkpoint_sha256=checkpoint.sha256,
        tool_versions=versions(libraries),
        proofs=proofs.get(sha256, ()),
    )


def write_manifest(
    folder: Path,
    checkpoint: Checkpoint,
    files: Mapping[Variant, Path],
    recipes: Mapping[Precision, Path],
    unavailable: dict[str, str],
) -> Manifest:
    """Write ``manifest.json`` and return what it says.

    Args:
        folder: The artifacts folder, with all but the reports in it.
        checkpoint: What the artifacts were made from.
        files: They.
        recipes: The recipe's file of each quantized precision.
        unavailable: Which formats could not be written, and why.
    """
    proofs = read_proofs_beside(checkpoint.path)
    manifest = Manifest(
        model=checkpoint.spec.name,
        checkpoint_sha256=checkpoint.sha256,
        artifacts=tuple(
            describe_artifact(folder, path, f, p, take_form(checkpoint, form), proofs)
            for (f, p, form), path in files.items()
        ),
        unavailable=unavailable,
        golden=hash_files((folder / GOLDEN_FOLDER).iterdir()),
        photos=hash_files((folder / PHOTOS_FOLDER).iterdir()),
        recipes=hash_files(recipes.values()),
    )
    (folder / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=2) + "\n")
    return manifest


def draw_golden(spec: ModelSpec) -> Pixels:
    """Return the golden pictures, uint8 [12,H,W,3]."""
    return generate_images(GOLDEN_COUNT, GOLDEN_SEED, spec=spec)


def write_golden(folder: Path, pixels: Pixels, found: Mapping[Precision, Outputs], spec: ModelSpec) -> None:
    """Write inputs as PNG, and the outputs that PyTorch gives in float32 and in every quantized precision.

    Phones' own tests, and the benchmark on any target, compare with them; and, in ``photos/``, photos with the pixels
    that they become.

    Args:
        folder: ``golden/``, which is made.
        pixels: The inputs, uint8 [12,H,W,3].
        found: What PyTorch gives for them, per precision.
        spec: The model's.
    """
    from PIL import Image

    folder.mkdir()
    for index, one in enumerate(pixels):
        Image.fromarray(one).save(folder / f"{index:02}.png")
    for precision, outputs in found.items():
        rows = {f"{index:02}.png": _make_row(outputs, index) for index in range(len(pixels))}
        (folder / name_golden_outputs(precision)).write_text(json.dumps(rows, indent=1) + "\n")
    precisions = [p for p in Precision if p not in QUANTIZED or p in found]
    write_photos(folder / Path(PHOTOS_FOLDER).name, spec.preprocessing)
    write_self_test(folder, (f"{index:02}.png" for index in range(len(pixels))), precisions)


def _make_row(outputs: Outputs, index: int) -> dict[str, object]:
    # float64 of a float32 prints with all its digits; nine significant ones identify a float32 exactly.
    return {name: np.vectorize(lambda v: float(f"{v:.9g}"))(values[index]).tolist() for name, values in outputs.items()}
