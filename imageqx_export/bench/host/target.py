"""Measure on this machine: LiteRT and ONNX Runtime anywhere, Core ML on macOS."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imageqx_export.artifact import Artifact, Format
from imageqx_export.bench.host import facts
from imageqx_export.bench.instructions import ENVIRONMENT, Counter, count_per_inference, find_counter
from imageqx_export.bench.model import Instructions, LayerCost, Machine, ProcessSample, Schedule
from imageqx_export.bench.photo import HEIGHT, TURNS, WIDTH, PhotoSample, encode, make_photo
from imageqx_export.bench.worker.launch import LITERT_LAYERS, PHOTO, RUNNER, Launcher
from imageqx_export.bundle.golden import load_golden_feed, measure_golden_error
from imageqx_export.decisions import name_deciding_output
from imageqx_export.errors import DeviceError, MeasurementError
from imageqx_export.input_form import read_form
from imageqx_export.runtimes.onnx import choose_session_config
from imageqx_export.support.arrays import read_arrays
from imageqx_export.support.folders import temporary_folder

LIBRARIES = {Format.TFLITE: "ai_edge_litert", Format.ONNX: "onnxruntime", Format.COREML: "coremltools"}
COOL_DOWN_SECONDS = 300.0
MEMORY_RUNS = 3
LAYER_RUNS = 10
QUICK_LAYER_RUNS = 2


@dataclass(frozen=True)
class _Opened:
    folder: Path
    place: Path
    launcher: Launcher
    cores: tuple[int, ...] | None
    schedule: Schedule


class HostTarget:
    """The machine here as a target: fresh processes, each pinned to as many cores as it has threads.

    Args:
        sensors: Reads the temperatures: each sensor's °C now, and the °C at which it is too hot, or None.
        sleep: Waits, in seconds.
    """

    name = "host"
    timed = True

    def __init__(
        self,
        sensors: Callable[[], Sequence[facts.Sensor]] = facts.read_sensors,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sensors, self._sleep = sensors, sleep
        self._versions: dict[str, str] = {}
        self._counter: Counter | None = None
        self._state: _Opened | None = None

    @contextmanager
    def open(self, folder: Path, artifacts: Sequence[Artifact], schedule: Schedule, run_id: str) -> Iterator[Machine]:
        """Choose the cores, and end every process and delete every file of the run at the end.

        Raises:
            MeasurementError: The schedule has more threads than there are cores.
        """
        cores = facts.pick_cores(schedule.threads)
        launcher = Launcher(schedule.threads)
        with temporary_folder("host") as place:
            self._state = _Opened(folder, place, launcher, cores, schedule)
            try:
                yield facts.describe_machine(cores)
            finally:
                self._state = None
                launcher.stop()

    def explain_unavailable(self, artifact: Artifact) -> str | None:
        """Say why this machine cannot run ``artifact``, or None."""
        if artifact.format is Format.COREML and sys.platform != "darwin":
            return "needs macOS"
        library = LIBRARIES[artifact.format]
        return None if importlib.util.find_spec(library) is not None else f"{library} is not installed"

    def wait_until_ready(self) -> None:
        """Wait until no sensor is at its limit, where the processor slows down.

        Raises:
            DeviceError: One still is after five minutes.
        """
        waited = 0.0
        while hot := [s for s in self._sensors() if s.limit is not None and s.celsius >= s.limit]:
            if waited >= COOL_DOWN_SECONDS:
                raise DeviceError(
                    "this machine does not cool down",
                    where=hot[0].name,
                    expected=f"below {hot[0].limit:g} °C",
                    got=f"{hot[0].celsius:g} °C after {waited:g} s",
                    remedy="stop what else runs on it",
                )
            self._sleep(5.0)
            waited += 5.0

    def sample(self, artifact: Artifact, schedule: Schedule) -> ProcessSample:
        """Run ``artifact`` in one fresh process.

        Raises:
            MeasurementError: The process failed.
        """
        result = self._run(
            "time",
            artifact,
            schedule,
            warmup_runs=schedule.warmup_runs,
            warmup_seconds=schedule.warmup_seconds,
            runs=schedule.runs_each,
            seconds=schedule.seconds_each,
        )
        known = {name: result[name] for name in ProcessSample.model_fields if name in result}
        return ProcessSample.model_validate(known)

    def time_photo(self, artifact: Artifact, schedule: Schedule) -> PhotoSample | None:
        """Assess a photo in one fresh process; None of a file that decides nothing.

        Raises:
            MeasurementError: The process failed.
        """
        if name_deciding_output(artifact.spec) not in {output.name for output in artifact.spec.outputs}:
            return None
        path = self._require_open().place / "photo.jpg"
        if not path.exists():
            path.write_bytes(encode(make_photo()))
        more = {"photo": str(path), "turns": TURNS, "spec": artifact.spec.model_dump(mode="json")}
        result = self._run("time", artifact, schedule, PHOTO, **more)
        words = f"{WIDTH} × {HEIGHT} JPEG, {path.stat().st_size:,} bytes"
        return PhotoSample.model_validate({"photo": words, **{name: result[name] for name in ("load", "cold", "warm")}})

    def measure_peak_memory(self, artifact: Artifact, schedule: Schedule) -> int | None:
        """Return the largest resident memory of a process of its own, Python and its libraries included."""
        return int(self._run("memory", artifact, schedule, runs=MEMORY_RUNS)["peak_memory_bytes"])

    def count_instructions(self, artifact: Artifact, schedule: Schedule) -> Instructions | None:
        """Count the instructions of one inference, with callgrind or perf.

        Raises:
            UnavailableError: Nothing counts here.
            MeasurementError: The counter cannot run the artifact.
        """
        counter = self._counter = self._counter or find_counter()
        self._versions[counter.tool] = counter.version
        stop = self._require_open().launcher.stop
        return count_per_inference(lambda n: self._count(counter, artifact, schedule, n), counter.source, stop)

    def profile_layers(self, artifact: Artifact, schedule: Schedule) -> tuple[LayerCost, ...]:
        """Run ``artifact`` under its runtime's own profiler."""
        if artifact.format is Format.COREML:
            return ()  # coremltools profiles no single operation on this machine
        script = LITERT_LAYERS if artifact.format is Format.TFLITE else RUNNER
        runs = QUICK_LAYER_RUNS if schedule.quick else LAYER_RUNS
        result = self._run(
            "layers",
            artifact,
            schedule,
            script,
            runs=runs,
            warmup_runs=min(runs, schedule.warmup_runs),
            input=str(self._write_pictures(artifact)),
        )
        return tuple(LayerCost.model_validate(row) for row in result["layers"])

    def find_kernels(self, artifact: Artifact) -> str | None:
        """Return None: what the processor offers is known here, and which of it the kernels used is not shown."""
        return None

    def measure_error(self, artifact: Artifact) -> float | None:
        """Return the largest |artifact − PyTorch in its own scheme| over the golden pictures."""
        state = self._require_open()
        written = state.place / f"{artifact.path.name}.npz"
        self._run("outputs", artifact, state.schedule, input=str(self._write_pictures(artifact)), outputs=str(written))
        outputs, batch = read_arrays(written, artifact.path), read_form(artifact.spec).batch or 1
        return measure_golden_error(state.folder, artifact.precision, outputs, batch)

    def list_tool_versions(self) -> dict[str, str]:
        """Name what ran, with its version."""
        return dict(sorted(self._versions.items()))

    def _require_open(self) -> _Opened:
        if self._state is None:
            raise MeasurementError("the target is not open", where=self.name, expected="with target.open(…)")
        return self._state

    def _write_pictures(self, artifact: Artifact) -> Path:
        import numpy as np

        state = self._require_open()
        path = state.place / f"golden{read_form(artifact.spec).suffix}.npy"
        if not path.exists():
            np.save(path, load_golden_feed(state.folder, artifact.spec))
        return path

    def _run(
        self, mode: str, artifact: Artifact, schedule: Schedule, script: Path = RUNNER, **more: Any
    ) -> dict[str, Any]:
        result = self._require_open().launcher.run(self._build_request(mode, artifact, schedule, more), script=script)
        self._versions.update(result["versions"])
        return result

    def _build_request(self, mode: str, artifact: Artifact, schedule: Schedule, more: dict[str, Any]) -> dict[str, Any]:
        state = self._require_open()
        path, cores = str((state.folder / artifact.path).resolve()), None if state.cores is None else list(state.cores)
        common: dict[str, Any] = {
            "mode": mode,
            "path": path,
            "format": artifact.format.value,
            "threads": schedule.threads,
            **({"config": choose_session_config()} if artifact.format is Format.ONNX else {}),
        }
        return {**common, "cores": cores, **more}

    def _count(self, counter: Counter, artifact: Artifact, schedule: Schedule, runs: int) -> int:
        state = self._require_open()
        # Not pinned: a count does not depend on the core, and several are made at once.
        request = self._build_request("count", artifact, schedule, {"runs": runs, "cores": None})
        with tempfile.TemporaryDirectory(dir=state.place) as own:
            log = Path(own) / "log"
            try:
                state.launcher.run(request, under=counter.under(log), environment=ENVIRONMENT)
            except MeasurementError as error:
                why = counter.trouble(log.read_text(errors="replace") if log.exists() else "")
                raise error if why is None else _make_error(counter, artifact, why) from error
            try:
                return counter.read(log.read_text(errors="replace"))
            except (OSError, ValueError) as error:
                raise _make_error(counter, artifact, str(error)) from error


def _make_error(counter: Counter, artifact: Artifact, why: str) -> MeasurementError:
    return MeasurementError(f"{counter.source} cannot count this", where=artifact.path, got=why)
