"""Runs as a benchmark would write them: the noise of processes and runs, on phones and on the host."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from imageqx_export.artifact import Format, Precision, Proof
from imageqx_export.bench.model import BenchRun, Instructions, LayerCost, Machine, Measurement, ProcessSample, Schedule
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
from imageqx_export.report.sides import Side
from imageqx_export.report.sizes.parts import Part, sum_parts

HOST = Machine(name="AMD EPYC 7763", cores=1, abi="x86_64", system="Linux 6.8.0")
TOOLS = {"ai-edge-litert": "2.3.0", "onnxruntime": "1.31.1", "python": "3.11.9"}
COMMIT = "70746f7" + "0" * 33


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


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _precision(artifact: str) -> Precision:
    return Precision.FP16 if "fp16" in artifact else Precision.FP32


def samples(
    rng: np.random.Generator, median: float, *, run: float = 0.003, process: float = 0.008, processes: int = 10
) -> tuple[ProcessSample, ...]:
    """Return processes of one run: log-normal, the run's own offset, skewed inferences.

    Args:
        rng: Random numbers.
        median: Seconds.
        run: Standard deviation between runs, on the log scale.
        process: Between processes of a run.
        processes: How many.
    """
    centre = np.log(median) + rng.normal(0, run)
    found = []
    for k in range(processes):
        offset = centre + rng.normal(0, process)
        count = int(1.0 / median * 1.2) + 10
        inferences = np.exp(offset + np.abs(rng.normal(0, 0.02, count)) - 0.0135)
        found.append(
            ProcessSample(
                load_seconds=0.05, first_seconds=3 * median, seconds=tuple(inferences.tolist()), started=1.7e9 + k
            )
        )
    return tuple(found)


def measurement(
    rng: np.random.Generator,
    artifact: str = "imageqx_fp32.tflite",
    median: float = 0.02,
    *,
    size: int = 16_242_081,
    version: str = "a",
    instructions: float | None = 220e6,
    max_error: float | None = 2e-6,
    run: float = 0.003,
    process: float = 0.008,
) -> Measurement:
    suffix = artifact[artifact.rfind(".") :]
    form = next(form for form in Format if form.suffix == suffix)
    counted = None
    if instructions is not None:
        counted = Instructions(count=instructions, repeats=(instructions, instructions * 1.0001), source="callgrind")
    return Measurement(
        artifact=artifact,
        sha256=digest(artifact + version),
        format=form,
        precision=_precision(artifact),
        size_bytes=size,
        samples=samples(rng, median, run=run, process=process),
        peak_memory_bytes=90_000_000,
        instructions=counted,
        max_error=max_error,
        layers=(
            *(LayerCost(name=f"conv_{k}", kind="CONV_2D", seconds=1e-4 * (k + 1)) for k in range(20)),
            LayerCost(name="sigmoid", kind="LOGISTIC", seconds=3e-4),
        ),
    )


def bench_run(
    number: int,
    measurements: Sequence[Measurement],
    *,
    target: str = "host",
    commit: str = COMMIT,
    machine: Machine = HOST,
    schedule: Schedule | None = None,
    tools: dict[str, str] | None = None,
) -> BenchRun:
    return BenchRun(
        run_id=f"run-{target}-{number:04d}",
        started=1.76e9 + 3600 * number,
        commit=commit,
        target=target,
        machine=machine,
        schedule=schedule or Schedule(),
        tool_versions=TOOLS if tools is None else tools,
        checkpoint_sha256=digest("checkpoint"),
        measurements=tuple(measurements),
    )


def side(*runs: BenchRun, label: str = "runs.jsonl") -> Side:
    return Side(label=label, runs=runs)


def sides(
    seed: int = 0, slow: float = 1.0, *, baseline: int = 5, current: int = 2, run: float = 0.003
) -> tuple[Side, Side]:
    """Return a baseline and a current side of one artifact on the host, the current one ``slow`` times as slow."""
    rng = np.random.default_rng(seed)
    old = [bench_run(k, [measurement(rng, run=run)]) for k in range(baseline)]
    new = [
        bench_run(100 + k, [measurement(rng, median=0.02 * slow, version="b", run=run)], commit="b" * 40)
        for k in range(current)
    ]
    return side(*old, label="baseline.json"), side(*new)


ARTIFACTS = ("imageqx_fp32.onnx", "imageqx_fp16.onnx", "imageqx_fp32.tflite", "imageqx_fp16.tflite")


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


def full_sides(seed: int = 0) -> tuple[Side, Side]:
    """Return sides of four artifacts on the host and an emulated phone, one slower, and Core ML unavailable."""
    rng = np.random.default_rng(seed)
    core_ml = Measurement(
        artifact="imageqx_fp32.mlpackage",
        sha256=digest("core ml"),
        format=Format.COREML,
        precision=Precision.FP32,
        size_bytes=16_158_603,
        unavailable="needs macOS",
    )

    def measured(version: str, slow: float) -> list[Measurement]:
        found = [
            measurement(
                rng,
                name,
                0.017 * (slow if name == "imageqx_fp32.tflite" else 1.0),
                version=version,
                size=(8 if "fp16" in name else 16) * 1_000_000,
                max_error=1e-3 if "fp16" in name else 2e-6,
            )
            for name in ARTIFACTS
        ]
        return [*found, core_ml]

    def emulated(number: int, version: str) -> BenchRun:
        untimed = [
            m.model_copy(update={"samples": (), "layers": (), "kernels": "dotprod"}) for m in measured(version, 1)
        ]
        phone = Machine(name="cortex-a76", cores=1, abi="aarch64", system="Linux")
        return bench_run(number, untimed[:-1], target="emulated:cortex-a76", machine=phone)

    old = [*(bench_run(k, measured("a", 1.0)) for k in range(5)), emulated(6, "a")]
    new = [*(bench_run(20 + k, measured("b", 1.09), commit="b" * 40) for k in range(2)), emulated(23, "b")]
    return side(*old, label="baseline.json"), side(*new)


def full_report(seed: int = 0, rename: dict[str, str] | None = None) -> Report:
    """Return a report with something in every part of it.

    Args:
        seed: Of the noise.
        rename: Other names, by artifact.
    """
    before, after = full_sides(seed)
    sizes = [
        sum_parts(m.artifact, m.size_bytes, [Part(section="weights", name=f"w{k}", bytes=1000 * k) for k in range(30)])
        for m in after.runs[0].measurements
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
    compared = ParityReport(
        checkpoint_sha256=digest("checkpoint"),
        images=64,
        source="generated",
        artifacts=tuple(ArtifactParity(path=n, precision=_precision(n), outputs=tuple(outputs)) for n in ARTIFACTS),
    )
    decisions = decide(before, after, parity=compared)
    report = Report(
        baseline=describe_side(before),
        current=describe_side(after),
        rules=Rules(),
        decisions=decisions,
        exit_code=exit_code(decisions),
        rows=build_rows(before, after),
        breakdowns=list_breakdowns([grown, *sizes[1:]], sizes),
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
        absent=("nothing: this is a fake",),
    )
    text = report.model_dump_json()
    for old, new in (rename or {}).items():
        text = text.replace(json.dumps(old), json.dumps(new))
    return Report.model_validate_json(text)
