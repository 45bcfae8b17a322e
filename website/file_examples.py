"""An example of each kind of file in the reference, made of what the repository has, and cut to a few rows."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pydantic import BaseModel

from imageqx_export import networks
from imageqx_export.artifact import Artifact, Manifest, ModelSpec, Precision
from imageqx_export.bench.model import BenchRun
from imageqx_export.budgets.check import ArtifactBudget, BudgetReport
from imageqx_export.budgets.limits import read_budgets
from imageqx_export.bundle.manifest import name_golden_outputs
from imageqx_export.bundle.photos import PhotoIndex, write_photos
from imageqx_export.bundle.proofs import ProofTable, read_proofs
from imageqx_export.bundle.runtimes import RuntimeTable, read_runtimes
from imageqx_export.compat.versions.budget import read_runtime_budget
from imageqx_export.doctor.model import Diagnosis, Finding, State
from imageqx_export.lint.model import FileFindings, LintReport
from imageqx_export.lint.model import Finding as LintFinding
from imageqx_export.model_spec import Thresholds
from imageqx_export.parity.compare import (
    ACCELERATOR_TOLERANCES,
    TOLERANCES,
    ArtifactParity,
    ParityReport,
    compare_outputs,
)
from imageqx_export.parity.self_test import Expectation, SelfTest
from imageqx_export.predict.batch import Assessment
from imageqx_export.predict.records import make_record
from imageqx_export.predict.verdict import make_verdict
from imageqx_export.quantize.recipe import Recipe, read_recipe
from imageqx_export.release.model import Release, ReleasedArtifact
from imageqx_export.report.build import build_rows, describe_side
from imageqx_export.report.model import Report
from imageqx_export.report.rules.verdicts import Rules
from imageqx_export.report.sides import Baseline, Side, read_side
from imageqx_export.report.sizes.parts import Part, Sizes
from website import REPOSITORY
from website.evaluation_examples import make_evaluation_examples
from website.file_kinds import GoldenOutputs, VerdictLine

MODELS = REPOSITORY / "models"


@cache
def make_examples() -> dict[type[BaseModel], BaseModel]:
    """Return an example of each kind of file, by its model."""
    spec, run = networks.spec("imageqx"), _cut_run()
    artifact = _describe_artifact(spec, run)
    examples: tuple[BaseModel, ...] = (
        Manifest(model=spec.name, checkpoint_sha256=artifact.checkpoint_sha256, artifacts=(artifact,)),
        spec,
        _compare(artifact),
        _lint(),
        _hold_to_budgets(artifact),
        read_budgets(model=spec.name),
        _cut_outputs(spec),
        _cut_self_test(),
        _cut_photos(spec),
        _assess(spec),
        *make_evaluation_examples(spec),
        _cut_recipe(),
        Thresholds(schema_version=1, poor_quality=0.5, reasons={spec.reasons[0]: 0.4}),
        run,
        Baseline(runs=(run,), sizes=(_cut_sizes(artifact),)),
        _compare_with_itself(run),
        _cut_proofs(),
        _cut_runtimes(),
        read_runtime_budget(),
        _release(artifact),
        _examine(),
    )
    return {type(example): example for example in examples}


def _cut_run() -> BenchRun:
    """Return the baseline's first run, with one file and, where it was timed, one process's first inferences."""
    run = read_side(str(REPOSITORY / "benchmarks" / "baseline.json")).runs[0]
    first = run.measurements[0]
    samples = tuple(one.model_copy(update={"seconds": one.seconds[:3]}) for one in first.samples[:1])
    return run.model_copy(update={"measurements": (first.model_copy(update={"samples": samples, "layers": ()}),)})


def _describe_artifact(spec: ModelSpec, run: BenchRun) -> Artifact:
    measured = run.measurements[0]
    return Artifact(
        path=Path(measured.artifact),
        format=measured.format,
        precision=measured.precision,
        spec=spec,
        sha256=measured.sha256,
        size_bytes=measured.size_bytes,
        checkpoint_sha256=str(run.checkpoint_sha256),
        tool_versions={name: version(name) for name in ("torch", "onnx")},
    )


def _compare(artifact: Artifact) -> ParityReport:
    """Return the parity of a file that gives PyTorch's very numbers."""
    spec = artifact.spec
    outputs = {one.name: np.full(one.shape, 0.5, np.float32) for one in spec.outputs}
    rows = compare_outputs(spec, outputs, outputs, TOLERANCES[artifact.precision])
    row = ArtifactParity(path=artifact.path.as_posix(), precision=artifact.precision, outputs=rows)
    return ParityReport(
        checkpoint_sha256=artifact.checkpoint_sha256, images=1, source="generated", artifacts=(row,), quantization=()
    )


def _lint() -> LintReport:
    finding = LintFinding(
        rule="per-channel-dequantize",
        level="warning",
        count=56,
        text="56 × DEQUANTIZE (version 5) of late/0/0/block/0/0 and 55 more",
        reason="LiteRT's GPU accelerator takes DEQUANTIZE up to version 3, and this is 5",
        source="imageqx compat --target gpu",
        mend="say that the file is for the CPU; for accelerators take fp16, or w8a8",
    )
    return LintReport(
        files=(FileFindings(path=Path("imageqx_w8.tflite"), kind="tflite", operators=313, findings=(finding,)),)
    )


def _hold_to_budgets(artifact: Artifact) -> BudgetReport:
    limits = read_budgets(model=artifact.spec.name)
    row = ArtifactBudget(
        path=artifact.path.as_posix(),
        precision=artifact.precision,
        size_bytes=artifact.size_bytes,
        size_limit=next(iter(limits.size_bytes.values())),
    )
    return BudgetReport(samples=0, source="", reference=None, artifacts=(row,))


def _cut_outputs(spec: ModelSpec) -> GoldenOutputs:
    """Return one picture with each output's first number."""
    numbers = {one.name: np.full(one.shape[1:], 0.5).tolist()[:1] for one in spec.outputs}
    return GoldenOutputs({"00.png": numbers})


def _cut_self_test() -> SelfTest:
    expectations = {
        precision: Expectation(outputs=name_golden_outputs(precision), tolerance=ACCELERATOR_TOLERANCES[precision])
        for precision in (Precision.FP32, Precision.W8A8)
    }
    return SelfTest(pictures=("00.png", "01.png"), expectations=expectations)


def _cut_photos(spec: ModelSpec) -> PhotoIndex:
    """Return the index that an export writes, with a photo as phones write portraits."""
    with TemporaryDirectory() as folder:
        write_photos(Path(folder, "photos"), spec.preprocessing)
        index = PhotoIndex.model_validate_json(Path(folder, "photos", "photos.json").read_text(encoding="utf-8"))
    return index.model_copy(update={"photos": tuple(one for one in index.photos if one.orientation == 6)[:1]})


def _assess(spec: ModelSpec) -> VerdictLine:
    """Return what is printed of a blurred photo."""
    outputs = {
        "quality": np.array([[0.16, 0, 0.01, 0.83]], np.float32),
        "explanations": np.array([[0.98 if reason == "blurry" else 0.02 for reason in spec.reasons]], np.float32),
    }
    verdict = make_verdict("shaky.jpg", outputs, 0, spec)
    return VerdictLine.model_validate(make_record(Assessment("shaky.jpg", verdict)))


def _cut_recipe() -> Recipe:
    """Return the shipped recipe of w8 with the scales of one operation, and the first that stays float."""
    recipe = read_recipe(MODELS / "imageqx.w8.json")
    weights = min(recipe.weights, key=lambda row: len(row.scales))
    return recipe.model_copy(update={"weights": (weights,), "floats": recipe.floats[:1]})


def _cut_sizes(artifact: Artifact) -> Sizes:
    part = Part(section="file", name="all of it", bytes=artifact.size_bytes)
    return Sizes(artifact=artifact.path.name, total=artifact.size_bytes, parts=(part,))


def _compare_with_itself(run: BenchRun) -> Report:
    """Return the report of a run beside itself: of one run nothing is decided, which is exit code 2."""
    side = Side(label="benchmarks/baseline.json", runs=(run,))
    return Report(
        baseline=describe_side(side),
        current=describe_side(side),
        rules=Rules(),
        decisions=(),
        exit_code=2,
        rows=build_rows(side, side),
    )


def _cut_proofs() -> ProofTable:
    """Return the shipped proofs of one file, its first."""
    table = read_proofs(MODELS / "imageqx.proofs.json")
    digest, proofs = next(iter(table.proofs.items()))
    return ProofTable(proofs={digest: proofs[:1]}, names={digest: table.names[digest]})


def _cut_runtimes() -> RuntimeTable:
    table = read_runtimes(MODELS / "imageqx.runtimes.json")
    return table.model_copy(update={"rows": table.rows[:2]})


def _release(artifact: Artifact) -> Release:
    row = ReleasedArtifact(
        path=artifact.path.as_posix(),
        format=artifact.format,
        precision=artifact.precision,
        sha256=artifact.sha256,
        size_bytes=artifact.size_bytes,
        minimum={"onnxruntime": "1.15.1"},
    )
    return Release(
        model=artifact.spec.name,
        version="1.0.0",
        checkpoint_sha256=artifact.checkpoint_sha256,
        spec=artifact.spec.model_dump(mode="json"),
        artifacts=(row,),
        golden=("golden/00.png",),
    )


def _examine() -> Diagnosis:
    gap = Finding(
        group="browser",
        part="chromium",
        state=State.MISSING,
        detail="no chromium on the PATH",
        stops="imageqx bench --target web:chromium",
        remedy="apt install chromium",
    )
    return Diagnosis(findings=(gap,))
