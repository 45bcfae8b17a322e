"""The library that an Android app has from TensorFlow Lite's AAR as a place, run by android_demo's runner on Linux."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import Format, ModelSpec, Outputs, Pixels
from imageqx_export.bench.emulator import load_emulator
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.bundle.runtimes import AAR
from imageqx_export.compat.environments import CrashError, run_tool
from imageqx_export.compat.versions.places import EMULATED_SECONDS, SECONDS, Reply, flatten
from imageqx_export.errors import DeviceError, ParityError
from imageqx_export.support.folders import temporary_folder

VARIABLE = "IMAGEQX_AAR"
"""Names another folder of runners than ``build/android/tflite``."""
(LIBRARY,) = AAR
LIBRARY_ARM64 = f"{LIBRARY}:arm64"
"""How it is asked for, here and on the emulated phones."""
HOST = "x86-64"
_SIGNATURE = "serving_default"
_REFUSALS = ("opening the model", "making the interpreter", "finding the signature", "allocating")
"""What ``run_model`` says where a file does not open; all else that it says, it says of a run."""


class AarPlace:
    """The AAR's library on this machine's processor, or its arm64 one on an emulated phone.

    Args:
        machine: ``"x86-64"``, or an emulated processor, such as ``"cortex-a53"``.
    """

    format = Format.TFLITE

    def __init__(self, machine: str = HOST) -> None:
        self.machine = machine
        self.runtime, self.variant = LIBRARY, AAR[LIBRARY]
        try:
            self.version = read_version(self._find())
        except DeviceError:
            self.version = "0"
        self.app = f"{self.runtime}:{self.version}"

    def _find(self) -> Path:
        return find_runner("runner" if self.machine == HOST else "arm64")

    def prepare(self) -> None:
        """See that the runner is there, and the emulator where it is needed.

        Raises:
            DeviceError: One is not.
        """
        self._find()
        if self.machine != HOST:
            load_emulator()

    def ask(self, path: Path, pixels: Pixels) -> Reply:
        """Run an export's file; of others it is not known in which order the numbers of their outputs come."""
        try:
            spec = next(a.spec for a in read_manifest(path.parent).artifacts if str(a.path) == path.name)
        except (ParityError, StopIteration):
            return Reply(unavailable="the AAR's library is asked about files of an export alone")
        runner = self._find().resolve()
        with temporary_folder("compat") as scratch:
            source, answers = scratch / "pixels", scratch / "answers"
            source.write_bytes(np.ascontiguousarray(pixels).tobytes())
            command = [str(runner / "run_model"), str(path.resolve()), str(source), str(answers), _SIGNATURE]
            command += [spec.inputs[0].name, *(output.name for output in spec.outputs)]
            try:
                self._run(command, runner, scratch, path.name)
            except CrashError as error:
                return read_failure(flatten(error))
            return Reply(outputs=split_outputs(np.fromfile(answers, np.float32), spec, len(pixels)))

    def _run(self, command: Sequence[str], runner: Path, scratch: Path, where: str) -> None:
        libraries = f"LD_LIBRARY_PATH={runner}"
        if self.machine == HOST:
            # glibc's own program sets it, so that no other program started here sees the AAR's libc.
            run_tool(["env", libraries, *command], dict(os.environ), scratch, where, SECONDS)
            return
        emulated = [*map(str, load_emulator().command(self.machine)), "-E", libraries, *command]
        run_tool(emulated, dict(os.environ), scratch, where, EMULATED_SECONDS)


def find_runner(name: str) -> Path:
    """Return a runner's folder below ``$IMAGEQX_AAR``, or ``build/android/tflite`` of the current folder.

    Args:
        name: ``"runner"`` for this machine's processor, or ``"arm64"``.

    Raises:
        DeviceError: There is none.
    """
    folder = Path(os.environ.get(VARIABLE) or Path("build") / "android" / "tflite") / name
    if not (folder / "run_model").is_file() or not (folder / "version.txt").is_file():
        raise DeviceError(
            "the AAR's runner is not built", where=folder, expected="run_model", remedy="make android-runner"
        )
    return folder


def read_version(folder: Path) -> str:
    """Return the AAR's version that a runner has."""
    return (folder / "version.txt").read_text(encoding="utf-8").strip()


def read_failure(text: str) -> Reply:
    """Return what the runner's last words mean.

    >>> read_failure("the tool failed: allocating failed").refused
    'the tool failed: allocating failed'
    """
    refused = any(f"{step} failed" in text for step in _REFUSALS)
    return Reply(refused=text) if refused else Reply(failed=text)


def split_outputs(numbers: NDArray[np.float32], spec: ModelSpec, count: int) -> Outputs:
    """Return the numbers of a run by output: per picture, ``run_model`` writes the outputs in the ModelSpec's order."""
    sizes = [int(np.prod(output.shape[1:])) for output in spec.outputs]
    columns = np.split(numbers.reshape(count, -1), np.cumsum(sizes)[:-1], axis=1)
    return {
        output.name: part.reshape(count, *output.shape[1:]) for output, part in zip(spec.outputs, columns, strict=True)
    }
