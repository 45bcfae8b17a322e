"""What the page hands over for a job: it came through a browser and a port, so each number in it is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import Outputs, TensorSpec
from imageqx_export.bench.model import ProcessSample
from imageqx_export.errors import MeasurementError
from imageqx_export.support.untrusted import describe, parse_json


def parse_answer(content: bytes) -> dict[str, Any]:
    """Return what the page found; its ``error`` where it found nothing, or that cannot be read."""
    try:
        result = parse_json(content)
    except ValueError as error:
        return {"error": describe(error)}
    return result if isinstance(result, dict) else {"error": "no result"}


def read_sample(answer: Mapping[str, Any], **more: Any) -> ProcessSample:
    """Return the times of a job that was timed.

    Args:
        answer: The page's.
        **more: What the page does not know, by its name in :class:`ProcessSample`.

    Raises:
        MeasurementError: They are not there, or no times.
    """
    with _explain("load_seconds, first_seconds and seconds"):
        times = {name: answer[name] for name in ("load_seconds", "first_seconds", "seconds")}
        return ProcessSample.model_validate({**times, **more})


def read_outputs(answer: Mapping[str, Any], outputs: tuple[TensorSpec, ...]) -> Outputs:
    """Return every output, float32 with the pictures first, of a job that ran pictures.

    Args:
        answer: The page's: under ``outputs`` a row a picture, each output flat.
        outputs: As the artifact's ModelSpec declares them, for one picture.

    Raises:
        MeasurementError: They are not there, or not as declared.
    """
    with _explain("a row a picture with " + ", ".join(f"{one.name} {list(one.shape)}" for one in outputs)):
        return {one.name: np.concatenate([_shape(row[one.name], one) for row in answer["outputs"]]) for one in outputs}


def read_runtime_version(answer: Mapping[str, Any], runtime: str) -> str:
    """Return the version of a runtime that ran in the page.

    Raises:
        MeasurementError: It is not there.
    """
    with _explain(f"versions, with {runtime}"):
        return str(answer["versions"][runtime])


def read_load_seconds(answer: Mapping[str, Any]) -> float:
    """Return the seconds from a file to a model that can run.

    Raises:
        MeasurementError: They are not there, or no time.
    """
    with _explain("load_seconds"):
        seconds = float(answer["load_seconds"])
        if not 0 <= seconds < np.inf:
            raise ValueError(f"load_seconds is {seconds}")
        return seconds


def _shape(values: Any, output: TensorSpec) -> NDArray[np.float32]:
    numbers = np.asarray(values, np.float64)  # a null, as JSON has for NaN, is NaN here
    if not (np.abs(numbers) <= np.finfo(np.float32).max).all():
        raise ValueError(f"{output.name} has numbers that are not finite in float32")
    return numbers.astype(np.float32).reshape(output.shape)


@contextmanager
def _explain(expected: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MeasurementError(
            "the page answers something else than it was asked",
            where="bench.html",
            expected=expected,
            got=describe(error),
            remedy="make web-page",
        ) from error
