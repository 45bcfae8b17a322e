"""Run the runner on the emulated phone: a process that is watched, and killed when it hangs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from imageqx_export.bench.emulator.kernels import list_arguments
from imageqx_export.bench.emulator.machine import GUEST_BASE, GUEST_SIZE, Emulator
from imageqx_export.bench.worker.launch import RUNNER, read_result
from imageqx_export.errors import DeviceError, MeasurementError
from imageqx_export.support.processes import take_last_line, tie_to_parent

TIMEOUT_SECONDS = 1800.0
POLL_SECONDS = 0.1
_TOTAL = re.compile(r"(?m)^total insns: ([0-9]{1,18})$")
_OPCODE = re.compile(r"(?m)^opcodes (\S+) ([0-9]{1,18})$")
_MAPPING = re.compile(r"^([0-9a-f]+)-[0-9a-f]+ ")


@dataclass(frozen=True)
class Counts:
    """The instructions that a whole process executed.

    Attributes:
        instructions: All of them.
        opcodes: Those of each family in :mod:`~imageqx_export.bench.emulator.kernels`, by name.
    """

    instructions: int
    opcodes: dict[str, int]


class Guest:
    """One emulated phone, on which processes start from any thread.

    Args:
        emulator: What runs them.
        cpu: The phone's processor, one of :data:`~imageqx_export.bench.emulator.machine.CPUS`.
        scratch: A folder for requests and results.
        timeout: Seconds after which a process counts as hung.
    """

    def __init__(self, emulator: Emulator, cpu: str, scratch: Path, timeout: float = TIMEOUT_SECONDS) -> None:
        self.emulator, self.scratch = emulator, scratch
        self._cpu, self._timeout = cpu, timeout
        self._running: set[int] = set()
        self._stopped = False
        self._lock = threading.Lock()

    def run(
        self, request: dict[str, Any], options: Sequence[str] = (), watch: Callable[[int], None] | None = None
    ) -> dict[str, Any]:
        """Do one request of the runner's, in a fresh process, and return its result.

        Args:
            request: As :mod:`imageqx_export.bench.worker.runner` takes it.
            options: For qemu.
            watch: Called with the process's id over and over while it runs.

        Raises:
            MeasurementError: The runner refuses, or its process dies.
            DeviceError: It hangs, and was killed.
        """
        with TemporaryDirectory(dir=self.scratch) as folder:
            asked, answered, errors = (Path(folder) / name for name in ("request.json", "result.json", "errors.txt"))
            asked.write_text(json.dumps(request))
            # -S: no site, which looks where this machine keeps its own packages; -P: none of the runner's neighbours.
            program = [str(self.emulator.python), "-S", "-P", str(RUNNER), str(asked), str(answered)]
            command = [*self.emulator.command(self._cpu, *options), *program]
            with errors.open("wb") as stderr:
                code = self._finish(command, stderr, str(request["path"]), watch)
            if code != 0 or not answered.is_file():
                raise self._explain_failure(code, errors.read_text(errors="replace"), str(request["path"]))
            return read_result(answered, str(request["path"]))

    def count(self, request: dict[str, Any]) -> Counts:
        """Do one request under the plugins that count instructions.

        Raises:
            MeasurementError: As :meth:`run`, or the plugins said nothing.
        """
        insn = f"{self.emulator.insn},inline=on"
        opcodes = ",".join([str(self.emulator.opcodes), *list_arguments()])
        with TemporaryDirectory(dir=self.scratch) as folder:
            log = Path(folder) / "plugin.log"
            self.run(request, ("-d", "plugin", "-D", str(log), "-plugin", insn, "-plugin", opcodes))
            text = log.read_text() if log.is_file() else ""
        return read_counts(text)

    def measure_peak_memory(self, request: dict[str, Any]) -> int:
        """Do one request and return the largest resident memory of the phone's own mappings, in bytes.

        qemu's memory (its translations, mostly) lies elsewhere in the process and is left out. The mappings are read
        every 0.1 s, in which an emulated phone does what a real one does in about 1 ms.
        """
        largest = 0

        def watch(process: int) -> None:
            nonlocal largest
            try:
                text = Path(f"/proc/{process}/smaps").read_text()
            except OSError:  # it has just ended
                return
            largest = max(largest, sum_resident(text))

        self.run(request, watch=watch)
        if not largest:
            raise MeasurementError("the emulated phone's memory cannot be read", where="/proc/PID/smaps")
        return largest

    def stop(self) -> None:
        """Kill every process that still runs, and start no more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                os.killpg(process, signal.SIGKILL)

    def _finish(self, command: Sequence[str], stderr: IO[bytes], path: str, watch: Callable[[int], None] | None) -> int:
        with self._lock:
            if self._stopped:
                raise MeasurementError("the benchmark was stopped", where=path)
            process = subprocess.Popen(
                tie_to_parent(command),
                env=self.emulator.environment(),
                cwd=self.scratch,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
            self._running.add(process.pid)
        deadline = time.monotonic() + self._timeout
        try:
            while not _wait_for_end(process, POLL_SECONDS):
                if watch is not None:
                    watch(process.pid)
                if time.monotonic() > deadline:
                    raise DeviceError(
                        f"the emulated {self._cpu} hangs, and was killed",
                        where=path,
                        expected=f"an end within {self._timeout:g} s",
                        remedy="run it again on a machine at rest",
                    )
            return process.returncode
        finally:
            with self._lock:  # so that stop() never kills a process id that somebody else has by now
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                self._running.discard(process.pid)

    def _explain_failure(self, code: int, stderr: str, path: str) -> MeasurementError:
        last = take_last_line(stderr) or f"exit status {code}"
        return MeasurementError(
            f"the artifact does not run on an emulated {self._cpu}", where=path, got=last, remedy="imageqx parity"
        )


def read_counts(log: str) -> Counts:
    """Read what qemu's plugins wrote.

    Raises:
        MeasurementError: A number is missing.
    """
    total, found = _TOTAL.search(log), _OPCODE.findall(log)
    if total is None or len(found) != len(list_arguments()):
        raise MeasurementError(
            "qemu's plugins counted nothing", where="libinsn and ours", got=log.strip()[-300:] or "no log"
        )
    return Counts(int(total[1]), {name: int(count) for name, count in found})


def sum_resident(smaps: str) -> int:
    """Sum the resident bytes of the phone's mappings in a ``/proc/PID/smaps`` of qemu."""
    total, inside = 0, False
    for line in smaps.splitlines():
        match = _MAPPING.match(line)
        if match:
            inside = GUEST_BASE <= int(match[1], 16) < GUEST_BASE + GUEST_SIZE
        elif inside and line.startswith("Rss:"):
            total += int(line.split()[1]) * 1024
    return total


def _wait_for_end(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True
