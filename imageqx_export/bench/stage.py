"""The benchmark stage: a folder of artifacts and a target become one BenchRun."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from imageqx_export.artifact import Artifact, Format, Manifest, Precision
from imageqx_export.bench.model import (
    BenchRun,
    LayerCost,
    Measurement,
    PhotoTarget,
    ProcessSample,
    Schedule,
    Target,
    interleave,
)
from imageqx_export.bench.photo import PROCESSES, PhotoSample
from imageqx_export.bundle.manifest import GOLDEN_FOLDER, read_manifest
from imageqx_export.errors import DeviceError, ImageQXError, MeasurementError
from imageqx_export.runtimes.minimum import explain_older
from imageqx_export.support.files import digest
from imageqx_export.support.frozen import describe_problems
from imageqx_export.support.progress import Progress, silent
from imageqx_export.support.signals import raise_on_signals

R = TypeVar("R")


@dataclass
class _State:
    """The state of one artifact while the run goes on."""

    artifact: Artifact
    unavailable: str | None = None
    failed: bool = False
    samples: list[ProcessSample] = field(default_factory=list)
    photos: list[PhotoSample] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def run(self, call: Callable[[], object]) -> None:
        """Do ``call``; where it fails, the artifact has failed, and the others go on."""
        try:
            call()
        except DeviceError:
            raise  # concerns every artifact
        except (ImageQXError, ValidationError) as error:
            self.unavailable, self.failed = _shorten(error), True


@dataclass(frozen=True)
class BenchConfig:
    """The parameters of a measurement.

    Args:
        schedule: How often and how long everything runs.
        formats: Only these; None for all.
        precisions: Only these; None for all.
        instructions: Count instructions too, on a target where that takes long; one without time always does.
    """

    schedule: Schedule
    formats: Collection[Format] | None = None
    precisions: Collection[Precision] | None = None
    instructions: bool = False


def measure(folder: Path, target: Target, config: BenchConfig, *, progress: Progress = silent) -> BenchRun:
    """Measure every artifact of a folder on one target.

    Each process is fresh, and the artifacts take turns (A B C A B C …). What disturbs timing – memory, outputs,
    instructions, layers – has processes of its own, afterwards.

    Args:
        folder: The folder with ``manifest.json`` and ``golden/``.
        target: Where.
        config: What, and how.
        progress: Opens a bar over the processes.

    Raises:
        ParityError: There is no readable manifest.
        MeasurementError: A file is not the manifest's, or nothing is left to measure.
        DeviceError: The target cannot be used, or went away for good.
    """
    manifest, schedule = read_manifest(folder), config.schedule
    artifacts = _select(manifest, config.formats, config.precisions)
    _verify(folder, manifest, artifacts)
    started = time.time()
    run_id = f"{datetime.fromtimestamp(started, UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:12]}"
    with raise_on_signals(), target.open(folder, artifacts, schedule, run_id) as machine:
        states = [_State(artifact, target.explain_unavailable(artifact)) for artifact in artifacts]
        if target.timed:
            _take_samples(target, states, schedule, progress)
            if isinstance(target, PhotoTarget):
                _time_photos(target, states, schedule, progress)
        measurements = _finish(target, states, schedule, config.instructions or not target.timed, progress)
        return BenchRun(
            run_id=run_id,
            started=started,
            commit=read_commit(),
            target=target.name,
            machine=machine,
            schedule=schedule,
            tool_versions=(versions := target.list_tool_versions()),
            checkpoint_sha256=manifest.checkpoint_sha256,
            measurements=tuple(
                _note_older(measured, artifact, versions)
                for measured, artifact in zip(measurements, artifacts, strict=True)
            ),
        )


def _note_older(measured: Measurement, artifact: Artifact, versions: Mapping[str, str]) -> Measurement:
    """Add a note where what ran an artifact is older than its ModelSpec asks for."""
    problems = {
        f"{name} {version} is too old for the file: {needed}"
        for name, version in versions.items()
        if (needed := explain_older(artifact.spec, name, version)) is not None
    }
    return measured.model_copy(update={"notes": (*measured.notes, *sorted(problems))})


def read_commit() -> str:
    """Return the commit of the current folder's repository, ``"<hex>+dirty"`` with changes, or ``"unknown"``."""
    head = _run_git("rev-parse", "HEAD")
    if not head:
        return "unknown"
    return f"{head}+dirty" if _run_git("status", "--porcelain", "--untracked-files=no") else head


def _run_git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except OSError:  # no git here
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _select(
    manifest: Manifest, formats: Collection[Format] | None, precisions: Collection[Precision] | None
) -> list[Artifact]:
    return [
        artifact
        for artifact in manifest.artifacts
        if (formats is None or artifact.format in formats) and (precisions is None or artifact.precision in precisions)
    ]


def _verify(folder: Path, manifest: Manifest, artifacts: Sequence[Artifact]) -> None:
    if not artifacts:
        raise MeasurementError(
            "nothing to measure",
            where=folder,
            expected="an artifact of these formats and precisions",
            got=", ".join(str(artifact.path) for artifact in manifest.artifacts) or "an empty manifest",
        )
    wanted = {folder / artifact.path: artifact.sha256 for artifact in artifacts}
    wanted |= {folder / GOLDEN_FOLDER / name: sha256 for name, sha256 in manifest.golden.items()}
    for path, sha256 in wanted.items():
        got = digest(path) if path.exists() else "no such file"
        if got != sha256:
            raise MeasurementError(
                "the file is not the one that was exported",
                where=path,
                expected=sha256,
                got=got,
                remedy="imageqx export, or pull it again",
            )


def _take_samples(target: Target, states: Sequence[_State], schedule: Schedule, progress: Progress) -> None:
    by_path = {state.artifact.path: state for state in states if state.unavailable is None}
    turns = list(interleave([state.artifact for state in by_path.values()], schedule.processes))
    with progress(f"timing on {target.name}", len(turns)) as advance:
        for _, artifact in turns:
            state = by_path[artifact.path]
            if state.unavailable is None:
                target.wait_until_ready()
                state.run(lambda a=artifact, s=state: s.samples.append(target.sample(a, schedule)))  # type: ignore[misc]
            advance()


def _time_photos(target: PhotoTarget, states: Sequence[_State], schedule: Schedule, progress: Progress) -> None:
    """Let the artifacts assess a photo in turns; one that cannot has a note, and its other figures."""
    by_path = {state.artifact.path: state for state in states if state.unavailable is None}
    rounds = 1 if schedule.quick else min(PROCESSES, schedule.processes)
    turns = list(interleave([state.artifact for state in by_path.values()], rounds))
    with progress(f"a photo of 12 megapixels on {target.name}", len(turns)) as advance:
        for _, artifact in turns:
            state = by_path[artifact.path]
            if not state.notes:
                target.wait_until_ready()
                try:
                    found = target.time_photo(artifact, schedule)
                    state.photos += [] if found is None else [found]
                except DeviceError:
                    raise
                except (ImageQXError, ValidationError) as error:
                    state.notes.append(f"photo: {_shorten(error)}")
            advance()


def _finish(
    target: Target, states: Sequence[_State], schedule: Schedule, instructions: bool, progress: Progress
) -> tuple[Measurement, ...]:
    found = []
    with progress(f"memory, outputs, layers on {target.name}", len(states)) as advance:
        for state in states:
            found.append(_measure_rest(target, state, schedule, instructions))
            advance()
    return tuple(found)


def _measure_rest(target: Target, state: _State, schedule: Schedule, instructions: bool) -> Measurement:
    artifact, notes = state.artifact, list(state.notes)

    def take_note(what: str, call: Callable[[], R], otherwise: R) -> R:
        try:
            return call()
        except DeviceError:
            raise
        except (ImageQXError, ValidationError) as error:
            notes.append(f"{what}: {_shorten(error)}")
            return otherwise

    measured = _begin(state)
    if state.unavailable is not None:
        return measured
    target.wait_until_ready()
    no_layers: tuple[LayerCost, ...] = ()
    counted = (
        take_note("instructions", lambda: target.count_instructions(artifact, schedule), None) if instructions else None
    )
    more = {
        "samples": tuple(state.samples),
        "photos": tuple(state.photos),
        "peak_memory_bytes": take_note("peak memory", lambda: target.measure_peak_memory(artifact, schedule), None),
        "max_error": take_note("outputs", lambda: target.measure_error(artifact), None),
        "layers": take_note("layers", lambda: target.profile_layers(artifact, schedule), no_layers),
        "instructions": counted,
        "kernels": take_note("kernels", lambda: target.find_kernels(artifact), None),
    }
    if not any(value not in (None, ()) for value in more.values()):
        return measured.model_copy(
            update={"unavailable": "; ".join(notes) or "nothing could be measured", "failed": True}
        )
    return _keep_numbers(measured, more, notes)


def _begin(state: _State) -> Measurement:
    artifact = state.artifact
    return Measurement(
        artifact=artifact.path.name,
        sha256=artifact.sha256,
        format=artifact.format,
        precision=artifact.precision,
        size_bytes=artifact.size_bytes,
        unavailable=state.unavailable,
        failed=state.failed,
    )


def _keep_numbers(measured: Measurement, more: Mapping[str, object], notes: list[str]) -> Measurement:
    """Return the measurement with everything in ``more`` that is a number; what is none is left out, and noted."""
    kept = dict(more)
    for name, value in more.items():
        try:
            Measurement.model_validate({**dict(measured), name: value})
        except ValidationError as error:
            notes.append(f"{name.replace('_', ' ')}: {_shorten(error)}")
            del kept[name]
    return measured.model_copy(update={**kept, "notes": tuple(notes)})


def _shorten(error: ImageQXError | ValidationError) -> str:
    if isinstance(error, ValidationError):  # a time that is not finite, or a field that is not there
        return f"no measurement: {describe_problems(error)}"
    return error.what if error.got is None else f"{error.what}: {error.got}"
