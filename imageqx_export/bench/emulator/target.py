"""Run artifacts on an emulated Arm phone: parity, memory and instructions, and never a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from imageqx_export.artifact import Artifact, Format
from imageqx_export.bench.emulator import CPUS, Emulator, load_emulator
from imageqx_export.bench.emulator.guest import TIMEOUT_SECONDS, Counts, Guest
from imageqx_export.bench.emulator.kernels import find_chief
from imageqx_export.bench.instructions import FEW, MANY, count_per_inference
from imageqx_export.bench.model import Instructions, LayerCost, Machine, ProcessSample, Schedule
from imageqx_export.bundle.golden import load_golden_feed, measure_golden_error
from imageqx_export.errors import DeviceError, MeasurementError, UnknownNameError
from imageqx_export.input_form import read_form
from imageqx_export.support.arrays import read_arrays
from imageqx_export.support.folders import temporary_folder

REPEATS = 2


@dataclass(frozen=True)
class _Phone:
    """The state of an opened target.

    Attributes:
        guest: Starts processes.
        folder: The artifacts'.
        counted: Instructions, and of each family how many, of one inference; by the artifact's digest.
    """

    guest: Guest
    folder: Path
    counted: dict[str, tuple[Instructions, dict[str, float]]] = field(default_factory=dict)


class EmulatedTarget:
    """An emulated phone as a target: LiteRT and ONNX Runtime for arm64 under qemu, on a processor of choice.

    Instructions are those of a whole process with 3 inferences less those of one with 1, halved: loading and the first
    inference, which allocates and packs, are in both. They repeat within 0.5 %.

    Args:
        cpu: ``"cortex-a53"`` (NEON), ``"cortex-a76"`` (and dotprod), or ``"i8mm"`` (and i8mm).
        emulator: Instead of the one that ``make emulator`` built.
        timeout: Seconds after which a process of the emulator's counts as hung, and is killed.

    Raises:
        UnknownNameError: There is no such CPU here.
    """

    def __init__(self, cpu: str, emulator: Emulator | None = None, timeout: float = TIMEOUT_SECONDS) -> None:
        if cpu not in CPUS:
            raise UnknownNameError("emulated CPU", cpu, CPUS)
        self._cpu, self._given, self._timeout = cpu, emulator, timeout
        self._phone: _Phone | None = None

    @property
    def name(self) -> str:
        """What was asked for, such as ``"emulated:cortex-a76"``."""
        return f"emulated:{self._cpu}"

    @property
    def timed(self) -> bool:
        """False: an emulator's seconds mean nothing."""
        return False

    @contextmanager
    def open(self, folder: Path, artifacts: Sequence[Artifact], schedule: Schedule, run_id: str) -> Iterator[Machine]:
        """Find the emulator, and give its facts.

        Raises:
            DeviceError: It was not built: ``make emulator``.
        """
        emulator = self._given or load_emulator()
        with temporary_folder("emulated") as scratch:
            self._phone = _Phone(Guest(emulator, self._cpu, scratch, self._timeout), folder.absolute())
            guest = self._phone.guest
            try:
                yield Machine(
                    name=f"emulated {self._cpu}",
                    cores=1,
                    abi="arm64-v8a",
                    system=f"Debian's C library {emulator.versions['libc6']} under qemu {emulator.versions['qemu']}",
                    facts={"cpu": CPUS[self._cpu], "time": "not measured: an emulator's seconds mean nothing"},
                )
            finally:
                guest.stop()
                self._phone = None

    def explain_unavailable(self, artifact: Artifact) -> str | None:
        """Say why the target cannot run ``artifact``, or None."""
        return "Core ML runs on Apple's systems only" if artifact.format is Format.COREML else None

    def wait_until_ready(self) -> None:
        """Do nothing: it neither warms up nor goes away."""

    def sample(self, artifact: Artifact, schedule: Schedule) -> ProcessSample:
        """Refuse.

        Raises:
            MeasurementError: Always.
        """
        raise MeasurementError("an emulator's seconds mean nothing", where=self.name, remedy="--target host or adb")

    def measure_peak_memory(self, artifact: Artifact, schedule: Schedule) -> int | None:
        """Return the largest resident memory that the phone's process had, qemu's own left out, in bytes."""
        request = {**self._build_request("memory", artifact), "threads": schedule.threads, "runs": MANY}
        return self._opened.guest.measure_peak_memory(request)

    def count_instructions(self, artifact: Artifact, schedule: Schedule) -> Instructions | None:
        """Count the instructions of one inference on one thread, twice."""
        return self._count_once(artifact)[0]

    def profile_layers(self, artifact: Artifact, schedule: Schedule) -> tuple[LayerCost, ...]:
        """Return none: a layer's cost would be an emulator's seconds."""
        return ()

    def find_kernels(self, artifact: Artifact) -> str | None:
        """Name the instruction set that did most multiply–accumulates of an inference, counted as they ran."""
        return find_chief(self.count_opcodes(artifact))

    def count_opcodes(self, artifact: Artifact) -> dict[str, float]:
        """Return how often one inference executes each family of multiply–accumulate instructions, by name."""
        return dict(self._count_once(artifact)[1])

    def measure_error(self, artifact: Artifact) -> float | None:
        """Run the golden pictures through the Arm kernels and return the largest |Δ| to PyTorch's outputs."""
        phone = self._opened
        pictures, outputs = phone.guest.scratch / "pictures.npy", phone.guest.scratch / "outputs.npz"
        np.save(pictures, load_golden_feed(phone.folder, artifact.spec))
        phone.guest.run({**self._build_request("outputs", artifact), "input": str(pictures), "outputs": str(outputs)})
        found, batch = read_arrays(outputs, artifact.path), read_form(artifact.spec).batch or 1
        return measure_golden_error(phone.folder, artifact.precision, found, batch)

    def list_tool_versions(self) -> dict[str, str]:
        """Name what ran, with its version."""
        return dict(self._opened.guest.emulator.versions)

    @property
    def _opened(self) -> _Phone:
        if self._phone is None:
            raise DeviceError("the emulated phone is not open", where=self.name, expected="a block of open()")
        return self._phone

    def _build_request(self, mode: str, artifact: Artifact) -> dict[str, Any]:
        path = self._opened.folder / artifact.path
        return {"mode": mode, "path": str(path), "format": artifact.format.value, "threads": 1}

    def _count_once(self, artifact: Artifact) -> tuple[Instructions, dict[str, float]]:
        """Count once for both: :meth:`count_instructions` and :meth:`count_opcodes` read the same processes."""
        phone, request = self._opened, self._build_request("count", artifact)
        if artifact.sha256 not in phone.counted:
            totals: dict[int, Counts] = {}

            def count(runs: int) -> int:
                totals[runs] = phone.guest.count({**request, "runs": runs})
                return totals[runs].instructions

            instructions = count_per_inference(count, "qemu-insn", phone.guest.stop, REPEATS)
            few, many = (totals[runs].opcodes for runs in (FEW, MANY))
            opcodes = {name: (count - few[name]) / (MANY - FEW) for name, count in many.items()}
            phone.counted[artifact.sha256] = instructions, opcodes
        return phone.counted[artifact.sha256]
