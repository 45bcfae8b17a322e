"""Percentiles against NumPy's, and what counts as a pass."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imageqx_export.artifact import Format, Precision
from imageqx_export.bench.model import Measurement, ProcessSample, Schedule
from imageqx_export.bench.photo import PhotoSample, PhotoTurn
from imageqx_export.bench.summary import describe_shortfall, percentile, summarise


def measurement(*samples: ProcessSample) -> Measurement:
    return Measurement(
        artifact="a", sha256="", format=Format.ONNX, precision=Precision.FP32, size_bytes=1, samples=samples
    )


def sample(*seconds: float, load: float = 0.1, before: float | None = None) -> ProcessSample:
    return ProcessSample(load_seconds=load, first_seconds=load / 2, seconds=seconds, temperature_before=before)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=50), st.floats(0, 100))
def test_percentiles_are_numpys(values: list[float], percent: float) -> None:
    assert percentile(tuple(values), percent) == pytest.approx(np.percentile(values, percent), rel=1e-9, abs=1e-12)


def test_sums_up_all_processes() -> None:
    seconds = [tuple(np.random.default_rng(i).random(30)) for i in range(3)]
    found = summarise(measurement(*(sample(*s, load=i, before=30.0 + i) for i, s in enumerate(seconds, 1))))
    together = np.concatenate(seconds)
    assert (found.p50, found.p90, found.p99) == pytest.approx(tuple(np.percentile(together, [50, 90, 99])))
    assert (found.load_p50, found.first_p50, found.runs, found.processes, found.hottest) == (2.0, 1.0, 90, 3, 33.0)


def test_photos_are_summed_up_whether_inferences_were_timed_or_not() -> None:
    slow, fast = (PhotoTurn(pixels=p, inference=0.01, decision=0.0) for p in (0.09, 0.03))
    photos = tuple(PhotoSample(photo="p", load=load, cold=slow, warm=(fast, fast, slow)) for load in (0.1, 0.2, 0.9))
    for one in (measurement(), measurement(sample(0.1))):
        found = summarise(one.model_copy(update={"photos": photos}))
        assert found.photo_cold_p50 == pytest.approx(0.2 + 0.1)
        assert (found.photo_p50, found.photo_pixels_p50) == pytest.approx((0.04, 0.03))
    assert summarise(measurement(sample(0.1))).photo_p50 is None


def test_nothing_timed_is_nothing_and_not_zero() -> None:
    found = summarise(measurement())
    assert (found.p50, found.load_p50, found.runs, found.hottest) == (None, None, 0, None)


def test_what_falls_short_of_the_schedule_is_told() -> None:
    schedule = Schedule(runs=4, seconds=2.0, processes=2)
    assert describe_shortfall(measurement(sample(0.5, 0.5), sample(0.5, 0.5)), schedule) is None
    for short in (
        measurement(sample(0.5, 0.5, 0.5, 0.5)),
        measurement(sample(1.0), sample(1.0, 1.0)),
        measurement(sample(0.4, 0.5), sample(0.5, 0.5)),
        measurement(),
    ):
        assert "the schedule wants 4, 2 s, 2" in (describe_shortfall(short, schedule) or "")
