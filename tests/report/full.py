"""A report with something in every part of it: sizes, parity, proofs, runtimes, accuracies and robustness."""

from __future__ import annotations

import json

from imageqx_export.artifact import Proof
from imageqx_export.bundle.runtimes import RuntimeRow, RuntimeTable
from imageqx_export.parity.compare import ArtifactParity, OutputParity, ParityReport
from imageqx_export.report.build import (
    build_parity,
    build_rows,
    describe_side,
    list_breakdowns,
    list_layers,
    list_points,
)
from imageqx_export.report.model import Accuracy, NamedScore, Proved, Report
from imageqx_export.report.robustness import RobustnessRow, RobustnessTable, Share
from imageqx_export.report.rules.decide import decide
from imageqx_export.report.rules.verdicts import Rules, exit_code
from imageqx_export.report.sensitivity import SensitiveLayer, SensitivityTable
from imageqx_export.report.sides import Side
from imageqx_export.report.sizes.parts import Part, Sizes, sum_parts
from tests.report.fakes import ARTIFACTS, _precision, digest, full_sides

PROOFS = (
    Proof(
        target="qualcomm",
        chips=("SM8550", "SM8650"),
        verdict="right",
        whole=True,
        labels=12,
        images=12,
        max_abs=0.021,
        tool="a simulator",
    ),
    Proof(
        target="ethos-u",
        chips=("U65-256",),
        verdict="refused",
        whole=False,
        labels=None,
        images=12,
        max_abs=None,
        tool="a compiler",
    ),
)
SCORES = (
    NamedScore(name="lesion", f1=0.91, interval=(0.86, 0.95)),
    NamedScore(name="poor_quality", f1=0.72, interval=(0.66, 0.78)),
    NamedScore(name="blurry", f1=0.64, interval=(0.5, 0.76)),
)
ROBUSTNESS = RobustnessTable(
    artifact="imageqx_fp32.onnx",
    photos=40,
    source="the test side of photos",
    rows=(
        RobustnessRow(kind="as it is", reason=None, photos=40, mild=Share(value=0.025, interval=(0.004, 0.129))),
        RobustnessRow(
            kind="lesion out of focus",
            reason="blurry",
            photos=20,
            mild=Share(value=0.05, interval=(0.009, 0.236)),
            strong=Share(value=0.4, interval=(0.22, 0.61)),
        ),
    ),
)

SENSITIVITY = SensitivityTable(
    recipe="build/analyzed.w8a8.json",
    precision="w8a8",
    checkpoint_sha256=digest("checkpoint"),
    kind="reasons",
    photos=400,
    source="synthetic",
    holds=True,
    rows=tuple(
        SensitiveLayer(
            layer=f"early.stages.{k}.0.block.1.fc2:conv",
            sqnr_db=50.0 - k,
            mean_abs=0.001 * (k % 7),
            quality=0.01 * k,
            explanations=-0.02 * k,
            stays_float=k == 6,
        )
        for k in range(24)
    ),
)


def _runtime_row(artifact: str, version: str, verdict: str, worst: float | None) -> RuntimeRow:
    runtime, variant = ("onnxruntime", "default") if artifact.endswith("onnx") else ("litert", "xnnpack")
    return RuntimeRow.model_validate(
        {
            "artifact": artifact,
            "sha256": digest(artifact),
            "runtime": runtime,
            "version": version,
            "variant": variant,
            "machine": "x86-64",
            "app": f"{runtime}:{version}",
            "verdict": verdict,
            "max_abs": worst,
            "decisions": None if worst is None else 72,
            "differing": None if worst is None else 3 * (verdict == "wrong"),
        }
    )


RUNTIME_ROWS = (
    _runtime_row("imageqx_fp32.onnx", "1.15.1", "right", 1e-6),
    _runtime_row("imageqx_fp32.onnx", "1.20.1", "right", 1.1e-6),
    _runtime_row("imageqx_fp32.tflite", "1.3.0", "refused", None),
    _runtime_row("imageqx_fp32.tflite", "2.3.0", "wrong", 0.098),
)


def _list_sizes(side: Side) -> tuple[list[Sizes], list[Sizes]]:
    """Return what is in a side's files, and the same with 40 bytes less between the parts of the first."""
    sizes = [
        sum_parts(m.artifact, m.size_bytes, [Part(section="weights", name=f"w{k}", bytes=1000 * k) for k in range(30)])
        for m in side.runs[0].measurements
    ]
    grown = sizes[0].model_copy(
        update={
            "total": sizes[0].total - 40,
            "parts": (
                *sizes[0].parts[:-1],
                Part(section="structure", name="everything between", bytes=sizes[0].parts[-1].bytes - 40),
            ),
        }
    )
    return sizes, [grown, *sizes[1:]]


def _compare() -> ParityReport:
    """Return three outputs a file, of which the last is too far from PyTorch's."""
    outputs = [
        OutputParity(
            output=name,
            max_abs=error,
            mean_abs=error / 10,
            cosine=1.0,
            sqnr_db=60.0,
            decisions=64,
            differing=0,
            excused=0,
            problems=() if error < 1e-4 else ("max |Δ| is too large",),
        )
        for name, error in (("quality", 1e-6), ("explanations", 9e-5), ("attention", 1e-3))
    ]
    return ParityReport(
        checkpoint_sha256=digest("checkpoint"),
        images=64,
        source="generated",
        artifacts=tuple(ArtifactParity(path=n, precision=_precision(n), outputs=tuple(outputs)) for n in ARTIFACTS),
    )


def full_report(seed: int = 0, rename: dict[str, str] | None = None) -> Report:
    """Return a report with something in every part of it.

    Args:
        seed: Of the noise.
        rename: Other names, by artifact.
    """
    before, after = full_sides(seed)
    sizes, grown = _list_sizes(after)
    compared = _compare()
    decisions = decide(before, after, parity=compared)
    report = Report(
        baseline=describe_side(before),
        current=describe_side(after),
        rules=Rules(),
        decisions=decisions,
        exit_code=exit_code(decisions),
        rows=build_rows(before, after),
        breakdowns=list_breakdowns(grown, sizes),
        layers=list_layers(after),
        points=list_points([*before.runs, *after.runs]),
        accuracies=tuple(
            Accuracy(artifact=n, macro_f1=0.8, interval=(0.78, 0.82), photos=1000, source="synthetic", scores=SCORES)
            for n in ARTIFACTS
        ),
        parity=build_parity(compared),
        proved=tuple(Proved(artifact=n, proofs=PROOFS if n.endswith("fp32.tflite") else ()) for n in ARTIFACTS),
        runtimes=RuntimeTable(images=12, rows=RUNTIME_ROWS),
        robustness=(ROBUSTNESS,),
        sensitivity=(SENSITIVITY,),
        absent=("nothing: this is a fake",),
    )
    text = report.model_dump_json()
    for old, new in (rename or {}).items():
        text = text.replace(json.dumps(old), json.dumps(new))
    return Report.model_validate_json(text)
