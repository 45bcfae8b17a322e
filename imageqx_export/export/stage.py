"""The export stage: a checkpoint becomes a folder of artifacts, a manifest and golden vectors, or nothing changes."""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from imageqx_export import networks
from imageqx_export.artifact import QUANTIZED, Artifact, Checkpoint, Format, Manifest, Outputs, Precision, Proof
from imageqx_export.budgets.check import BudgetReport, check_budgets
from imageqx_export.budgets.limits import Budgets
from imageqx_export.bundle.manifest import (
    BUDGETS_FILE,
    GOLDEN_FOLDER,
    LINT_FILE,
    MANIFEST_FILE,
    PARITY_FILE,
    RECIPES_FOLDER,
    make_layout,
    name_golden_outputs,
    name_recipe,
)
from imageqx_export.bundle.proofs import proofs_beside
from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.data.images import generate_images
from imageqx_export.errors import ConversionError, ImageQXError, UnavailableError
from imageqx_export.export.metadata import versions
from imageqx_export.lint.model import LintReport
from imageqx_export.lint.stage import lint_files
from imageqx_export.parity.compare import ParityReport
from imageqx_export.parity.self_test import write_self_test
from imageqx_export.parity.stage import compare_with_reference
from imageqx_export.quantize.choose import choose_recipes
from imageqx_export.quantize.model import run_quantized
from imageqx_export.runtimes.torch import TorchRuntime
from imageqx_export.support.files import count_bytes, digest, is_disk_full
from imageqx_export.support.folders import stage_folder
from imageqx_export.support.processes import quiet, run_isolated, start_pool
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    from imageqx_export.networks.base import Network
    from imageqx_export.quantize.model import QuantizedModel
    from imageqx_export.quantize.recipe import Recipe

GOLDEN_SEED = 2**32 + 1
GOLDEN_COUNT = 12


class Exporter(Protocol):
    """What each format's file offers."""

    LIBRARIES: dict[str, str]
    """Import name → distribution, of every library that the format needs."""

    def write(
        self,
        network: Network,
        checkpoint: Checkpoint,
        paths: Mapping[Precision, Path],
        quantized: Mapping[Precision, QuantizedModel],
    ) -> None:
        """Write one file per precision."""


@dataclass(frozen=True)
class ExportConfig:
    """The parameters of an export.

    Args:
        checkpoint: The weights.
        out: The folder of all models.
        model: The network's name.
        formats: What to write.
        precisions: In which schemes.
        allow_missing: Whether a format whose library is missing is noted in the manifest instead of refused.
        recipes: Recipes to quantize with; where none is named, those beside the checkpoint, or new ones.
        calibration: At least 256 photos to make a new recipe with; None for synthetic ones, where one must be made.
        budgets: How large the artifacts may be and what quantization may cost; None for no limits.
    """

    checkpoint: Path
    out: Path
    model: str = "imageqx"
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
        CheckpointError: The checkpoint cannot be trusted.
        UnavailableError: A format's library is missing and ``allow_missing`` is off, or every format's is.
        ArtifactError: A named recipe is missing, broken, or for other weights.
        DatasetError: The photos cannot be calibrated on.
        ConversionError: A converter failed, or a named recipe is for a precision that is not exported.
        ImageQXError: ``<out>/<model>/`` holds something that no export wrote.
    """
    model = config.model
    networks.spec(model)
    checkpoint, network = load_checkpoint(config.checkpoint, model)
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
        _convert_all(checkpoint.path, model, files, chosen.recipes, progress)
        proofs = proofs_beside(checkpoint.path)
        artifacts = tuple(_artifact(staging.path, path, f, p, checkpoint, proofs) for (f, p), path in files.items())
        written = _write_recipes(staging.path / RECIPES_FOLDER, model, chosen.recipes)
        _write_golden(staging.path / GOLDEN_FOLDER, checkpoint.path, reference, written)
        manifest = Manifest(
            model=model,
            checkpoint_sha256=checkpoint.sha256,
            artifacts=artifacts,
            unavailable=unavailable,
            golden=_digests((staging.path / GOLDEN_FOLDER).iterdir()),
            recipes=_digests(written.values()),
        )
        (staging.path / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=2) + "\n")
        linted = _relative(lint_files(list(files.values()), progress=progress))
        (staging.path / LINT_FILE).write_text(linted.model_dump_json(indent=2) + "\n")
        report = compare_with_reference(staging.path, checkpoint, reference, generate_images(), progress=progress)
        (staging.path / PARITY_FILE).write_text(report.model_dump_json(indent=2) + "\n")
        held = None
        if config.budgets is not None and report.passed and linted.passed:  # what is wrong need not be measured
            held = check_budgets(staging.path, manifest, checkpoint.path, config.budgets, progress=progress)
            (staging.path / BUDGETS_FILE).write_text(held.model_dump_json(indent=2) + "\n")
        result = ExportResult(staging.target, manifest, report, linted, held, chosen.notes)
        folder = staging.publish() if result.passed else staging.reject()
    return replace(result, folder=folder)


def _available(config: ExportConfig) -> tuple[list[Format], dict[str, str]]:
    """Return the formats that can be written here, and why the others cannot.

    Raises:
        UnavailableError: One cannot and ``allow_missing`` is off, or none can.
    """
    unavailable = {str(f): reason for f in config.formats if (reason := missing(f))}
    wanted = [f for f in config.formats if str(f) not in unavailable]
    if unavailable and (not config.allow_missing or not wanted):
        raise UnavailableError(
            "cannot export " + ", ".join(unavailable),
            got="; ".join(unavailable.values()),
            remedy="make setup, or --allow-missing to export " + (", ".join(wanted) or "the rest"),
        )
    return wanted, unavailable


def exporter(format: Format) -> Exporter:
    """Return the module that writes ``format``; its libraries are not imported yet."""
    module: Exporter = importlib.import_module(f"imageqx_export.export.{format.value}.exporter")
    return module


def missing(format: Format) -> str | None:
    """Say which libraries ``format`` lacks on this machine, or None."""
    lacking = [
        name for library, name in exporter(format).LIBRARIES.items() if importlib.util.find_spec(library) is None
    ]
    return f"{format}: {', '.join(lacking)} not installed" if lacking else None


def _convert_all(
    checkpoint_path: Path,
    model: str,
    files: Mapping[tuple[Format, Precision], Path],
    recipes: Mapping[Precision, Recipe],
    progress: Progress,
) -> None:
    """Convert each format in processes of its own: they are slow, noisy, and do not like one another's libraries.

    w8a8 is a graph of its own and has one; the others share what is converted once.
    """
    tasks: dict[tuple[Format, bool], dict[Precision, Path]] = {}
    for (format, precision), path in files.items():
        tasks.setdefault((format, precision is Precision.W8A8), {})[precision] = path
    # The slowest first, so that the last to end is a short one.
    order = sorted(tasks, key=lambda task: [Format.TFLITE, Format.COREML, Format.ONNX].index(task[0]))
    with start_pool() as threads, progress("converting", len(order)) as advance:
        jobs: dict[Future[None], Format] = {
            threads.submit(run_isolated, _convert, task[0], checkpoint_path, model, tasks[task], recipes): task[0]
            for task in order
        }
        for job in as_completed(jobs):
            _finish(job, jobs[job])
            advance()


def _finish(job: Future[None], format: Format) -> None:
    try:
        job.result()
    except ImageQXError:
        raise
    except Exception as error:  # whatever a converter raises; its own words are kept
        raise ConversionError(
            f"the {format} converter failed", got=f"{type(error).__name__}: {error}", remedy="--formats without it"
        ) from error


def _convert(
    format: Format,
    checkpoint_path: Path,
    model: str,
    paths: Mapping[Precision, Path],
    recipes: Mapping[Precision, Recipe],
) -> None:
    try:
        _convert_in_silence(format, checkpoint_path, model, paths, recipes)
    except Exception as error:
        if is_disk_full(error, folder := next(iter(paths.values())).parent):
            files = ", ".join(path.name for path in paths.values())
            raise ConversionError(
                "no space left on device", where=f"{folder}: {files}", remedy="make room there, and run it again"
            ) from error
        raise


def _convert_in_silence(
    format: Format,
    checkpoint_path: Path,
    model: str,
    paths: Mapping[Precision, Path],
    recipes: Mapping[Precision, Recipe],
) -> None:
    # What converters print concerns their own insides and versions; what matters is compared afterwards.
    checkpoint, network = load_checkpoint(checkpoint_path, model)
    with quiet():
        from imageqx_export.quantize.model import QuantizedModel
        from imageqx_export.quantize.weights import load_quantized_network

        quantized = {
            precision: QuantizedModel(load_quantized_network(recipe, checkpoint_path, network), recipe)
            for precision, recipe in recipes.items()
            if precision in paths
        }
        exporter(format).write(network, checkpoint, paths, quantized)


def _write_recipes(folder: Path, model: str, recipes: Mapping[Precision, Recipe]) -> dict[Precision, Path]:
    """Write how each quantized precision was made; return the files."""
    from imageqx_export.quantize.recipe import write_recipe

    paths = {precision: folder / name_recipe(model, precision) for precision in recipes}
    for precision, path in paths.items():
        write_recipe(path, recipes[precision])
    return paths


def _digests(files: Iterable[Path]) -> dict[str, str]:
    return {path.name: digest(path) for path in sorted(files)}


def _relative(report: LintReport) -> LintReport:
    """Return a report that names files as the manifest does."""
    rows = [file.model_copy(update={"path": Path(file.path.name)}) for file in report.files]
    return LintReport(files=tuple(rows))


def _artifact(
    root: Path, path: Path, format: Format, precision: Precision, checkpoint: Checkpoint,
    proofs: Mapping[str, tuple[Proof, ...]],
) -> Artifact:  # fmt: skip
    sha256 = digest(path)
    libraries = ("torch", "torchvision", *exporter(format).LIBRARIES.values())
    return Artifact(
        path=path.relative_to(root),
        format=format,
        precision=precision,
        spec=checkpoint.spec,
        sha256=sha256,
        size_bytes=count_bytes(path),
        checkpoint_sha256=checkpoint.sha256,
        tool_versions=versions(libraries),
        proofs=proofs.get(sha256, ()),
    )


def _write_golden(folder: Path, checkpoint: Path, reference: TorchRuntime, recipes: Mapping[Precision, Path]) -> None:
    """Write inputs as PNG, and the outputs that PyTorch gives in float32 and in every quantized precision.

    Phones' own tests, and the benchmark on any target, compare with them.
    """
    from PIL import Image

    pixels = generate_images(GOLDEN_COUNT, GOLDEN_SEED)
    with start_pool() as threads:
        jobs = {p: threads.submit(run_isolated, run_quantized, checkpoint, path, pixels) for p, path in recipes.items()}
        found = {Precision.FP32: reference.run(pixels)} | {precision: job.result() for precision, job in jobs.items()}
    folder.mkdir()
    for index, one in enumerate(pixels):
        Image.fromarray(one).save(folder / f"{index:02}.png")
    for precision, outputs in found.items():
        rows = {f"{index:02}.png": _row(outputs, index) for index in range(len(pixels))}
        (folder / name_golden_outputs(precision)).write_text(json.dumps(rows, indent=1) + "\n")
    precisions = [p for p in Precision if p not in QUANTIZED or p in found]
    write_self_test(folder, (f"{index:02}.png" for index in range(len(pixels))), precisions)


def _row(outputs: Outputs, index: int) -> dict[str, object]:
    # float64 of a float32 prints with all its digits; nine significant ones identify a float32 exactly.
    return {name: np.vectorize(lambda v: float(f"{v:.9g}"))(values[index]).tolist() for name, values in outputs.items()}
