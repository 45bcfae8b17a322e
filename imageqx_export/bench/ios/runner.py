"""Run models on an iPhone through coremltools: build its runner app, start it afresh, and ask it.

coremltools 9.0 ships the source of a small app. It is built and signed here, installed and started by coremltools
through ``devicectl``, and answers requests that are files copied to and from it. So one prediction costs one to two
seconds of copying around the few milliseconds that the app itself measures with ``mach_absolute_time``: the phone
idles between two predictions, and what is measured is the latency of single photos, not of a video stream.

Source: ``coremltools.models.ml_program.experimental.remote_device``, ``async_wrapper`` and ``perf_utils``, and the
app's ``ModelService.swift``.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.bench.ios.app import Place
from imageqx_export.bench.ios.xcrun import make_error
from imageqx_export.bench.model import LayerCost, ProcessSample, Schedule
from imageqx_export.errors import ArtifactError, ImageQXError

Planes = NDArray[np.float32]
UNITS = {"MLCPUComputeDevice": "cpu", "MLGPUComputeDevice": "gpu", "MLNeuralEngineComputeDevice": "neural_engine"}


@contextmanager
def translate_errors(package: str) -> Iterator[None]:
    """Turn what coremltools raises, its own private errors or bare ValueErrors, into ours.

    Raises:
        ArtifactError: The runner itself answered that this model cannot be run (JSON-RPC's codes are negative).
        DeviceError: Anything else, which will meet the next model too.
    """
    try:
        yield
    except (ImageQXError, OSError):
        raise
    except Exception as error:
        message = getattr(error, "message", None) or str(error) or type(error).__name__
        text = (message.decode(errors="replace") if isinstance(message, bytes) else str(message)).strip()
        code = getattr(error, "error_code", None)
        if isinstance(code, int) and code < 0:
            raise ArtifactError("the phone cannot run the model", where=package, got=text) from error
        raise make_error(text, where=package) from error


@asynccontextmanager
async def _start_runner(place: Place) -> AsyncIterator[Any]:
    """Install and start the runner afresh, which ends the one before, and stop it at the end."""
    from coremltools.models.ml_program.experimental.remote_device import (
        AppSigningCredentials,
        Device,
        DeviceState,
        DeviceType,
    )

    phone = place.phone
    # coremltools wants CONNECTED, but the list shows an idle phone, which connects on demand, as disconnected.
    device = Device(
        name=phone.name,
        type=DeviceType(phone.kind.lower()),
        identifier=phone.identifier,
        udid=phone.udid,
        os_version=phone.ios,
        os_build_number=phone.build,
        developer_mode_state=phone.developer_mode,
        state=DeviceState.CONNECTED,
        session=None,
    )
    credentials = AppSigningCredentials(place.signing.team, None, place.signing.identifier)
    prepared = await device.prepare_for_model_debugging(credentials, place.folder)
    try:
        yield prepared
    finally:
        _stop(prepared.session)


def _stop(session: Any) -> None:
    """End ``devicectl process launch``, and with it the app.

    coremltools starts it through a shell, and ends that alone: where the shell is no bash, devicectl would live on.
    """
    import psutil

    process = session._process
    with suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            child.terminate()
    session.stop()
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=10)  # leaves no zombie and no open pipes


def _load_model(package: Path) -> Any:
    from coremltools import ComputeUnit
    from coremltools.models import MLModel

    return MLModel(str(package), skip_model_load=True, compute_units=ComputeUnit.ALL)


@asynccontextmanager
async def _open_benchmarker(place: Place, package: Path) -> AsyncIterator[Any]:
    from coremltools.models.ml_program.experimental.perf_utils import MLModelBenchmarker

    async with _start_runner(place) as device:
        benchmarker = MLModelBenchmarker(_load_model(package), device=device)
        try:
            yield benchmarker
        finally:
            # Left to its destructor, the model is unloaded in an event loop that is closed by then.
            if benchmarker._loaded_model is not None:
                await benchmarker._loaded_model.unload()


def measure(place: Place, package: Path, inputs: dict[str, Planes], schedule: Schedule) -> ProcessSample:
    """Time a model in one fresh process of the runner.

    Args:
        place: The phone and its runner.
        package: An array-input package (:mod:`imageqx_export.bench.ios.array_input`).
        inputs: One photo.
        schedule: ``warmup_seconds`` and ``seconds`` count by the clock here, copying included, as the phone's
            own share of them is under one percent.

    Raises:
        ArtifactError: The phone cannot run the model.
        DeviceError: The phone refused, or went away.
    """

    async def one() -> ProcessSample:
        started = time.time()
        async with _open_benchmarker(place, package) as benchmarker:
            load = (await benchmarker.benchmark_load()).samples[0]
            first = (await benchmarker.benchmark_predict(inputs)).samples[0]
            await _repeat(benchmarker, inputs, schedule.warmup_runs, schedule.warmup_seconds)
            timed = await _repeat(benchmarker, inputs, schedule.runs_each, schedule.seconds_each)
        seconds = tuple(milliseconds / 1e3 for milliseconds in timed)
        return ProcessSample(load_seconds=load / 1e3, first_seconds=first / 1e3, seconds=seconds, started=started)

    with translate_errors(package.name):
        return asyncio.run(one())


async def _repeat(benchmarker: Any, inputs: dict[str, Planes], runs: int, seconds: float) -> list[float]:
    begun, samples = time.monotonic(), list[float]()
    while len(samples) < runs or time.monotonic() - begun < seconds:
        samples += (await benchmarker.benchmark_predict(inputs)).samples
    return samples


def read_plan(place: Place, package: Path, inputs: dict[str, Planes], runs: int) -> tuple[LayerCost, ...]:
    """Ask the phone which unit it would run each operation on, and share out the measured time by the plan's costs.

    Core ML measures no single operation: an operation's seconds are the prediction's, times the share of the work that
    the plan estimates for it. The unit is the one that Core ML prefers for it.

    Args:
        place: The phone and its runner.
        package: An array-input package.
        inputs: One photo.
        runs: Predictions to take the time from.

    Raises:
        ArtifactError: The phone cannot run the model, or has no compute plan (iOS before 17.4).
        DeviceError: The phone refused, or went away.
    """

    async def one() -> list[Any]:
        async with _open_benchmarker(place, package) as benchmarker:
            infos = await benchmarker.benchmark_operation_execution(inputs, iterations=runs, warmup=True)
            return list(infos)

    with translate_errors(package.name):
        infos = asyncio.run(one())
    once = {id(info.spec): info for info in infos if info.compute_device_usage is not None}  # one a result otherwise
    return tuple(_read_layer(info) for info in once.values())


def _read_layer(info: Any) -> LayerCost:
    samples = info.measurement.samples
    preferred = type(info.compute_device_usage.preferred_compute_device).__name__
    return LayerCost(
        name=info.spec.outputs[0].name,
        kind=info.spec.type,
        seconds=statistics.fmean(samples) / 1e3 if samples else 0.0,
        compute_unit=UNITS.get(preferred, preferred),
    )


def predict(place: Place, package: Path, inputs: Sequence[dict[str, Planes]]) -> list[dict[str, Planes]]:
    """Return a model's outputs for every input, as the phone computes them.

    Raises:
        ArtifactError: The phone cannot run the model.
        DeviceError: The phone refused, or went away.
    """
    from coremltools.models.ml_program.experimental.async_wrapper import MLModelAsyncWrapper

    async def all_of_them() -> list[dict[str, Planes]]:
        model = _load_model(package)
        async with _start_runner(place) as device:
            wrapper = MLModelAsyncWrapper.from_spec_or_path(
                model.get_spec(), model.weights_dir, compute_units=model.compute_unit, device=device
            )
            await wrapper.load()
            try:
                return [await wrapper.predict(one) for one in inputs]
            finally:
                await wrapper.unload()

    with translate_errors(package.name):
        return asyncio.run(all_of_them())
