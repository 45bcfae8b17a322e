"""The two runners of artifacts on a phone: LiteRT's benchmark_model, and our own runner where there is a Python."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from pydantic import ConfigDict

from imageqx_export.artifact import Artifact, Format, Outputs
from imageqx_export.bench.android import benchmark_model as tool
from imageqx_export.bench.android.session import Session
from imageqx_export.bench.model import LayerCost, ProcessSample, Schedule
from imageqx_export.bundle.golden import load_golden_pixels
from imageqx_export.errors import MeasurementError
from imageqx_export.runtimes import load_runtime
from imageqx_export.support.arrays import read_arrays
from imageqx_export.support.files import digest
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.untrusted import describe, parse_model

TOOL, RUNNER, PROFILER = "benchmark_model", "runner.py", "litert_layers.py"

# Seconds a job may take beyond what it is told to: a slow phone's start, load and first inference, and per inference.
START_SECONDS, INFERENCE_SECONDS = 180.0, 5.0

MOST_PROCESSES = 500
"""Fresh processes of benchmark_model for one sample; an artifact that needs more is too quick for three runs each."""


class Runner(Protocol):
    """A program on the phone that runs artifacts."""

    def sample(self, session: Session, artifact: Artifact, schedule: Schedule) -> ProcessSample:
        """Time a fresh process."""
        ...

    def measure_peak_memory(self, session: Session, artifact: Artifact, schedule: Schedule) -> int | None:
        """Return the largest resident memory of a process that is not timed."""
        ...

    def profile_layers(self, session: Session, artifact: Artifact, schedule: Schedule) -> tuple[LayerCost, ...]:
        """Profile single operations."""
        ...

    def compute_outputs(self, session: Session, artifact: Artifact, folder: Path) -> Outputs:
        """Return the outputs for the golden pictures."""
        ...

    def list_versions(self) -> dict[str, str]:
        """Name what ran."""
        ...


def estimate_limit(schedule: Schedule) -> float:
    """Return how long one process may take."""
    runs = 1 + schedule.warmup_runs + schedule.runs_each
    return START_SECONDS + 3 * (schedule.warmup_seconds + schedule.seconds_each) + INFERENCE_SECONDS * runs


class BenchmarkModelRunner:
    """LiteRT's benchmark_model, which runs TFLite artifacts.

    Args:
        binary: The program, here.
    """

    def __init__(self, binary: Path) -> None:
        self._version = f"sha256:{digest(binary)[:12]}"  # it has no --version

    def sample(self, session: Session, artifact: Artifact, schedule: Schedule) -> ProcessSample:
        """Time as many fresh processes of three runs each as make a process's share of runs and seconds.

        Load and first inference are those of the first of them.

        Raises:
            MeasurementError: It fails, or the artifact is too quick.
        """
        started, before = time.time(), session.read_temperature()
        results: list[tool.ToolResult] = []
        seconds: list[float] = []
        while len(seconds) < schedule.runs_each or sum(seconds) < schedule.seconds_each:
            if len(results) == MOST_PROCESSES:
                raise MeasurementError(
                    "too quick for benchmark_model, which keeps three single runs a process",
                    where=artifact.path,
                    expected=f"{schedule.seconds_each:g} s in {MOST_PROCESSES} processes",
                    got=f"{sum(seconds):.3g} s",
                    remedy="measure it where our own runner runs",
                )
            results.append(self._time(session, artifact, tool.build_timing_flags(schedule), schedule))
            seconds.extend(results[-1].seconds)
        return ProcessSample(
            load_seconds=results[0].load_seconds,
            first_seconds=results[0].first_seconds,
            seconds=tuple(seconds),
            started=started,
            temperature_before=before,
            temperature_after=session.read_temperature(),
        )

    def measure_peak_memory(self, session: Session, artifact: Artifact, schedule: Schedule) -> int | None:
        """Return the largest resident memory that benchmark_model's own monitor saw, or None."""
        return self._time(session, artifact, tool.build_memory_flags(schedule), schedule).peak_memory_bytes

    def profile_layers(self, session: Session, artifact: Artifact, schedule: Schedule) -> tuple[LayerCost, ...]:
        """Return each operation's mean, XNNPACK's own included.

        Raises:
            MeasurementError: It fails, or writes no profile, as the newer benchmark_litert_model.
        """
        words = self._build_command(artifact, tool.build_profile_flags(schedule))
        table = session.job(words, [tool.PROFILE], estimate_limit(schedule))[tool.PROFILE]
        return tool.parse_profile(table.decode(errors="replace"), f"{session.phone.where}: {artifact.path}")

    def compute_outputs(self, session: Session, artifact: Artifact, folder: Path) -> Outputs:
        """Run each golden picture in a process of its own.

        Raises:
            MeasurementError: It fails, or writes no outputs, as the newer benchmark_litert_model.
            UnavailableError: LiteRT is not here to tell the outputs' order.
        """
        given = artifact.spec.inputs[0]
        words = self._build_command(artifact, tool.build_output_flags(given.name, given.shape))
        signature = load_runtime(folder / artifact.path).signature  # benchmark_model writes them in the file's order
        rows = []
        for picture in load_golden_pixels(folder):
            files = {tool.INPUT: picture.tobytes()}
            raw = session.job(words, [tool.OUTPUTS], START_SECONDS, files)[tool.OUTPUTS]
            rows.append(tool.split_outputs(raw, signature, f"{session.phone.where}: {artifact.path}"))
        return {output.name: np.concatenate([row[output.name] for row in rows]) for output in signature}

    def list_versions(self) -> dict[str, str]:
        """Return the program's digest."""
        return {TOOL: self._version}

    def _time(self, session: Session, artifact: Artifact, flags: Sequence[str], schedule: Schedule) -> tool.ToolResult:
        data = session.job(self._build_command(artifact, flags), [tool.RESULT], estimate_limit(schedule))[tool.RESULT]
        return tool.parse_result(
            data, f"{session.phone.where}: {artifact.path}", warmup_runs=max(1, schedule.warmup_runs)
        )

    def _build_command(self, artifact: Artifact, flags: Sequence[str]) -> list[str]:
        return [f"../../{TOOL}", f"--graph=../../{artifact.path.name}", *flags]


class _Result(Frozen):
    model_config = ConfigDict(extra="ignore")  # what the app writes may have more
    versions: dict[str, str]


class _Timed(_Result):
    load_seconds: float
    first_seconds: float
    seconds: tuple[float, ...]
    temperature_before: float | None = None
    temperature_after: float | None = None


class _Memory(_Result):
    peak_memory_bytes: int


class _Layers(_Result):
    layers: tuple[LayerCost, ...]


class _Names(_Result):
    names: tuple[str, ...]


T = TypeVar("T", bound=_Result)


class PythonRunner:
    """Our own runner in the phone's Python, which runs TFLite and ONNX artifacts.

    Args:
        python: What starts the phone's Python.
    """

    def __init__(self, python: str) -> None:
        self._python = python
        self._versions: dict[str, str] = {}

    def sample(self, session: Session, artifact: Artifact, schedule: Schedule) -> ProcessSample:
        """Time a fresh process: every single inference is kept."""
        started, before = time.time(), session.read_temperature()
        request = {
            "mode": "time",
            "warmup_runs": schedule.warmup_runs,
            "warmup_seconds": schedule.warmup_seconds,
            "runs": schedule.runs_each,
            "seconds": schedule.seconds_each,
        }
        found, _ = self._run(session, artifact, schedule, request, _Timed)
        after = session.read_temperature()
        return ProcessSample(
            load_seconds=found.load_seconds,
            first_seconds=found.first_seconds,
            seconds=found.seconds,
            started=started,
            temperature_before=found.temperature_before if before is None else before,
            temperature_after=found.temperature_after if after is None else after,
        )

    def measure_peak_memory(self, session: Session, artifact: Artifact, schedule: Schedule) -> int | None:
        """Return the largest resident memory, Python's own included."""
        found, _ = self._run(session, artifact, schedule, {"mode": "memory", "runs": 2}, _Memory)
        return found.peak_memory_bytes

    def profile_layers(self, session: Session, artifact: Artifact, schedule: Schedule) -> tuple[LayerCost, ...]:
        """Return each operation's mean.

        Raises:
            MeasurementError: It fails, as where the phone's LiteRT has another profiler.
        """
        request = {"mode": "layers", "warmup_runs": schedule.warmup_runs, "runs": schedule.runs_each}
        script = PROFILER if artifact.format is Format.TFLITE else RUNNER
        return self._run(session, artifact, schedule, request, _Layers, script=script)[0].layers

    def compute_outputs(self, session: Session, artifact: Artifact, folder: Path) -> Outputs:
        """Run all golden pictures in one process."""
        pictures = load_golden_pixels(folder)
        data = io.BytesIO()
        np.save(data, pictures)
        quiet = Schedule(runs=len(pictures), processes=1, threads=1)
        request = {"mode": "outputs", "input": "input.npy", "outputs": "outputs.npz"}
        files = {"input.npy": data.getvalue()}
        found, raw = self._run(session, artifact, quiet, request, _Names, ["outputs.npz"], files)
        arrays = read_arrays(raw["outputs.npz"], where := f"{session.phone.where}: {artifact.path}")
        if missing := [name for name in found.names if name not in arrays]:
            raise MeasurementError("the runner wrote no such output", where=where, expected=missing[0][:80])
        return {name: arrays[name] for name in found.names}

    def list_versions(self) -> dict[str, str]:
        """Return what the runner said of itself, once it ran."""
        return dict(self._versions)

    def _run(
        self,
        session: Session,
        artifact: Artifact,
        schedule: Schedule,
        request: Mapping[str, Any],
        shape: type[T],
        wants: Sequence[str] = (),
        files: Mapping[str, bytes] | None = None,
        script: str = RUNNER,
    ) -> tuple[T, dict[str, bytes]]:
        whole = {
            "path": f"../../{artifact.path.name}",
            "format": artifact.format.value,
            "threads": schedule.threads,
            **request,
        }
        raw = session.job(
            [self._python, f"../../{script}", "request.json", "result.json"],
            ["result.json", *wants],
            estimate_limit(schedule),
            {"request.json": json.dumps(whole).encode(), **(files or {})},
        )
        try:
            found = parse_model(shape, raw["result.json"])
        except ValueError as error:
            raise MeasurementError(
                "the runner's result cannot be read",
                where=f"{session.phone.where}: {artifact.path}",
                got=describe(error),
            ) from error
        self._versions.update(found.versions)
        return found, raw
