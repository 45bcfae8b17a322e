"""Runs as a benchmark would write them: the noise of processes and runs, on phones and on the host."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from imageqx_export.artifact import Format, Precision
from imageqx_export.bench.model import BenchRun, Instructions, LayerCost, Machine, Measurement, ProcessSample, Schedule
from imageqx_export.report.sides import Side

HOST = Machine(name="AMD EPYC 7763", cores=1, abi="x86_64", system="Linux 6.8.0")
TOOLS = {"ai-edge-litert": "2.3.0", "onnxruntime": "1.31.1", "python": "3.11.9"}
COMMIT = "70746f7" + "0" * 33


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
