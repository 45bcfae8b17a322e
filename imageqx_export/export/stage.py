"""The export stage: a checkpoint becomes a folder of artifacts, a manifest and golden vectors, or nothing changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export import networks
from imageqx_export.artifact import Checkpoint, Format, Manifest, Precision
from imageqx_export.budgets.check import BudgetReport, check_budgets
from imageqx_export.budgets.limits import Budgets
from imageqx_export.bundle.manifest import (
    BUDGETS_FILE,
    GOLDEN_FOLDER,
    LINT_FILE,
    MANIFEST_FILE,
    PARITY_FILE,
    PHOTOS_FOLDER,
    RECIPES_FOLDER,
    make_layout,
)
from imageqx_export.bundle.proofs import proofs_beside
from imageqx_export.checkpoint import load_checkpoint, refuse_untrained
from imageqx_export.data.images import generate_images
from imageqx_export.errors import UnavailableError
from imageqx_export.export.convert import convert_all, find_missing
from imageqx_export.export.write import describe_artifact, hash_files, write_golden, write_recipes
from imageqx_export.lint.model import LintReport
from imageqx_export.lint.stage import lint_files
from imageqx_export.parity.compare import ParityReport
from imageqx_export.parity.stage import compare_with_reference
from imageqx_export.quantize.choose import choose_recipes
from imageqx_export.runtimes.torch import TorchRuntime
from imageqx_export.support.folders import stage_folder
from imageqx_export.support.libraries import name_extra
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    pass


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
    """

    folder: Path
    manifest: Manifest
    parity: ParityReport
    lint: LintReport
    budgets: BudgetReport | None = None
    notes: tuple[str, ...] = ()

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
        progress: Opens a bar over the conversions and one over the comparisons.

    Raises:
        CheckpointError: The checkpoint cannot be trusted, or its heads were never trained.
        UnavailableError: A format's library is missing and ``allow_missing`` is off, or every format's is.
        ArtifactError: A named recipe is missing, broken, or for other weights.
        DatasetError: The photos cannot be calibrated on.
        ConversionError: A converter failed, or a named recipe is for a precision that is not exported.
        ImageQXError: ``<out>/<model>/`` holds something that no export wrote.
    """
    checkpoint, network = load_checkpoint(config.checkpoint, config.model)
    model = checkpoint.spec.name
    refuse_untrained(checkpoint)
    wanted, unavailable = _available(config)
    layout = make_layout(model)
    layout.refuse_other(config.out / model)  # before the minutes that a new recipe takes
    chosen = choose_recipes(
        checkpoint,
        network,
        config.precisions,
        named=config.recipes,
        calibration=config.calibration,
        progress=progress,
    )
    reference = TorchRuntime(network, checkpoint.spec)
    with stage_folder(config.out / model, layout) as staging:
        files = {(f, p): staging.path / f"{model}_{p}{f.suffix}" for f in wanted for p in config.precisions}
        convert_all(checkpoint.path, model, files, chosen.recipes, progress)
        recipes = write_recipes(staging.path / RECIPES_FOLDER, model, chosen.recipes)
        write_golden(staging.path / GOLDEN_FOLDER, checkpoint.path, reference, recipes)
        manifest = _write_manifest(staging.path, checkpoint, files, recipes, unavailable)
        linted = _relative(lint_files(list(files.values()), progress=progress))
        (staging.path / LINT_FILE).write_text(linted.model_dump_json(indent=2) + "\n")
        pixels = generate_images(spec=checkpoint.spec)
        report = compare_with_reference(staging.path, checkpoint, reference, pixels, progress=progress)
        (staging.path / PARITY_FILE).write_text(report.model_dump_json(indent=2) + "\n")
        held = None
        if config.budgets is not None and report.passed and linted.passed:  # what is wrong need not be measured
            held = check_budgets(staging.path, manifest, checkpoint.path, config.budgets, progress=progress)
            (staging.path / BUDGETS_FILE).write_text(held.model_dump_json(indent=2) + "\n")
        result = ExportResult(
            staging.target, manifest, report, linted, held, (*chosen.notes, *note_undecided(checkpoint))
        )
        folder = staging.publish() if result.passed else staging.reject()
    return replace(result, folder=folder)


def _write_manifest(
    folder: Path,
    checkpoint: Checkpoint,
    files: Mapping[tuple[Format, Precision], Path],
    recipes: Mapping[Precision, Path],
    unavailable: dict[str, str],
) -> Manifest:
    proofs = proofs_beside(checkpoint.path)
    manifest = Manifest(
        model=checkpoint.spec.name,
        checkpoint_sha256=checkpoint.sha256,
        artifacts=tuple(describe_artifact(folder, path, f, p, checkpoint, proofs) for (f, p), path in files.items()),
        unavailable=unavailable,
        golden=hash_files((folder / GOLDEN_FOLDER).iterdir()),
        photos=hash_files((folder / PHOTOS_FOLDER).iterdir()),
        recipes=hash_files(recipes.values()),
    )
    (folder / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=2) + "\n")
    return manifest


def note_undecided(checkpoint: Checkpoint) -> Iterator[str]:
    """Yield a remark on a checkpoint for which nobody chose thresholds, such as an imported one."""
    plain = networks.spec(checkpoint.spec.name)
    if checkpoint.temperatures is None and checkpoint.spec == plain:
        yield (
            f"{checkpoint.path} has no thresholds of its own and no temperatures, so every decision is at 0.5: "
            f"imageqx thresholds --checkpoint {checkpoint.path} --retake-budget 0.1 chooses them"
        )


def _available(config: ExportConfig) -> tuple[list[Format], dict[str, str]]:
    """Return the formats that can be written here, and why the others cannot.

    Raises:
        UnavailableError: One cannot and ``allow_missing`` is off, or none can.
    """
    unavailable = {str(f): reason for f in config.formats if (reason := find_missing(f))}
    wanted = [f for f in config.formats if str(f) not in unavailable]
    if unavailable and (not config.allow_missing or not wanted):
        raise UnavailableError(
            "cannot export " + ", ".join(unavailable),
            got="; ".join(unavailable.values()),
            remedy=name_extra(",".join(unavailable))
            + (f", or --allow-missing to export {', '.join(wanted)}" if wanted else ""),
        )
    return wanted, unavailable


def _relative(report: LintReport) -> LintReport:
    """Return a report that names files as the manifest does."""
    rows = [file.model_copy(update={"path": Path(file.path.name)}) for file in report.files]
    return LintReport(files=tuple(rows))
