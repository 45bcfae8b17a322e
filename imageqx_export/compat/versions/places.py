"""Where a file can be run: a version of a runtime in an environment of its own, or an emulated phone."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from imageqx_export.artifact import Format, Outputs, Pixels
from imageqx_export.bench.emulator import load_emulator
from imageqx_export.bench.emulator.guest import Guest
from imageqx_export.bundle.runtimes import DEFAULTS
from imageqx_export.compat.environments import CrashError
from imageqx_export.compat.versions.catalogue import Release
from imageqx_export.errors import DeviceError, ImageQXError, MeasurementError, UnavailableError
from imageqx_export.support.arrays import read_arrays
from imageqx_export.support.folders import temporary_folder

SECONDS = 180.0
"""After which a file counts as hung in an environment; the reference kernels take a second a picture."""
EMULATED_SECONDS = 900.0
"""Likewise on an emulated phone."""
_WORKER = Path(__file__).with_name("worker.py")
_DISTRIBUTIONS = {Format.ONNX: ("onnxruntime", "onnxruntime"), Format.TFLITE: ("litert", "ai-edge-litert")}


@dataclass(frozen=True)
class Reply:
    """What a runtime said of a file.

    Attributes:
        refused: Why it does not open it; "" where it does.
        failed: Why it did not run it to the end; "" where it did.
        unavailable: Why nothing is known; "" where something is.
        load_seconds: From the file to a model that can run.
        outputs: float32, the batch first, by the file's names.
        program: Digest of what a reader made of a package.
    """

    refused: str = ""
    failed: str = ""
    unavailable: str = ""
    load_seconds: float | None = None
    outputs: Outputs | None = None
    program: str = ""


class Place(Protocol):
    """One version and variant of a runtime on one machine."""

    runtime: str
    version: str
    variant: str
    machine: str
    app: str
    format: Format

    def prepare(self) -> None:
        """Make what it needs, once; from any thread.

        Raises:
            ImageQXError: It cannot be had on this machine.
        """

    def ask(self, path: Path, pixels: Pixels) -> Reply:
        """Open a file and run it on uint8 [N,h,w,3], in a process of its own."""


class HostPlace:
    """A version of a runtime on this machine's processor.

    Args:
        release: The version.
        variant: One of its ways to run a file.
    """

    def __init__(self, release: Release, variant: str) -> None:
        self.variant, self._environment = variant, release.environment
        self.runtime, self.version = release.runtime, release.version
        self.app, self.format = release.app, release.format
        self.machine = "x86-64" if platform.machine() in ("x86_64", "AMD64") else platform.machine()

    def prepare(self) -> None:
        """Make the environment, once."""
        self._environment.prepare()

    def ask(self, path: Path, pixels: Pixels) -> Reply:
        """Open a file and run it in a fresh process of the environment; a crash there is its answer."""
        request = {"path": str(path.absolute()), "runtime": self.runtime, "variant": self.variant}
        try:
            result, outputs, _ = self._environment.call(_WORKER, request, {"pixels": pixels}, timeout=SECONDS)
        except CrashError as error:
            return Reply(failed=flatten(error))
        except UnavailableError as error:
            return Reply(unavailable=flatten(error))
        return Reply(**result, outputs=outputs or None)


class EmulatedPlace:
    """An emulated phone with the project's own version of a runtime, as ``make emulator`` built it.

    Args:
        cpu: Its processor, such as ``"cortex-a53"``.
        format: ONNX or TFLite.
    """

    def __init__(self, cpu: str, format: Format) -> None:
        self.machine, self.format = cpu, format
        self.runtime, self._distribution = _DISTRIBUTIONS[format]
        self.variant = DEFAULTS[self.runtime]
        try:
            self.version = load_emulator().versions.get(self._distribution, "0")
        except DeviceError:
            self.version = "0"
        self.app = ""

    def prepare(self) -> None:
        """See that the emulator is there."""
        load_emulator()

    def ask(self, path: Path, pixels: Pixels) -> Reply:
        """Run a file on the Arm kernels."""
        with temporary_folder("compat") as scratch:
            pictures, written = scratch / "pictures.npy", scratch / "outputs.npz"
            np.save(pictures, pixels)
            request: dict[str, Any] = {"mode": "outputs", "path": str(path.absolute()), "format": self.format.value}
            request |= {"threads": 1, "input": str(pictures), "outputs": str(written)}
            guest = Guest(load_emulator(), self.machine, scratch, EMULATED_SECONDS)
            try:
                guest.run(request)
            except (MeasurementError, DeviceError) as error:
                return Reply(failed=flatten(error))
            finally:
                guest.stop()
            return Reply(outputs=read_arrays(written, path))


def flatten(error: ImageQXError) -> str:
    """Return an error in a sentence: what, what was found, and what to try."""
    parts = [error.what, error.got and f": {error.got}", error.remedy and f" (try: {error.remedy})"]
    return " ".join("".join(part for part in parts if part).split())
