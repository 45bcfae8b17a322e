"""Sum up the raw samples of an artifact for people to read; decisions are made on the samples."""

from __future__ import annotations

import statistics

from imageqx_export.bench.model import BenchRun, Measurement, Schedule
from imageqx_export.bench.photo import take_cold, take_warm
from imageqx_export.support.frozen import Frozen


class Summary(Frozen):
    """The figures that a table shows of one artifact's timing; None where nothing was timed.

    Args:
        load_p50: Median over the processes, seconds.
        first_p50: The first inference's median over the processes, seconds.
        p50: Of all timed inferences of all processes, seconds; likewise ``p90`` and ``p99``.
        p90: See ``p50``.
        p99: See ``p50``.
        runs: Timed inferences.
        processes: Fresh processes.
        photo_cold_p50: From a photo of 12 megapixels to a verdict, once in a fresh process, the load included: median
            over the processes, seconds.
        photo_p50: Likewise, in a process that is warm: median of all turns; likewise the next.
        photo_pixels_p50: Of that, from the photo's bytes to the model's pixels.
        hottest: The hottest sensor before or after a process, in °C, or None where none could be read.
    """

    load_p50: float | None = None
    first_p50: float | None = None
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    runs: int = 0
    processes: int = 0
    photo_cold_p50: float | None = None
    photo_p50: float | None = None
    photo_pixels_p50: float | None = None
    hottest: float | None = None


def summarise(measurement: Measurement) -> Summary:
    """Return the percentiles of a measurement."""
    samples, seconds = measurement.samples, measurement.seconds
    temperatures = [t for s in samples for t in (s.temperature_before, s.temperature_after) if t is not None]
    found = Summary(
        processes=len(samples),
        photo_cold_p50=take_cold(measurement.photos),
        photo_p50=take_warm(measurement.photos),
        photo_pixels_p50=take_warm(measurement.photos, lambda turn: turn.pixels),
        hottest=max(temperatures, default=None),
    )
    if not seconds:
        return found
    return found.model_copy(
        update={
            "load_p50": statistics.median(sample.load_seconds for sample in samples),
            "first_p50": statistics.median(sample.first_seconds for sample in samples),
            "p50": percentile(seconds, 50),
            "p90": percentile(seconds, 90),
            "p99": percentile(seconds, 99),
            "runs": len(seconds),
        }
    )


def percentile(values: tuple[float, ...], percent: float) -> float:
    """Return a percentile, interpolated linearly between the two nearest values.

    Source: Hyndman & Fan, "Sample Quantiles in Statistical Packages", 1996, definition 7, which is NumPy's default.

    Args:
        values: At least one.
        percent: In [0, 100].

    >>> percentile((1.0, 2.0, 3.0, 4.0), 50)
    2.5
    """
    ranked = sorted(values)
    at = (len(ranked) - 1) * percent / 100
    low = int(at)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + (ranked[high] - ranked[low]) * (at - low)


def has_passed(run: BenchRun) -> bool:
    """Say whether something was measured and nothing broke; what is unavailable is neither."""
    tried = [m for m in run.measurements if m.unavailable is None]
    return bool(tried) and not any(m.failed for m in run.measurements)


def describe_shortfall(measurement: Measurement, schedule: Schedule) -> str | None:
    """Say by how much the samples fall short of the schedule, or None."""
    runs, seconds = len(measurement.seconds), sum(measurement.seconds)
    if runs >= schedule.runs and seconds >= schedule.seconds and len(measurement.samples) >= schedule.processes:
        return None
    return (
        f"{runs} runs, {seconds:.1f} s, {len(measurement.samples)} processes; the schedule wants"
        f" {schedule.runs}, {schedule.seconds:g} s, {schedule.processes}"
    )
