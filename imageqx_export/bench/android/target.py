"""Measure on an attached Android phone, over adb: with LiteRT's benchmark_model, and with our own runner.

What is changed on the phone is put back at the end, after Ctrl-C and errors too: the run's folder under
``/data/local/tmp`` is deleted, its processes are killed, and the fixed-performance mode is switched off. What a run
leaves that dies with its computer is tidied up by the next one. Android does not tell whether the fixed-performance
mode is on, so it is off afterwards, whatever it was.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from imageqx_export.artifact import Artifact, Format
from imageqx_export.bench.android.abi import read_abi
from imageqx_export.bench.android.benchmark_model import RUNS
from imageqx_export.bench.android.discovery import choose_phone, list_phones, reach_server, read_server_version
from imageqx_export.bench.android.facts import Python, describe_phone, describe_sensors, find_python, read_sensors
from imageqx_export.bench.android.phone import Clock, Limits, Phone
from imageqx_export.bench.android.runners import PROFILER, RUNNER, TOOL, BenchmarkModelRunner, PythonRunner, Runner
from imageqx_export.bench.android.session import Session, lock_phone, open_session
from imageqx_export.bench.android.thermal import refuse_hopeless
from imageqx_export.bench.android.workdir import Supply, clear_stale
from imageqx_export.bench.fed import explain_unfed
from imageqx_export.bench.model import Instructions, LayerCost, Machine, ProcessSample, Schedule
from imageqx_export.bench.worker import launch
from imageqx_export.bundle.golden import measure_golden_error
from imageqx_export.errors import DeviceError, MeasurementError
from imageqx_export.support.signals import raise_on_signals

log = logging.getLogger(__name__)


class _Opened(NamedTuple):
    folder: Path
    session: Session
    server: str
    runners: Mapping[Format, Sequence[Runner]]  # per format, the one that measures first
    reasons: Mapping[Format, str]


class AdbTarget:
    """An Android phone as a target, for TFLite and ONNX artifacts.

    Args:
        serial: As ``adb devices`` shows it; None takes ``ANDROID_SERIAL``'s, or the only phone there is.
        benchmark_model: LiteRT's program for the phone, here; None: the phone's Python does it all.
        fixed_performance: Whether to hold the phone's clocks meanwhile (Android 11 and newer; few phones have it).
        limits: How long to wait.
        clock: What to wait by.
    """

    timed = True

    def __init__(
        self,
        serial: str | None = None,
        benchmark_model: Path | None = None,
        fixed_performance: bool = False,
        *,
        limits: Limits | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._serial = serial or None
        self._benchmark_model = benchmark_model
        self._fixed_performance = fixed_performance
        self._limits = limits or Limits()
        self._clock = clock or Clock()
        self._opened: _Opened | None = None

    @property
    def name(self) -> str:
        """``"adb:SERIAL"``; without a serial ``"adb"``, until :meth:`open` has found the phone."""
        return f"adb:{self._serial}" if self._serial else "adb"

    @contextmanager
    def open(self, folder: Path, artifacts: Sequence[Artifact], schedule: Schedule, run_id: str) -> Iterator[Machine]:
        """Pick the phone, push what can run there, and put the phone in order at the end.

        Raises:
            DeviceError: There is no phone, several, or one that cannot be used; another run uses it; it is full; its
                battery is low; or benchmark_model is for another processor.
        """
        built_for = read_abi(self._benchmark_model) if self._benchmark_model else None
        client = reach_server(self._limits.answer)
        self._serial = choose_phone(list_phones(client, self._limits.answer), self._serial)
        phone = Phone(client, self._serial, self._limits, self._clock)
        with raise_on_signals(), lock_phone(self._serial):
            machine = self._examine(phone, built_for)
            runners, reasons = self._find_runners(find_python(phone))
            supplies = self._list_supplies(folder, [one for one in artifacts if one.format in runners], runners)
            facts = {
                **machine.facts,
                **_describe_runners(runners),
                "fixed performance": "on" if self._fixed_performance else "off",
            }
            with open_session(phone, run_id, supplies, self._fixed_performance) as found:
                self._opened = _Opened(folder, found, read_server_version(client), runners, reasons)
                try:
                    yield machine.model_copy(update={"facts": facts})
                finally:
                    self._opened = None

    def explain_unavailable(self, artifact: Artifact) -> str | None:
        """Say why the phone cannot run ``artifact``, or None; before :meth:`open` only what holds for all phones."""
        if artifact.format is Format.COREML:
            return "Core ML does not run on Android"
        known = None if self._opened is None else self._opened.reasons.get(artifact.format)
        return known or explain_unfed(artifact)

    def wait_until_ready(self) -> None:
        """Wait until the phone is there, cool (thermal status 0) and charged.

        Raises:
            DeviceError: It does not get so in time.
        """
        self._require_open().session.cool_down()

    def sample(self, artifact: Artifact, schedule: Schedule) -> ProcessSample:
        """Run ``artifact`` in one fresh process; with benchmark_model, in several of three timed runs each.

        Raises:
            MeasurementError: It fails on the phone.
            DeviceError: The phone went away and did not come back.
        """
        return self._find_runner(artifact).sample(self._require_open().session, artifact, schedule)

    def measure_peak_memory(self, artifact: Artifact, schedule: Schedule) -> int | None:
        """Run ``artifact`` once more, untimed, and return its largest resident memory in bytes."""
        return self._find_runner(artifact).measure_peak_memory(self._require_open().session, artifact, schedule)

    def count_instructions(self, artifact: Artifact, schedule: Schedule) -> Instructions | None:
        """Return None: a phone counts them only for its own profiler; the emulated ones do, and repeat better."""
        return None

    def profile_layers(self, artifact: Artifact, schedule: Schedule) -> tuple[LayerCost, ...]:
        """Run ``artifact`` under the runtime's profiler.

        Raises:
            MeasurementError: It fails, or the runtime on the phone has none.
        """
        return self._find_runner(artifact).profile_layers(self._require_open().session, artifact, schedule)

    def find_kernels(self, artifact: Artifact) -> str | None:
        """Return None: nothing on a phone shows which instructions ran; the emulated ones do."""
        return None

    def measure_error(self, artifact: Artifact) -> float | None:
        """Compare the phone's outputs for the golden pictures with PyTorch's.

        Raises:
            MeasurementError: An output is missing, or is not a number.
            UnavailableError: Only benchmark_model can run it, and LiteRT is not here to tell the outputs' order.
        """
        opened = self._require_open()
        # Our runner does it in one process, and names the outputs itself.
        runner = opened.runners[artifact.format][-1]
        return measure_golden_error(
            opened.folder, artifact.precision, runner.compute_outputs(opened.session, artifact, opened.folder)
        )

    def list_tool_versions(self) -> dict[str, str]:
        """Return the versions of adb and, as far as they ran, of what ran on the phone."""
        found = {"adbutils": version("adbutils")}
        if self._opened is not None:
            found["adb"] = self._opened.server
            for runner in {id(one): one for runners in self._opened.runners.values() for one in runners}.values():
                found.update(runner.list_versions())
        return found

    def _examine(self, phone: Phone, built_for: str | None) -> Machine:
        """Refuse a phone that cannot be used, tidy up after a run that died, and say what it is."""
        if "shell_v2" not in phone.read_features():
            raise DeviceError(
                "the phone is too old", where=phone.where, expected="adb's shell protocol 2, of Android 7 and newer"
            )
        machine, abis = describe_phone(phone)
        if built_for is not None and built_for not in abis:
            raise DeviceError(
                "benchmark_model is for another processor",
                where=self._benchmark_model,
                expected=f"one of {', '.join(abis)}",
                got=built_for,
                remedy="build it for the phone: bazel build -c opt --config=android_arm64 "
                "//tflite/tools/benchmark:benchmark_model",
            )
        for stale in clear_stale(phone):
            log.warning("%s: deleted what an earlier run left: %s", phone.where, stale)
        thermal, battery = read_sensors(phone)
        refuse_hopeless(thermal, battery, phone.where)
        return machine.model_copy(update={"facts": {**machine.facts, **describe_sensors(thermal, battery)}})

    def _find_runners(self, python: Python) -> tuple[dict[Format, list[Runner]], dict[Format, str]]:
        """Return per format the runners for it, the one that measures first, and why there is none."""
        ours = PythonRunner(python.command)
        runners: dict[Format, list[Runner]] = {}
        if self._benchmark_model is not None:
            runners[Format.TFLITE] = [BenchmarkModelRunner(self._benchmark_model)]
        for format in (Format.TFLITE, Format.ONNX):
            if format.value in python.formats:
                runners.setdefault(format, []).append(ours)
        lacks = {Format.TFLITE: "ai-edge-litert", Format.ONNX: "onnxruntime"}
        needs = {
            Format.TFLITE: "needs LiteRT's benchmark_model (--benchmark-model FILE), or a Python on the phone",
            Format.ONNX: "needs a Python on the phone",
        }
        reasons = {
            format: f"{needs[format]} with numpy and {library}: "
            + (python.problem or f"the phone's Python has no {library}")
            for format, library in lacks.items()
            if format not in runners
        }
        return runners, reasons

    def _list_supplies(
        self, folder: Path, artifacts: Sequence[Artifact], runners: Mapping[Format, Sequence[Runner]]
    ) -> dict[str, Supply]:
        used = [type(runner) for one in artifacts for runner in runners[one.format]]
        supplies = {one.path.name: Supply(folder / one.path) for one in artifacts}
        if BenchmarkModelRunner in used and self._benchmark_model is not None:
            supplies[TOOL] = Supply(self._benchmark_model, 0o755)
        if PythonRunner in used:
            supplies[RUNNER] = Supply(launch.RUNNER)
            supplies[PROFILER] = Supply(launch.LITERT_LAYERS)
        return supplies

    def _find_runner(self, artifact: Artifact) -> Runner:
        reason = self.explain_unavailable(artifact)
        if reason is not None:
            raise MeasurementError("the phone cannot run it", where=artifact.path, got=reason)
        return self._require_open().runners[artifact.format][0]

    def _require_open(self) -> _Opened:
        if self._opened is None:
            raise MeasurementError("the phone is not open", where=self.name, expected="inside open()")
        return self._opened


def _describe_runners(runners: Mapping[Format, Sequence[Runner]]) -> dict[str, str]:
    """Say for the record how each format was measured."""
    how = {
        BenchmarkModelRunner: f"benchmark_model, {RUNS} runs a process: its result file keeps no more single ones",
        PythonRunner: "our runner, in the phone's Python",
    }
    return {f"{format.value} by": how[type(found[0])] for format, found in runners.items()}
