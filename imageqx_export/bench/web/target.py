"""Measure in a browser: TFLite files by LiteRT.js, ONNX files by ONNX Runtime Web, both in WebAssembly on one thread.

The load is a cold one: a fresh browser with an empty profile starts the runtime's worker, fetches and compiles its
WebAssembly, fetches the file from this machine, and opens it. A network's time comes on top: ``facts`` has the bytes.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imageqx_export.artifact import Artifact
from imageqx_export.bench.fed import explain_unfed
from imageqx_export.bench.model import Instructions, LayerCost, Machine, ProcessSample, Schedule
from imageqx_export.bench.web.answers import read_outputs, read_runtime_version, read_sample
from imageqx_export.bench.web.browser import RUNTIMES, find_chromium, find_page, make_job, read_version, run_job
from imageqx_export.bench.web.server import Served, serve
from imageqx_export.bundle.golden import list_golden_pictures, measure_golden_error
from imageqx_export.errors import MeasurementError, UnavailableError


@dataclass(frozen=True)
class _Opened:
    folder: Path
    executable: str
    served: Served


class WebTarget:
    """A headless Chromium as a target: a fresh one, with an empty profile, for each process of the schedule."""

    name = "web:chromium"
    timed = True

    def __init__(self) -> None:
        self._versions: dict[str, str] = {}
        self._state: _Opened | None = None

    @contextmanager
    def open(self, folder: Path, artifacts: Sequence[Artifact], schedule: Schedule, run_id: str) -> Iterator[Machine]:
        """Serve the page and the files on the loopback address while the block runs.

        Raises:
            DeviceError: There is no Chromium, or the page is not built.
            MeasurementError: The schedule has more than one thread: a page gets one unless it is isolated.
        """
        if schedule.threads != 1:
            raise MeasurementError("a page runs on one thread", expected="--threads 1", got=str(schedule.threads))
        executable, page = find_chromium(), find_page()
        version = read_version(executable)
        self._versions["chromium"] = version.removeprefix("Chromium ")
        with serve(page, folder) as served:
            self._state = _Opened(folder, executable, served)
            try:
                yield Machine(
                    name=f"{version} on {platform.machine()}",
                    cores=1,
                    abi="wasm32",
                    system=platform.platform(),
                    facts={"threads": "one worker, one thread", "network": "loopback"},
                )
            finally:
                self._state = None

    def explain_unavailable(self, artifact: Artifact) -> str | None:
        """Say why a browser cannot run ``artifact``, or None."""
        return explain_unfed(artifact) if artifact.format in RUNTIMES else "no browser runs Core ML"

    def wait_until_ready(self) -> None:
        """Do nothing: a browser tells no temperature."""

    def sample(self, artifact: Artifact, schedule: Schedule) -> ProcessSample:
        """Measure ``artifact`` in one fresh browser.

        Raises:
            MeasurementError: The page or the browser failed.
        """
        state, started = self._require_open(), time.time()
        before = state.served.sent
        job = make_job(
            "time",
            artifact,
            warmup_runs=schedule.warmup_runs,
            warmup_seconds=schedule.warmup_seconds,
            runs=schedule.runs_each,
            seconds=schedule.seconds_each,
        )
        answer = self._run(job)
        return read_sample(answer, started=started, download_bytes=state.served.sent - before)

    def measure_peak_memory(self, artifact: Artifact, schedule: Schedule) -> int | None:
        """Return None: a browser is many processes, and tells a page's memory to isolated pages alone."""
        return None

    def count_instructions(self, artifact: Artifact, schedule: Schedule) -> Instructions | None:
        """Raise UnavailableError: WebAssembly's instructions are compiled as they run.

        Raises:
            UnavailableError: Always.
        """
        raise UnavailableError("nothing counts a browser's instructions", where=self.name)

    def profile_layers(self, artifact: Artifact, schedule: Schedule) -> tuple[LayerCost, ...]:
        """Return none: neither runtime profiles single operations in a release."""
        return ()

    def find_kernels(self, artifact: Artifact) -> str | None:
        """Return None: which SIMD instructions a browser makes of WebAssembly is not shown."""
        return None

    def measure_error(self, artifact: Artifact) -> float | None:
        """Return the largest |artifact in the browser − PyTorch in its own scheme| over the golden pictures."""
        folder = self._require_open().folder
        answer = self._run(make_job("outputs", artifact, pictures=list_golden_pictures(folder)))
        return measure_golden_error(folder, artifact.precision, read_outputs(answer, artifact.spec.outputs))

    def list_tool_versions(self) -> dict[str, str]:
        """Name what ran, with its version."""
        return dict(sorted(self._versions.items()))

    def _require_open(self) -> _Opened:
        if self._state is None:
            raise MeasurementError("the target is not open", where=self.name, expected="with target.open(…)")
        return self._state

    def _run(self, job: dict[str, Any]) -> dict[str, Any]:
        state = self._require_open()
        answer = run_job(state.executable, state.served, job)
        self._versions[str(job["runtime"])] = read_runtime_version(answer, str(job["runtime"]))
        return answer
