"""README's table says what an export and a run say."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.readme_table import BEGIN, END, Export, make_table, replace
from imageqx_export.artifact import Artifact, Format, Precision
from imageqx_export.bench.model import BenchRun, Machine, Measurement, ProcessSample, Schedule
from imageqx_export.budgets.check import BudgetReport
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.parity.compare import ArtifactParity, OutputParity, ParityReport


def _make_export() -> Export:
    oldest = {Format.ONNX: {"onnxruntime": "1.15.1"}, Format.TFLITE: {"litert": None}, Format.COREML: {"ios": "16"}}
    artifacts = [
        Artifact(
            path=Path(f"m_{precision.value}.{format.value}"),
            format=format,
            precision=precision,
            spec=spec().model_copy(update={"min_runtime": oldest[format]}),
            sha256=f"{precision.value}{format.value}",
            size_bytes=16_000_000,
            checkpoint_sha256="0",
            tool_versions={},
        )
        for precision in Precision
        for format in Format
    ]
    output = OutputParity(
        output="quality",
        max_abs=3.4e-6,
        mean_abs=0,
        cosine=1,
        sqnr_db=None,
        decisions=1,
        differing=0,
        excused=0,
        problems=(),
    )
    rows = tuple(
        ArtifactParity(path=str(a.path), precision=a.precision, outputs=(output,), problems=()) for a in artifacts
    )
    parity = ParityReport(checkpoint_sha256="0", images=64, source="generated", artifacts=rows, quantization=())
    return Export(artifacts, parity, BudgetReport(samples=4000, source="", reference=None, artifacts=()))


def _make_run(export: Export) -> BenchRun:
    def measure(artifact: Artifact) -> Measurement:
        speed = 1.0 if artifact.precision is Precision.FP32 else 0.5
        samples = [ProcessSample(load_seconds=1, first_seconds=1, seconds=(speed * n,) * 3) for n in (1, 2, 3)]
        return Measurement(
            artifact=artifact.path.name,
            sha256=artifact.sha256,
            format=artifact.format,
            precision=artifact.precision,
            size_bytes=1,
            samples=tuple(samples),
        )

    return BenchRun(
        run_id="a",
        started=1.0,
        commit="c",
        target="host",
        machine=Machine(name="a processor", cores=1, abi="x86_64", system="s"),
        schedule=Schedule(processes=3),
        tool_versions={},
        checkpoint_sha256="0",
        measurements=tuple(measure(a) for a in export.artifacts),
    )


def test_a_row_a_precision() -> None:
    export = _make_export()
    lines = make_table(export, _make_run(export))
    assert [line.split("|")[1].strip() for line in lines[2:6]] == ["fp32", "fp16", "w8", "w8a8"]
    assert "16.0 · 16.0 · 16.0 | 3.4e-06 | 0.50 (0.50–0.50) · 0.50 (0.50–0.50)" in lines[5]
    assert "ONNX Runtime 1.15.1, LiteRT none, iOS 16" in lines[5]
    assert "a processor" in lines[-1] and "64 pictures" in lines[-1]


def test_what_was_not_measured_says_so() -> None:
    lines = make_table(_make_export(), None)
    assert lines[5].count("not measured") == 3 and "made without" in lines[-1]


def test_only_the_table_is_replaced() -> None:
    text = replace(f"a\n{BEGIN}\nold\n{END}\nb\n", ["new"])
    assert text == f"a\n{BEGIN}\n\nnew\n\n{END}\nb\n"
    with pytest.raises(ValueError, match="no <!--"):
        replace("a", ["new"])
