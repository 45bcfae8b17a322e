"""Measure on an attached iPhone, from macOS, with coremltools' benchmarker through ``xcrun devicectl``.

What it gives: load, first and steady latency as the phone's own clock measures them, outputs to compare, and the plan's
compute unit per operation. What Apple's tools do not give is None: resident memory, instructions, temperature, cores.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

from imageqx_export.artifact import Artifact, Format
from imageqx_export.bench.fed import explain_unfed
from imageqx_export.bench.ios import app, array_input, phones, runner
from imageqx_export.bench.ios.phones import Phone
from imageqx_export.bench.ios.xcrun import Tools, find_tools, run_devicectl
from imageqx_export.bench.model import Instructions, LayerCost, Machine, ProcessSample, Schedule
from imageqx_export.bundle.golden import load_golden_pixels, measure_golden_error
from imageqx_export.errors import DeviceError, MeasurementError
from imageqx_export.support.folders import temporary_folder
from imageqx_export.support.libraries import require

PATIENCE = 180.0
"""Seconds that a phone which is locked or away is waited for, in the middle of a run."""

PAUSE = 5.0


class _Opened(NamedTuple):
    folder: Path
    place: app.Place
    versions: dict[str, str]


class IosTarget:
    """An iPhone or iPad as a target, for Core ML artifacts.

    ``IMAGEQX_IOS_TEAM`` names the Apple developer team that signs the runner, ``IMAGEQX_IOS_BUNDLE`` its bundle
    identifier if the default is taken. The runner is removed from the phone at the end.

    Args:
        udid: As ``xcrun devicectl list devices`` shows it; empty takes the only phone there is.
    """

    timed = True

    def __init__(self, udid: str) -> None:
        self._udid = udid.strip()
        self._opened: _Opened | None = None

    @property
    def name(self) -> str:
        """``"ios:UDID"``, or ``"ios"`` for the only phone there is."""
        return f"ios:{self._udid}" if self._udid else "ios"

    @contextmanager
    def open(self, folder: Path, artifacts: Sequence[Artifact], schedule: Schedule, run_id: str) -> Iterator[Machine]:
        """Find the phone, build and sign the runner for it, and remove the runner from it at the end.

        Raises:
            UnavailableError: Not macOS, or no Xcode, or no coremltools for macOS.
            DeviceError: No phone, several, or one that is locked, not trusted or not paired, without developer mode,
                or too old; or nobody signs the runner, or Xcode cannot build it.
        """
        tools = find_tools()
        require("coremltools")
        app.find_workspace()
        signing = app.read_signing(os.environ)
        phone, devicectl_version = connect(self._udid)
        with temporary_folder("iphone") as scratch, app.extend_path(tools):
            place = app.Place(phone=phone, folder=scratch, signing=signing)
            app.build(place, tools)
            self._opened = _Opened(folder, place, _collect_versions(phone, tools, devicectl_version))
            try:
                yield _describe_machine(phone)
            finally:
                self._opened = None
                with suppress(DeviceError):  # the phone may be gone, and with it the way to clean it
                    run_devicectl("device", "uninstall", "app", signing.identifier, phone=phone.identifier)

    def explain_unavailable(self, artifact: Artifact) -> str | None:
        """Say why an iPhone cannot run ``artifact``, or None."""
        if artifact.format is not Format.COREML:
            return f"an iPhone is measured with Core ML alone; {artifact.format.value} would need an app of its own"
        unfed = explain_unfed(artifact)
        if self._opened is None or unfed is not None:
            return unfed
        model = self._opened.folder / artifact.path / array_input.PROGRAM
        return phones.explain_too_old(self._opened.place.phone, array_input.read_specification(model))

    def wait_until_ready(self) -> None:
        """Wait until the phone answers and is unlocked; nothing tells whether it has cooled down.

        Raises:
            DeviceError: It did not come back.
        """
        phone, end = self._require_open().place.phone, time.monotonic() + PATIENCE
        while True:
            try:
                return phones.refuse_locked(phone, _read_lock_state(phone))
            except DeviceError:
                if time.monotonic() > end:
                    raise
                time.sleep(PAUSE)

    def sample(self, artifact: Artifact, schedule: Schedule) -> ProcessSample:
        """Run ``artifact`` in one fresh process of the runner."""
        return runner.measure(
            self._require_open().place, self._find_package(artifact), self._load_photo(artifact), schedule
        )

    def measure_peak_memory(self, artifact: Artifact, schedule: Schedule) -> int | None:
        """Return None: neither devicectl nor the runner tells."""
        return None

    def count_instructions(self, artifact: Artifact, schedule: Schedule) -> Instructions | None:
        """Return None: nothing counts them on a phone."""
        return None

    def profile_layers(self, artifact: Artifact, schedule: Schedule) -> tuple[LayerCost, ...]:
        """Return the compute plan, each operation with its unit and share of the time; empty before iOS 17.4."""
        place = self._require_open().place
        if place.phone.version and place.phone.version < phones.OLDEST_PLAN:
            return ()
        return runner.read_plan(place, self._find_package(artifact), self._load_photo(artifact), schedule.runs_each)

    def find_kernels(self, artifact: Artifact) -> str | None:
        """Return None: Core ML shows no instruction set; :meth:`profile_layers` has the compute units of its plan."""
        return None

    def measure_error(self, artifact: Artifact) -> float | None:
        """Compare the phone's outputs for the golden photos with PyTorch's.

        Raises:
            MeasurementError: An output is missing, has another shape, or is not finite.
        """
        opened, name = self._require_open(), artifact.spec.inputs[0].name
        feeds = [{name: array_input.split_planes(pixels)} for pixels in load_golden_pixels(opened.folder)]
        rows = runner.predict(opened.place, self._find_package(artifact), feeds)
        return measure_golden_error(
            opened.folder, artifact.precision, {key: np.concatenate([row[key] for row in rows]) for key in rows[0]}
        )

    def list_tool_versions(self) -> dict[str, str]:
        """Return the versions of coremltools and, once a phone is open, Xcode, devicectl and iOS."""
        return {"coremltools": version("coremltools")} if self._opened is None else dict(self._opened.versions)

    def _require_open(self) -> _Opened:
        if self._opened is None:
            raise MeasurementError("the phone is not open", where=self.name, expected="inside open()")
        return self._opened

    def _find_package(self, artifact: Artifact) -> Path:
        opened = self._require_open()
        path = opened.place.folder / "array-input" / artifact.path.name
        return path if path.exists() else array_input.write_array_input_package(opened.folder / artifact.path, path)

    def _load_photo(self, artifact: Artifact) -> dict[str, runner.Planes]:
        first = load_golden_pixels(self._require_open().folder)[0]
        return {artifact.spec.inputs[0].name: array_input.split_planes(first)}


def connect(udid: str) -> tuple[Phone, str]:
    """Find the phone, reach it, and return it with devicectl's version.

    Args:
        udid: Its UDID, or nothing for the only phone there is.

    Raises:
        DeviceError: It cannot be measured; the message says what to do.
    """
    answer = run_devicectl("list", "devices")
    phone = phones.choose_phone(phones.read_phones(answer), udid)
    phones.refuse_unfit(phone)
    # The list is a memory; this connects, and knows what the list left out.
    details = run_devicectl("device", "info", "details", phone=phone.identifier)["result"]
    phone = phones.read_phone(details.get("device", details)) or phone
    phones.refuse_unfit(phone)
    phones.refuse_locked(phone, _read_lock_state(phone))
    return phone, str(answer.get("info", {}).get("version", "unknown"))


def _read_lock_state(phone: Phone) -> dict[str, object]:
    return run_devicectl("device", "info", "lockState", phone=phone.identifier)


def _collect_versions(phone: Phone, tools: Tools, devicectl_version: str) -> dict[str, str]:
    coremltools = {"coremltools": version("coremltools")}
    return {**coremltools, "xcode": tools.xcode, "devicectl": devicectl_version, "ios": f"{phone.ios} ({phone.build})"}


def _describe_machine(phone: Phone) -> Machine:
    return Machine(
        name=f"{phone.model or phone.product} ({phone.product})",
        cores=0,
        abi=phone.cpu,
        system=f"iOS {phone.ios} ({phone.build})",
        facts={
            "udid": phone.udid,
            "connection": phone.transport,
            "compute units": "all: Core ML chooses per operation",
            "input": "float32 numbers; turning a picture into them is not in the time",
            "pace": "single predictions, 1 to 2 s apart, as each is copied to the phone and back",
            "temperature": "not readable",
        },
    )
