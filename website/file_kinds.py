"""Every kind of file that commands write and read and whose form a pydantic model holds: the reference's list."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, RootModel

from imageqx_export.artifact import Manifest, ModelSpec
from imageqx_export.bench.model import BenchRun
from imageqx_export.budgets.check import BudgetReport
from imageqx_export.budgets.limits import Budgets
from imageqx_export.bundle.photos import PhotoIndex
from imageqx_export.bundle.proofs import ProofTable
from imageqx_export.bundle.runtimes import RuntimeTable
from imageqx_export.compat.versions.budget import RuntimeBudget
from imageqx_export.doctor.model import Diagnosis
from imageqx_export.lint.model import LintReport
from imageqx_export.model_spec import Thresholds
from imageqx_export.parity.compare import ParityReport
from imageqx_export.parity.self_test import SelfTest
from imageqx_export.predict.verdict import Reason
from imageqx_export.quantize.recipe import Recipe
from imageqx_export.release.model import Release
from imageqx_export.report.model import Report
from imageqx_export.report.sides import Baseline
from website.evaluation_kinds import BinaryEvaluationFile, EvaluationFile, OpinionsFile, RaterRow, RobustnessFile


class VerdictLine(BaseModel):
    """A photo with its verdict; of one that cannot be read there are ``photo`` and ``error`` alone."""

    model_config = ConfigDict(extra="forbid")

    photo: str
    label: str
    retake: bool
    probabilities: dict[str, float]
    reasons: tuple[Reason, ...]
    hints: tuple[str, ...]
    pictures: int


class GoldenOutputs(RootModel[dict[str, dict[str, list[Any]]]]):
    """Picture → output → PyTorch's numbers, nested as the output's axes are, without that of the batch."""


class FileKind(NamedTuple):
    """One kind of file.

    Attributes:
        title: Its name, or what people call it.
        what: What it is, which command writes it, and which reads it.
        model: Its form.
    """

    title: str
    what: str
    model: type[BaseModel]


FILES: Final = (
    FileKind("manifest.json", "What an export wrote; beside the artifacts.", Manifest),
    FileKind(
        "ModelSpec",
        "In every artifact's own metadata, per artifact in `manifest.json`, and `spec.json` of a release.",
        ModelSpec,
    ),
    FileKind(
        "parity.json",
        "How far each artifact is from PyTorch; `imageqx export` writes it, `imageqx parity --json` prints it.",
        ParityReport,
    ),
    FileKind(
        "lint.json",
        "What accelerators refuse or compute wrong; `imageqx export` writes it, `imageqx lint --json` prints it.",
        LintReport,
    ),
    FileKind(
        "budgets.json",
        "What each artifact weighs and costs beside its budgets; `imageqx export` writes it.",
        BudgetReport,
    ),
    FileKind(
        "golden/expected.json",
        "What PyTorch gives for the golden pictures, in float32; `expected_w8.json`, `expected_w8a8.json`: quantized.",
        GoldenOutputs,
    ),
    FileKind(
        "golden/self_test.json",
        "What an app asks a runtime before it trusts it: [the self-test](../docs/self-test.md).",
        SelfTest,
    ),
    FileKind(
        "golden/photos/photos.json",
        "The golden photos, and the pixels that they become: [the contract](../docs/phone.md).",
        PhotoIndex,
    ),
    FileKind(
        "A line of predict --json",
        "One photo; the table of `--out` has the same columns: [Assess photos](../docs/predict.md).",
        VerdictLine,
    ),
    FileKind(
        "evaluation.json",
        "What a model is worth on labelled photos; `imageqx evaluate` writes it, `report --evaluation` shows it.",
        EvaluationFile,
    ),
    FileKind(
        "evaluation.json of a model that says good or poor",
        "As above, of Duke IQA and the like, beside raters' votes: [Duke IQA](../docs/duke-iqa.md).",
        BinaryEvaluationFile,
    ),
    FileKind(
        "robustness.json",
        "Each kind of degradation alone; `imageqx evaluate --robustness` writes it, `report --robustness` shows it.",
        RobustnessFile,
    ),
    FileKind("mos.json", "A model beside people's scores; `imageqx evaluate --mos` writes it.", OpinionsFile),
    FileKind(
        "A row of raters' tables",
        "CSV or Parquet; `imageqx data check`, `train`, `evaluate` and `thresholds` take such tables: "
        "[Train](../docs/train.md).",
        RaterRow,
    ),
    FileKind(
        "A recipe",
        "How a network is quantized; `imageqx quantize` writes it, a person reviews it, `imageqx export` takes it.",
        Recipe,
    ),
    FileKind(
        "Thresholds",
        "A clinic's own; `imageqx thresholds --thresholds-out` writes it, `--thresholds` and the apps take it.",
        Thresholds,
    ),
    FileKind(
        "A file of budgets",
        "TOML: what artifacts may weigh, and what int8 may cost; `imageqx export --budgets` takes it.",
        Budgets,
    ),
    FileKind(
        "A history",
        "One line a run; `imageqx bench --history` adds it, the apps share one, `imageqx report` reads it.",
        BenchRun,
    ),
    FileKind(
        "baseline.json",
        "The runs that later ones are compared with; `imageqx baseline` writes it, `imageqx report` reads it.",
        Baseline,
    ),
    FileKind("report.json", "A comparison of two sides; `imageqx report` writes it beside the page.", Report),
    FileKind(
        "NAME.proofs.json",
        "What was shown of artifacts on accelerators; `imageqx compat --record` writes it, an export reads it.",
        ProofTable,
    ),
    FileKind(
        "NAME.runtimes.json",
        "What artifacts gave on versions of runtimes; `imageqx compat --record` writes it, an export reads it.",
        RuntimeTable,
    ),
    FileKind(
        "A budget of runtimes",
        "TOML: on which versions artifacts must be right; `imageqx compat --budget` takes it.",
        RuntimeBudget,
    ),
    FileKind(
        "release.json",
        "What an app's tools ask of a release; `imageqx publish` writes it, `imageqx pull` and `imageqx diff` read it.",
        Release,
    ),
    FileKind("doctor --json", "What a machine can do; `imageqx doctor --json` prints it.", Diagnosis),
)
"""In the order of the page."""
