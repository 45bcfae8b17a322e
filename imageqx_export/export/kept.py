"""Exports that are kept: what one depends on, and how it comes back file by file.

A whole export comes back without PyTorch; where an input has changed, the conversions and measurements that do not
depend on it come back one by one (``convert.py``, ``parity/``, ``lint/``, ``budgets/``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from imageqx_export.artifact import QUANTIZED, Checkpoint, Manifest, Precision
from imageqx_export.budgets.check import BudgetReport
from imageqx_export.bundle.manifest import (
    BUDGETS_FILE,
    LINT_FILE,
    MANIFEST_FILE,
    PARITY_FILE,
    list_digests,
    make_layout,
)
from imageqx_export.bundle.proofs import SUFFIX as PROOFS
from imageqx_export.bundle.runtimes import SUFFIX as RUNTIMES
from imageqx_export.errors import ArtifactError
from imageqx_export.export.convert import Variant
from imageqx_export.lint.model import LintReport
from imageqx_export.parity.compare import ParityReport
from imageqx_export.support.files import digest, list_files
from imageqx_export.support.store import Store

if TYPE_CHECKING:
    from imageqx_export.export.stage import ExportConfig
    from imageqx_export.quantize.recipe import Recipe


class KeptExport(NamedTuple):
    """A published export as it was kept.

    Attributes:
        files: Its files by relative name.
        manifest: What ``manifest.json`` among them says; likewise the others.
        parity: How the artifacts compare with PyTorch.
        lint: What keeps accelerators from taking them.
        budgets: How they stand beside their budgets; None where there were none.
    """

    files: dict[str, bytes]
    manifest: Manifest
    parity: ParityReport
    lint: LintReport
    budgets: BudgetReport | None


def make_export_key(store: Store, config: ExportConfig, unavailable: Mapping[str, str]) -> str | None:
    """Return the key of a whole export, or None of one that is not kept.

    Photos to calibrate on may be many, and what cannot be read is for the export to tell.

    Args:
        store: Where it is kept.
        config: What is exported. All files count that the export reads: the checkpoint, what lies beside it under its
            name, named recipes, and the fine-tuned weights that a recipe names.
        unavailable: Which formats cannot be written here, and why.
    """
    from imageqx_export.quantize.recipe import read_recipe

    if store.folder is None or config.calibration is not None or not config.checkpoint.is_file():
        return None
    beside = [config.checkpoint.with_suffix(f".{precision}.json") for precision in QUANTIZED]
    paths = [config.checkpoint, *config.recipes, *beside]
    try:
        recipes = [read_recipe(path) for path in paths[1:] if path.is_file()]
        paths += [config.checkpoint.parent / one.finetuned.weights for one in recipes if one.finetuned is not None]
        paths += [config.checkpoint.with_suffix(suffix) for suffix in (PROOFS, RUNTIMES)]
        files = [digest(path) if path.is_file() else None for path in paths]
    except (ArtifactError, OSError):
        return None
    return store.make_key(
        "export",
        model=config.model,
        formats=list(config.formats),
        precisions=list(config.precisions),
        forms=[form.name for form in config.forms],
        unavailable=dict(unavailable),
        files=files,
        budgets=None if config.budgets is None else config.budgets.model_dump(mode="json"),
    )


def find_export(store: Store, key: str | None, *, budgeted: bool) -> KeptExport | None:
    """Return the export that is kept under a key, if it is whole and was published.

    Args:
        store: Where it is kept.
        key: From :func:`make_export_key`.
        budgeted: Whether it must have kept budgets; otherwise it must have none.
    """
    files = None if key is None else store.find(key)
    if files is None:
        return None
    try:
        budgets = BudgetReport.model_validate_json(files[BUDGETS_FILE]) if BUDGETS_FILE in files else None
        manifest = Manifest.model_validate_json(files[MANIFEST_FILE])
        parity = ParityReport.model_validate_json(files[PARITY_FILE])
        lint = LintReport.model_validate_json(files[LINT_FILE])
    except (KeyError, ValidationError):
        return None
    held = budgets is not None and budgets.passed if budgeted else budgets is None
    passed = parity.passed and parity.checkpoint_sha256 == manifest.checkpoint_sha256 and lint.passed and held
    if not passed or not _is_whole(files, manifest):
        return None
    return KeptExport(files, manifest, parity, lint, budgets)


def _is_whole(files: Mapping[str, bytes], manifest: Manifest) -> bool:
    """Say whether files are those of a manifest: none more, none less, and each with the digest that it names."""
    patterns = make_layout(manifest.model).files
    if not all(any(re.fullmatch(pattern, name) for pattern in patterns) for name in files):
        return False
    named = list_digests(manifest)
    inside = {name: _list_inside(files, name) for name in named}
    known = {MANIFEST_FILE, PARITY_FILE, LINT_FILE, BUDGETS_FILE}.union(*inside.values())
    same = all(found and _digest_inputs(name, found) == named[name] for name, found in inside.items())
    return same and files.keys() <= known


def _list_inside(files: Mapping[str, bytes], name: str) -> dict[str, bytes]:
    """Return the file of a name, or those of the package."""
    return {one: content for one, content in files.items() if one == name or one.startswith(f"{name}/")}


def _digest_inputs(name: str, files: Mapping[str, bytes]) -> str:
    """Return what :func:`digest` gives for a file or a package when it is written."""
    rows = {one: hashlib.sha256(content).hexdigest() for one, content in files.items()}
    if name in rows:
        return rows[name]
    lines = sorted((one.removeprefix(f"{name}/"), sha256) for one, sha256 in rows.items())
    return hashlib.sha256("".join(f"{sha256}  {one}\n" for one, sha256 in lines).encode()).hexdigest()


def keep_export(
    store: Store, key: str | None, config: ExportConfig, unavailable: Mapping[str, str], folder: Path
) -> None:
    """Keep an export that is to be published, unless something that it depends on has changed since it began.

    Args:
        store: Where to.
        key: From :func:`make_export_key`, before anything was read; likewise the next two.
        config: What was exported.
        unavailable: Which formats could not be written here, and why.
        folder: The export.
    """
    if key is not None and make_export_key(store.renew(), config, unavailable) == key:
        store.keep(key, read_files(folder, folder))


def make_conversion_key(
    store: Store, checkpoint: Checkpoint, variant: Variant, recipes: Mapping[Precision, Recipe]
) -> str:
    """Return the key of one artifact's bytes."""
    from imageqx_export.quantize.recipe import format_recipe

    precision, table = variant.precision, checkpoint.path.with_suffix(RUNTIMES)
    return store.make_key(
        "conversion",
        checkpoint=checkpoint.sha256,
        format=variant.format,
        precision=variant.precision,
        form=variant.form.name,
        # It names the fine-tuned weights by their digest.
        recipe=hashlib.sha256(format_recipe(recipes[precision]).encode()).hexdigest() if precision in recipes else None,
        runtimes=digest(table) if table.is_file() else None,
    )


def read_files(path: Path, root: Path) -> dict[str, bytes]:
    """Return the content of a file, or of all files below a folder, by name relative to ``root``."""
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in list_files(path)}


def write_files(root: Path, files: Mapping[str, bytes]) -> None:
    """Write files by relative name."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def restore_conversions(store: Store, keys: Mapping[Variant, str], files: Mapping[Variant, Path]) -> list[Variant]:
    """Write the artifacts that are kept, and return which are not."""
    missing = []
    for one, path in files.items():
        found = store.find(keys[one])
        if not found or any(name.split("/")[0] != path.name for name in found):
            missing.append(one)
        else:
            write_files(path.parent, found)
    return missing


def keep_conversions(
    store: Store,
    checkpoint: Checkpoint,
    made: Mapping[Variant, str],
    files: Mapping[Variant, Path],
    recipes: Mapping[Precision, Recipe],
) -> None:
    """Keep the artifacts that were made, unless something that they depend on has changed since.

    Args:
        store: Where to.
        checkpoint: What they were made from.
        made: Which, with the key of each before it was made.
        files: Where each artifact is.
        recipes: Of each quantized precision.
    """
    again = store.renew()
    if not made or not checkpoint.path.is_file() or digest(checkpoint.path) != checkpoint.sha256:
        return
    for one, key in made.items():
        if make_conversion_key(again, checkpoint, one, recipes) == key:
            store.keep(key, read_files(files[one], files[one].parent))
