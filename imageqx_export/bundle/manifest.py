"""The names of what lies in an artifacts folder, and its manifest."""

from __future__ import annotations

import re
from pathlib import Path

from imageqx_export.artifact import QUANTIZED, Artifact, Format, Manifest, ModelSpec, Precision
from imageqx_export.errors import ParityError
from imageqx_export.input_form import InputKind, read_form
from imageqx_export.support.folders import Layout
from imageqx_export.support.untrusted import describe, read_model

MANIFEST_FILE = "manifest.json"
PARITY_FILE = "parity.json"
LINT_FILE = "lint.json"
BUDGETS_FILE = "budgets.json"
GOLDEN_FOLDER = "golden"
PHOTOS_FOLDER = f"{GOLDEN_FOLDER}/photos"
PHOTO_INDEX_FILE = "photos.json"
"""In :data:`PHOTOS_FOLDER`: which photo becomes which pixels."""
PIXELS_SUFFIX = ".rgb"
SELF_TEST_FILE = "self_test.json"
"""In ``golden/``: what an app asks of the phone at its first start."""
RECIPES_FOLDER = "quantization"


def name_artifact(spec: ModelSpec, format: Format, precision: Precision) -> str:
    """Return the name of a file in an artifacts folder.

    Args:
        spec: The file's own: one that takes its photos otherwise than apps do says so in its name.
        format: Its format.
        precision: Its scheme.
    """
    return f"{spec.name}_{precision}{read_form(spec).suffix}{format.suffix}"


def name_golden_outputs(precision: Precision) -> str:
    """Return the name, in ``golden/``, of PyTorch's outputs that a file of this precision should give.

    >>> name_golden_outputs(Precision.FP16), name_golden_outputs(Precision.W8A8)
    ('expected.json', 'expected_w8a8.json')
    """
    return f"expected_{precision}.json" if precision in QUANTIZED else "expected.json"


def name_recipe(model: str, precision: Precision) -> str:
    """Return the name of a recipe's file in an artifacts folder's ``quantization/``."""
    return f"{model}_{precision}.json"


def make_layout(model: str) -> Layout:
    """Return what an artifacts folder of a model may hold, whatever the formats and precisions."""
    one = "|".join(Precision)
    kinds = "|".join(f"_{kind}" for kind in InputKind if kind.is_float)
    recipes = "|".join(re.escape(name_recipe(model, precision)) for precision in Precision)
    golden = "|".join(sorted({re.escape(name_golden_outputs(precision)) for precision in Precision}))
    inside = r"/(Manifest\.json|Data/com\.apple\.CoreML/(model\.mlmodel|weights/weight\.bin))"
    ends = "|".join(re.escape(f.suffix) + (inside if f is Format.COREML else "") for f in Format)
    return Layout(
        "an export",
        (
            "|".join(map(re.escape, (MANIFEST_FILE, PARITY_FILE, LINT_FILE, BUDGETS_FILE))),
            rf"{re.escape(model)}_({one})({kinds})?(_dynamic|_batch[0-9]+)?({ends})",
            rf"{GOLDEN_FOLDER}/([0-9]+\.png|{golden}|{re.escape(SELF_TEST_FILE)})",
            rf"{PHOTOS_FOLDER}/([a-z0-9_]+(\.jpg|\.png|{re.escape(PIXELS_SUFFIX)})|{re.escape(PHOTO_INDEX_FILE)})",
            rf"{RECIPES_FOLDER}/({recipes})",
        ),
    )


def read_manifest(folder: Path) -> Manifest:
    """Read ``<folder>/manifest.json``.

    Returns:
        A manifest of which every file takes photos in a form that :func:`~imageqx_export.input_form.read_form` knows.

    Raises:
        ParityError: It is missing or not valid, or a file takes what no export writes.
    """
    path = folder / MANIFEST_FILE
    try:
        manifest = read_model(path, Manifest)
    except FileNotFoundError as error:
        raise ParityError("no manifest", where=path, remedy="imageqx export, then pass artifacts/<model>") from error
    except (OSError, ValueError) as error:
        raise ParityError(
            "the manifest is not valid", where=path, got=describe(error), remedy="imageqx export"
        ) from error
    for artifact in manifest.artifacts:
        _refuse_unknown_form(artifact, path)
    return manifest


def list_digests(manifest: Manifest) -> dict[str, str]:
    """Return the SHA-256 of every file and package that a manifest names, by name relative to its folder."""
    named = {artifact.path.as_posix(): artifact.sha256 for artifact in manifest.artifacts}
    for folder, digests in (
        (GOLDEN_FOLDER, manifest.golden),
        (PHOTOS_FOLDER, manifest.photos),
        (RECIPES_FOLDER, manifest.recipes),
    ):
        named |= {f"{folder}/{name}": sha256 for name, sha256 in digests.items()}
    return named


def _refuse_unknown_form(artifact: Artifact, path: Path) -> None:
    try:
        read_form(artifact.spec)
    except ValueError as error:
        raise ParityError(
            "the manifest has a file that takes what no export writes",
            where=f"{path}: {artifact.path}",
            expected="one input in the ModelSpec, of photos as its preprocessing says",
            got=str(error)[:200],
            remedy="imageqx export",
        ) from error
