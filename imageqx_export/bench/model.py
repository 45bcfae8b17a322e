"""How to measure, and what was measured: the values that every target takes and returns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Protocol, runtime_checkable

from pydantic import Field, model_validator

from imageqx_export.artifact import Artifact, Format, Precision
from imageqx_export.bench.photo import PhotoSample
from imageqx_export.support.frozen import Frozen, rename_key

Seconds = Annotated[float, Field(ge=0)]
Moment = Annotated[float, Field(ge=0, lt=253_402_300_800)]
"""Seconds since 1970, before the year 10000, which calendars end with."""


class Schedule(Frozen):
    """A plan of a measurement: how often and for how long each artifact runs.

    Each fresh process loads the artifact, runs it once (the first inference, kept apart), warms up, and then is timed
    inference by inference. ``runs`` and ``seconds`` are for all processes of an artifact together, and both must be
    reached; each process does its share.

    Args:
        warmup_runs: Inferences before timing, in each process.
        warmup_seconds: How long the warm-up lasts at least, in each process.
        runs: Timed inferences.
        seconds: Timed seconds.
        processes: Fresh processes.
        threads: Threads the runtime may use.
        quick: Whether this is a smoke test, whose numbers decide nothing.
    """

    warmup_runs: int = Field(default=10, ge=0)
    warmup_seconds: float = Field(default=0.5, ge=0)
    runs: int = Field(default=100, ge=1)
    seconds: float = Field(default=10.0, ge=0)
    processes: int = Field(default=10, ge=1)
    threads: int = Field(default=1, ge=1)
    quick: bool = False

    @property
    def runs_each(self) -> int:
        """Timed inferences that each process does at least."""
        return math.ceil(self.runs / self.processes)

    @property
    def seconds_each(self) -> float:
        """Timed seconds that each process lasts at least."""
        return self.seconds / self.processes


QUICK = Schedule(warmup_runs=2, warmup_seconds=0.05, runs=10, seconds=0.4, processes=2, quick=True)


class ProcessSample(Frozen):
    """The raw times of one fresh process.

    Args:
        load_seconds: From the file to a runtime that can run.
        first_seconds: The first inference, which allocates and packs.
        seconds: Each timed inference after the warm-up, in order.
        started: When the process began, in seconds since 1970.
        temperature_before: Of the hottest sensor that could be read, in °C.
        temperature_after: Likewise, afterwards.
        download_bytes: Fetched until the first answer, by a target that fetches what it runs; None elsewhere.
    """

    load_seconds: float = Field(ge=0)
    first_seconds: float = Field(ge=0)
    seconds: tuple[Seconds, ...]
    started: Moment = 0.0
    temperature_before: float | None = None
    temperature_after: float | None = None
    download_bytes: int | None = Field(default=None, ge=0)


class Instructions(Frozen):
    """The instructions of one inference.

    Args:
        count: Instructions per inference, ``(n=3 − n=1) / 2``.
        repeats: Each repetition's count; their spread is the noise.
        source: What counted: ``"callgrind"``, ``"perf"`` or ``"qemu-insn"``.
    """

    count: float = Field(gt=0)
    repeats: tuple[Annotated[float, Field(ge=0)], ...]
    source: str

    @property
    def spread(self) -> float:
        """(largest − smallest) / count of the repetitions."""
        return (max(self.repeats) - min(self.repeats)) / self.count if self.repeats else 0.0


class LayerCost(Frozen):
    """The time of one operation of the graph.

    Args:
        name: As the runtime's own profiler names it.
        kind: The operation, such as ``"CONV_2D"``.
        seconds: Mean seconds an inference.
        compute_unit: Where the runtime's plan puts it (``"cpu"``, ``"gpu"``, ``"neural_engine"``), or None where the
            runtime has no such plan.
    """

    name: str
    kind: str
    seconds: Seconds
    compute_unit: str | None = None


class Measurement(Frozen):
    """Everything that was measured of one artifact on one target.

    Args:
        artifact: The file's name.
        sha256: The artifact's digest.
        format: The file format.
        precision: The numeric scheme.
        size_bytes: Bytes of the file.
        samples: One a fresh process; empty where the target gives no time that means anything (an emulator).
        peak_memory_bytes: Largest resident memory, from a run of its own, which is not timed; None where unreadable.
        instructions: Per inference, or None where nothing counts them.
        kernels: Which instruction set the kernels used, as shown and not as assumed (``"neon"``, ``"dotprod"``,
            ``"i8mm"``), or None where nothing shows it.
        max_error: Largest |artifact − PyTorch| over the outputs as they came from this target, or None.
        layers: Per operation, from a run of its own with the runtime's profiler; empty where there is none.
        photos: From a photo of 12 megapixels to a verdict, one a process of its own; empty where the target times none.
        unavailable: Why nothing was measured, or None; "unavailable" is a result, never a pass.
        failed: Whether ``unavailable`` is because it broke while it ran, on a target that said that it can run it.
        notes: Why a single number is missing, such as ``"instructions: valgrind is not installed"``.
    """

    artifact: str
    sha256: str
    format: Format
    precision: Precision
    size_bytes: int = Field(ge=0)
    samples: tuple[ProcessSample, ...] = ()
    peak_memory_bytes: int | None = Field(default=None, ge=0)
    instructions: Instructions | None = None
    kernels: str | None = None
    max_error: float | None = Field(default=None, ge=0)
    layers: tuple[LayerCost, ...] = ()
    photos: tuple[PhotoSample, ...] = ()
    unavailable: str | None = None
    failed: bool = False
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> tuple[float, ...]:
        """Every timed inference of every process."""
        return tuple(s for sample in self.samples for s in sample.seconds)


class Machine(Frozen):
    """The machine that was measured on.

    Args:
        name: A phone's model, a CPU's name.
        cores: Cores that the runs could use; 0 where the target does not tell.
        abi: ``"x86_64"``, ``"arm64-v8a"``, ….
        system: Operating system and version.
        facts: Anything else that explains a number: governor, battery, temperatures, serial.
    """

    name: str
    cores: int = Field(ge=0)
    abi: str
    system: str
    facts: dict[str, str] = Field(default_factory=dict)


class BenchRun(Frozen):
    """One run of the benchmark: one line of the history.

    Args:
        schema_version: Of this record.
        run_id: Unique; a target that writes on a phone names its files by it.
        started: Seconds since 1970.
        commit: The project's commit, ``"<hex>+dirty"`` with changes, or ``"unknown"``.
        target: As it was asked for, such as ``"host"`` or ``"emulated:cortex-a76"``.
        machine: What was measured on.
        schedule: How.
        tool_versions: Of each library and tool that ran, by name.
        checkpoint_sha256: Of the checkpoint that the artifacts were made from.
        measurements: One an artifact.
    """

    schema_version: int = 1
    run_id: str
    started: Moment
    commit: str
    target: str
    machine: Machine
    schedule: Schedule
    tool_versions: dict[str, str]
    checkpoint_sha256: str
    measurements: tuple[Measurement, ...]

    @model_validator(mode="before")
    @classmethod
    def _read_old_key(cls, fields: object) -> object:
        """Take ``protocol`` for ``schedule``, as older histories and baselines call it."""
        return rename_key(fields, "protocol", "schedule")

    @model_validator(mode="after")
    def _refuse_repeats(self) -> BenchRun:
        names = [m.artifact for m in self.measurements]
        if len(set(names)) != len(names):
            raise ValueError(f"each artifact once, got {names}")
        return self


class Target(Protocol):
    """A place where artifacts run: one implementation a folder, one small interface."""

    @property
    def name(self) -> str:
        """What was asked for, such as ``"adb:0123"``."""
        ...

    @property
    def timed(self) -> bool:
        """Whether its seconds mean anything; an emulator's do not."""
        ...

    def open(
        self, folder: Path, artifacts: Sequence[Artifact], schedule: Schedule, run_id: str
    ) -> AbstractContextManager[Machine]:
        """Prepare the target (push files, set modes), give its facts, and put everything back at the end, always.

        Args:
            folder: Where ``artifacts``' relative paths begin; it has ``golden/`` too.
            artifacts: What will be run.
            schedule: How.
            run_id: Names whatever is written on the target.
        """
        ...

    def explain_unavailable(self, artifact: Artifact) -> str | None:
        """Say why the target cannot run ``artifact``, or None."""
        ...

    def wait_until_ready(self) -> None:
        """Wait for the target to cool down, or to come back; raise DeviceError when it does not."""
        ...

    def sample(self, artifact: Artifact, schedule: Schedule) -> ProcessSample:
        """Run ``artifact`` in one fresh process."""
        ...

    def measure_peak_memory(self, artifact: Artifact, schedule: Schedule) -> int | None:
        """Run ``artifact`` once more, untimed, and return its largest resident memory in bytes."""
        ...

    def count_instructions(self, artifact: Artifact, schedule: Schedule) -> Instructions | None:
        """Count the instructions of one inference."""
        ...

    def profile_layers(self, artifact: Artifact, schedule: Schedule) -> tuple[LayerCost, ...]:
        """Run ``artifact`` under the runtime's own profiler."""
        ...

    def find_kernels(self, artifact: Artifact) -> str | None:
        """Say which instruction set the artifact's kernels used, as shown by what ran."""
        ...

    def measure_error(self, artifact: Artifact) -> float | None:
        """Compare outputs as they come from this target with PyTorch's golden ones in the artifact's folder."""
        ...

    def list_tool_versions(self) -> dict[str, str]:
        """Name what ran, with its version."""
        ...


@runtime_checkable
class PhotoTarget(Target, Protocol):
    """A target that decodes a photo and decides, as an app does, too; phones' and browsers' tools only run the file."""

    def time_photo(self, artifact: Artifact, schedule: Schedule) -> PhotoSample | None:
        """Assess a photo of 12 megapixels in one fresh process, cold and warm; None of a file that decides nothing."""
        ...


def interleave(artifacts: Sequence[Artifact], processes: int) -> Iterator[tuple[int, Artifact]]:
    """Yield A B C A B C …, so that a drift of the machine hits all artifacts alike."""
    for round in range(processes):
        for artifact in artifacts:
            yield round, artifact
