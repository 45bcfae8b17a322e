"""Artifacts, and the target that measures them on the fake phone."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from imageqx_export.artifact import Artifact, Format, ModelSpec, Precision, TensorSpec
from imageqx_export.bench.android.target import AdbTarget
from imageqx_export.bench.model import Schedule
from imageqx_export.support.files import digest
from tests.bench.android.fakes import World

ARM64 = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, 183) + bytes(1000)
SHORT = Schedule(warmup_runs=2, warmup_seconds=0, runs=10, seconds=0.04, processes=2)


def artifact(folder: Path, format: Format = Format.TFLITE, precision: Precision = Precision.FP32) -> Artifact:
    spec = ModelSpec(
        name="m",
        inputs=(TensorSpec(name="image", shape=(1, 224, 224, 3), dtype="uint8"),),
        outputs=(TensorSpec(name="quality", shape=(1, 4), dtype="float32"),),
        labels=("a",),
        reasons=(),
        thresholds={},
        hints={},
    )
    path = folder / f"m_{precision.value}{format.suffix}"
    path.write_bytes(b"weights of " + path.name.encode())
    return Artifact(
        path=Path(path.name),
        format=format,
        precision=precision,
        spec=spec,
        sha256=digest(path),
        size_bytes=path.stat().st_size,
        checkpoint_sha256="0" * 64,
        tool_versions={},
    )


def target(one: World, *arguments: Any, **options: Any) -> AdbTarget:
    return AdbTarget(*arguments, **options, limits=one.limits, clock=one.time.clock)


def calls(one: World) -> list[dict[str, str]]:
    log = one.phone.say / "benchmark_model.log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
