"""The export stage: a checkpoint becomes a folder of artifacts, a manifest and golden vectors, or nothing changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.artifact import Checkpoint, Format, Manifest, ModelSpec, Precision
from imageqx_export.budgets.check import BudgetReport, check_budgets, refuse_unmeasurable
from imageqx_export.budgets.limits import Budgets
from imageqx_export.bundle.manifest import (
    BUDGETS_FILE,
    GOLDEN_FOLDER,
    LINT_FILE,
    PARITY_FILE,
    RECIPES_FOLDER,
    make_layout,
    name_artifact,
)
from imageqx_export.checkpoint import load_same, refuse_untrained
from imageqx_export.export.choose import choose_forms, find_available
from imageqx_export.export.convert import Variant, convert_all
from imageqx_export.export.golden import answer_pictures
from imageqx_export.export.kept import (
    KeptExport,
    find_export,
    keep_conversions,
    keep_export,
    make_conversion_key,
    make_export_key,
    restore_conversions,
    write_files,
)
from imageqx_export.export.write import write_manifest, write_recipes
from imageqx_export.input_form import DEFAULT_FORM, InputForm
from imageqx_export.lint.model import LintReport
from imageqx_export.lint.rules.shapes import NOT_FOR_NPUS
from imageqx_export.lint.stage import lint_own_files
from imageqx_export.parity.compare import ParityReport
from imageqx_export.parity.stage import compare_with_reference
from imageqx_export.quantize.choose import choose_recipes
from imageqx_export.support.files import digest
from imageqx_export.support.folders import stage_folder
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.progress import Progress, silent
from imageqx_export.support.store import Store, open_store

if TYPE_CHECKING:
    from imageqx_export.networks.base import Network
    from imageqx_export.quantize.recipe import Recipe


@dataclass(frozen=True)
class ExportConfig:
    """The parameters of an export.

    Args:
        checkpoint: The weights.
        out: The folder of all models.
        model: The network's name, and no other's checkpoint is taken; None takes the checkpoint's own.
        formats: What to write.
        precisions: In which schemes.
        allow_missing: Whether a format whose library is missing is noted in the manifest instead of refused.
        recipes: Recipes to quantize with; where none is named, those beside the checkpoint, or new ones.
        calibration: At least 256 photos to make a new recipe with; None for synthetic ones, where one must be made.
        budgets: How large the artifacts may be and what quantization may cost; None for no limits.
        cache: The folder where conversions and measurements are kept, and taken from where nothing that they depend on
            has changed; None makes everything anew, which alone shows that it can be.
        fresh: Whether nothing is taken from ``cache``, but still kept there.
        forms: How the files take photos, a file each; one photo of bytes is what apps feed.
    """

    checkpoint: Path
    out: Path
    model: str | None = None
    formats: Sequence[Format] = tuple(Format)
    precisions: Sequence[Precision] = tuple(Precision)
    allow_missing: bool = False
    recipes: Sequence[Path] = ()
    calibration: Path | None = None
    budgets: Budgets | None = None
    cache: Path | None = None
    fresh: bool = False
    forms: Sequence[InputForm] = (DEFAULT_FORM,)


@dataclass(frozen=True)
class ExportResult:
    """The result of an export.

    Attributes:
        folder: Where the artifacts are: the published folder, or ``<name>.rejected`` where parity or a budget
            failed.
        manifest: What was written.
        parity: How it compares with PyTorch.
        budgets: How it stands beside its budgets; None where there are none, or lint or parity failed.
        lint: What keeps accelerators from taking the files, or computing them right.
        notes: Which recipes beside the checkpoint were passed over, and why.
        kept: Whether all of it came from the cache.
    """

    folder: Path
    manifest: Manifest
    parity: ParityReport
    lint: LintReport
    budgets: BudgetReport | None = None
    notes: tuple[str, ...] = ()
    kept: bool = False

    @property
    def passed(self) -> bool:
        """Whether it was published: lint found no error, parity holds, and so does every budget."""
        return self.lint.passed and self.parity.passed and (self.budgets is None or self.budgets.passed)


def export_checkpoint(config: ExportConfig, *, progress: Progress = silent) -> ExportResult:
    """Write ``<out>/<model>/`` in one step: every artifact, ``manifest.json``, ``parity.json``, ``golden/`` and, of the
    quantized precisions, the recipes in ``quantization/``.

    Everything is written and compared in a folder beside it first. An export that fails or is killed leaves the
    old folder whole; one whose artifacts break parity, a budget, or a rule of lint at level "error" leaves them in
    ``<out>/<model>.rejected`` to look at.

    Args:
        config: What to export, and where to.
        progress: Opens a bar over each phase.

    Raises:
        CheckpointError: The checkpoint cannot be trusted, or its heads were never trained.
        UnavailableError: A format's library is missing, or no file of it takes photos as one of ``forms`` says, and
            ``allow_missing`` is off; or so it is of every format.
        ArtifactError: A named recipe is missing, broken, or for other weights; or what a precision may cost is limited
            and cannot be measured on this network.
        DatasetError: The photos cannot be calibrated on.
        ConversionError: A converter failed, or a named recipe is for a precision that is not exported.
        ImageQXError: ``<out>/<model>/`` holds something that no export wrote.
    """
    wanted, lacking = find_available(config)
    store = open_store(config.cache, fresh=config.fresh)
    key = make_export_key(store, config, lacking)
    if (kept := find_export(store, key, budgeted=config.budgets is not None)) is not None:
        return _publish_kept(config, kept, progress)
    try:
        result = _make(config, store, wanted, lacking, key, progress)
    finally:
        store.trim()
    remarks = [unused] if (unused := store.explain_unused()) is not None else []
    if not result.passed and store.was_used:
        remarks.append("some of it came from the cache; --no-cache makes it anew")
    return replace(result, notes=(*result.notes, *remarks))


def _make(
    config: ExportConfig,
    store: Store,
    wanted: Sequence[Format],
    lacking: Mapping[str, str],
    key: str | None,
    progress: Progress,
) -> ExportResult:
    """Export where there is no kept one."""
    checkpoint, network = _read_checkpoint(config, progress)
    model = checkpoint.spec.name
    refuse_untrained(checkpoint)
    refuse_unmeasurable(config.budgets, config.precisions, checkpoint.spec)
    kinds, refused = choose_forms(config, wanted, network)
    layout = make_layout(model)
    layout.check_place(config.out / model)  # before the minutes that a new recipe takes
    chosen = choose_recipes(
        checkpoint, network, config.precisions, named=config.recipes, calibration=config.calibration, progress=progress
    )
    with stage_folder(config.out / model, layout) as staging:
        variants = [Variant(f, p, form) for f, form in kinds for p in config.precisions]
        files = {one: staging.path / name_artifact(one.form.describe(checkpoint.spec), *one[:2]) for one in variants}
        made = _convert(store, checkpoint, files, chosen.recipes, progress)
        recipes = write_recipes(staging.path / RECIPES_FOLDER, model, chosen.recipes)
        pictures, references = answer_pictures(
            staging.path / GOLDEN_FOLDER, checkpoint, network, recipes, store, progress
        )
        manifest = write_manifest(staging.path, checkpoint, files, recipes, {**lacking, **refused})
        linted = _make_relative(_lint(files, store, progress))
        _write(staging.path / LINT_FILE, linted)
        report = compare_with_reference(
            staging.path, checkpoint.spec, references, pictures, store=store, progress=progress
        )
        _write(staging.path / PARITY_FILE, report)
        if report.passed and linted.passed:
            keep_conversions(store, checkpoint, made, files, chosen.recipes)
        held = None
        if config.budgets is not None and report.passed and linted.passed:  # what is wrong need not be measured
            held = check_budgets(
                staging.path, manifest, checkpoint.path, config.budgets, store=store, progress=progress
            )
            _write(staging.path / BUDGETS_FILE, held)
        notes = (*chosen.notes, *note_undecided(checkpoint, network.spec))
        result = ExportResult(staging.target, manifest, report, linted, held, notes)
        if not result.passed:
            return replace(result, folder=staging.reject())
        if not notes:  # they name paths
            keep_export(store, key, config, lacking, staging.path)
        return replace(result, folder=staging.publish())


def _publish_kept(config: ExportConfig, kept: KeptExport, progress: Progress) -> ExportResult:
    model = kept.manifest.model
    with (
        progress("taking the export from the cache", 1) as advance,
        stage_folder(config.out / model, make_layout(model)) as staging,
    ):
        write_files(staging.path, kept.files)
        folder = staging.publish()
        advance()
    return ExportResult(folder, kept.manifest, kept.parity, kept.lint, kept.budgets, kept=True)


def _read_checkpoint(config: ExportConfig, progress: Progress) -> tuple[Checkpoint, Network]:
    """Return a checkpoint whose digest is that of the weights.

    Raises:
        CheckpointError: It cannot be trusted, or was written while it was read.
    """
    sha256 = digest(config.checkpoint) if config.checkpoint.is_file() else "missing"
    with progress("reading the checkpoint", 1) as advance:
        found = load_same(config.checkpoint, sha256, config.model)
        advance()
    return found


def _convert(
    store: Store,
    checkpoint: Checkpoint,
    files: Mapping[Variant, Path],
    recipes: Mapping[Precision, Recipe],
    progress: Progress,
) -> dict[Variant, str]:
    """Write every artifact: those that are kept, and the others by converting; return the latter's keys."""
    keys = {one: make_conversion_key(store, checkpoint, one, recipes) for one in files}
    missing = restore_conversions(store, keys, files)
    if missing:
        given = checkpoint.path, checkpoint.spec.name, checkpoint.sha256
        convert_all(*given, {one: files[one] for one in missing}, recipes, progress)
    return {one: keys[one] for one in missing}


def _lint(files: Mapping[Variant, Path], store: Store, progress: Progress) -> LintReport:
    """Put the rules to the files; what follows from an open batch is no fault of a file that was asked to have one."""
    found = lint_own_files(list(files.values()), progress, store=store)
    return found.lower(NOT_FOR_NPUS, {path for variant, path in files.items() if variant.form.batch is None})


def _write(path: Path, report: Frozen) -> None:
    path.write_text(report.model_dump_json(indent=2) + "\n")


def note_undecided(checkpoint: Checkpoint, plain: ModelSpec) -> Iterator[str]:
    """Yield a remark on a checkpoint for which nobody chose thresholds, such as an imported one.

    Args:
        checkpoint: With its own ModelSpec.
        plain: Its network's, with thresholds of 0.5.
    """
    if checkpoint.temperatures is None and checkpoint.spec == plain:
        yield (
            f"{checkpoint.path} has no thresholds of its own and no temperatures, so every decision is at 0.5: "
            f"imageqx thresholds --checkpoint {checkpoint.path} --retake-budget 0.1 chooses them"
        )


def _make_relative(report: LintReport) -> LintReport:
    """Return a report that names files as the manifest does."""
    rows = [file.model_copy(update={"path": Path(file.path.name)}) for file in report.files]
    return LintReport(files=tuple(rows))
