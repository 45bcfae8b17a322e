"""Start the runner in fresh processes of this machine, read what it wrote, and leave none of them behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imageqx_export.errors import MeasurementError
from imageqx_export.support.folders import temporary_folder
from imageqx_export.support.processes import take_last_line, tie_to_parent
from imageqx_export.support.untrusted import describe, read_object

RUNNER = Path(__file__).with_name("runner.py")
PHOTO = Path(__file__).with_name("photo.py")
LITERT_LAYERS = Path(__file__).with_name("litert_layers.py")
TIMEOUT = 3600.0
"""Seconds after which a process counts as hung; a counted one takes a hundred times as long as a timed one."""


class Launcher:
    """A launcher of requests, each in a fresh process of this Python, from any thread.

    Args:
        threads: Threads that a process may use; for the libraries that read it from the environment.
    """

    def __init__(self, threads: int) -> None:
        self._environment = {
            **os.environ,
            "PYTHONHASHSEED": "0",
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)),
        }
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(
        self,
        request: Mapping[str, Any],
        *,
        script: Path = RUNNER,
        under: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Start ``script`` with ``request`` and return its result.

        Args:
            request: As runner.py describes it.
            script: What to start.
            under: A command that runs the process, such as a profiler with its options.
            environment: Variables to add.

        Raises:
            MeasurementError: The process failed, crashed or hung; the message has its last line.
        """
        with temporary_folder("bench") as folder:
            asked, answered = folder / "request.json", folder / "result.json"
            asked.write_text(json.dumps({**request, "tied": True}))
            # -P: beside the runner lie modules whose names must not stand in for the standard library's.
            command = [*under, sys.executable, "-P", str(script), str(asked), str(answered)]
            code, stderr = self._wait(command, {**self._environment, **(environment or {})}, str(request["path"]))
            if code != 0 or not answered.exists():
                raise _explain_failure(code, stderr, request)
            return read_result(answered, str(request["path"]))

    def stop(self) -> None:
        """Kill every process that still runs, and start no more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.kill()

    def _wait(self, command: list[str], environment: dict[str, str], where: str) -> tuple[int, str]:
        with self._lock:
            if self._stopped:
                raise MeasurementError("the benchmark was stopped", where=where)
            process = subprocess.Popen(
                tie_to_parent(command),
                env=environment,
                text=True,
                errors="replace",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            self._running.add(process)
        with process:  # closes its pipe, however the block ends
            try:
                _, stderr = process.communicate(timeout=TIMEOUT)
            except subprocess.TimeoutExpired as error:
                raise MeasurementError("the process hung", where=where, got=f"no end after {TIMEOUT:g} s") from error
            finally:
                process.kill()  # does nothing to one that has ended
                process.wait()  # which leaving the block does not do after Ctrl-C
                with self._lock:
                    self._running.discard(process)
        return process.returncode, stderr


def read_result(path: Path, where: str) -> dict[str, Any]:
    """Read what the runner answered.

    Args:
        path: The file.
        where: What ran, for the message.

    Raises:
        MeasurementError: It is no JSON object.
    """
    try:
        return read_object(path)
    except (OSError, ValueError) as error:
        raise MeasurementError("the runner's result cannot be read", where=where, got=describe(error)) from error


def _explain_failure(code: int, stderr: str, request: Mapping[str, Any]) -> MeasurementError:
    last = take_last_line(stderr) or "nothing on standard error"
    got = last if code >= 0 else f"{_name_signal(-code)}; {last}"
    return MeasurementError(
        f"the runner {'failed' if code >= 0 else 'crashed'}",
        where=request["path"],
        got=got,
        remedy="imageqx parity",
    )


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
