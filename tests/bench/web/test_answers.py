"""What a page may answer: the numbers that were asked for, or one sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from imageqx_export.artifact import TensorSpec
from imageqx_export.bench.web.answers import read_load_seconds, read_outputs, read_runtime_version, read_sample
from imageqx_export.errors import MeasurementError

OUTPUTS = (TensorSpec(name="quality", shape=(1, 2), dtype="float32"),)
TIMES: dict[str, Any] = {"load_seconds": 0.5, "first_seconds": 0.25, "seconds": [0.125]}
MOST = float(np.finfo(np.float32).max)


def test_what_was_asked_is_read() -> None:
    sample = read_sample(TIMES, started=3.0, download_bytes=9)
    assert (sample.load_seconds, sample.seconds, sample.started, sample.download_bytes) == (0.5, (0.125,), 3.0, 9)
    assert read_load_seconds(TIMES) == 0.5
    (values,) = read_outputs({"outputs": [{"quality": [0.5, MOST]}, {"quality": [1, 0]}]}, OUTPUTS).values()
    np.testing.assert_array_equal(values, np.array([[0.5, MOST], [1, 0]], np.float32))
    assert read_runtime_version({"versions": {"litertjs": "1.2"}}, "litertjs") == "1.2"


@pytest.mark.parametrize("change", [{"seconds": [None]}, {"seconds": 3}, {"first_seconds": -1}, {"load_seconds": "x"}])
def test_no_times(change: dict[str, Any]) -> None:
    with pytest.raises(MeasurementError, match="something else than it was asked"):
        read_sample({**TIMES, **change})


@pytest.mark.parametrize("answer", [{}, {"load_seconds": None}, {"load_seconds": -1}, {"load_seconds": 10**400}])
def test_no_load_time(answer: dict[str, Any]) -> None:
    with pytest.raises(MeasurementError, match="load_seconds"):
        read_load_seconds(answer)


@pytest.mark.parametrize(
    "rows", [None, 3, [], [{}], [{"quality": [0.5]}], [{"quality": [0.5, None]}], [{"quality": [0.5, 1e39]}]]
)
def test_no_outputs(rows: object) -> None:
    with pytest.raises(MeasurementError, match=r"a row a picture with quality \[1, 2\]"):
        read_outputs({"outputs": rows}, OUTPUTS)


@pytest.mark.parametrize("answer", [{}, {"versions": None}, {"versions": {}}])
def test_no_version(answer: dict[str, Any]) -> None:
    with pytest.raises(MeasurementError, match="versions, with litertjs"):
        read_runtime_version(answer, "litertjs")
