"""The golden pictures beside the artifacts, and how outputs, wherever computed, compare with PyTorch's for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import ModelSpec, Outputs, Pixels, Precision
from imageqx_export.bundle.manifest import GOLDEN_FOLDER, name_golden_outputs
from imageqx_export.errors import MeasurementError, PhotoError
from imageqx_export.input_form import read_form
from imageqx_export.preprocess import open_photo
from imageqx_export.support.untrusted import describe, read_json


def load_golden_pixels(folder: Path) -> Pixels:
    """Read the golden pictures.

    Args:
        folder: The artifacts' folder, which has ``golden/``.

    Returns:
        uint8 [N,H,W,3], in the order of their names; they have the model's size already.

    Raises:
        MeasurementError: There are none, or one cannot be read.
    """
    try:
        return np.stack(
            [np.asarray(open_photo(folder / GOLDEN_FOLDER / name)) for name in _read(folder, Precision.FP32)]
        )
    except (OSError, PhotoError, ValueError) as error:
        raise _make_error(folder / GOLDEN_FOLDER, describe(error)) from error


def load_golden_feed(folder: Path, spec: ModelSpec) -> NDArray[np.uint8] | NDArray[np.float32]:
    """Return the golden pictures as a file takes them.

    Args:
        folder: The artifacts' folder, which has ``golden/``.
        spec: The file's.

    Returns:
        Its kind of numbers and order of axes, the batch first, which is filled up to a multiple of the file's own with
        the last picture; :func:`measure_golden_error` passes over what comes of those.

    Raises:
        MeasurementError: As :func:`load_golden_pixels`, or no export writes such an input.
    """
    try:
        form = read_form(spec)
    except ValueError as error:
        raise MeasurementError("not a model of one photo", where=folder, got=str(error)) from error
    return np.concatenate(list(form.feed(load_golden_pixels(folder))))


def list_golden_pictures(folder: Path) -> tuple[str, ...]:
    """Return the names of the golden pictures in ``golden/``, in the order that their outputs have.

    Args:
        folder: The artifacts' folder.

    Raises:
        MeasurementError: There are none.
    """
    return tuple(_read(folder, Precision.FP32))


def load_golden_outputs(folder: Path, precision: Precision) -> Outputs:
    """Read PyTorch's outputs for the golden pictures: float32, the batch first, by name.

    Args:
        folder: The artifacts' folder, which has ``golden/``.
        precision: Whose: a quantized one's are those of the network quantized in PyTorch, all others' the float32
            network's.

    Raises:
        MeasurementError: There are none, or they cannot be read.
    """
    pictures, rows = _read(folder, Precision.FP32), _read(folder, precision)
    try:
        wanted = [rows[picture] for picture in pictures]
        with np.errstate(over="ignore"):  # infinite then, which is refused
            outputs = {name: np.asarray([row[name] for row in wanted], np.float32) for name in wanted[0]}
        if infinite := [name for name, values in outputs.items() if not np.isfinite(values).all()]:
            raise ValueError(f"{infinite[0][:80]} has numbers that no float32 holds")
        return outputs
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _make_error(folder / GOLDEN_FOLDER / name_golden_outputs(precision), describe(error)) from error


def measure_golden_error(
    folder: Path, precision: Precision, outputs: Mapping[str, NDArray[np.float32]], batch: int = 1
) -> float:
    """Return the largest |Δ| between ``outputs`` and PyTorch's, over every number of every output.

    Args:
        folder: The artifacts' folder, which has ``golden/``.
        precision: The artifact's.
        outputs: What an artifact gave for :func:`load_golden_pixels`: float32, the batch first, by name.
        batch: How many photos it takes at a time; what filled up its last batch is passed over.

    Raises:
        MeasurementError: An output is missing, not finite or of another shape, or there is nothing to compare with.
    """
    expected = load_golden_outputs(folder, precision)
    if set(outputs) != set(expected):
        raise MeasurementError(
            "the outputs are not the golden ones", expected=", ".join(expected), got=", ".join(outputs) or "none"
        )
    worst = 0.0
    for name, wanted in expected.items():
        got = np.asarray(outputs[name])
        if len(got) == -(-len(wanted) // batch) * batch:
            got = got[: len(wanted)]
        if got.shape != wanted.shape:
            raise MeasurementError(
                "an output has another shape than the golden one",
                where=name,
                expected=str(wanted.shape),
                got=str(got.shape),
            )
        if not np.isfinite(got).all():
            raise MeasurementError("an output is not finite", where=name, remedy="imageqx parity")
        worst = max(worst, float(np.abs(got.astype(np.float64) - wanted).max()))
    return worst


def _read(folder: Path, precision: Precision) -> dict[str, dict[str, object]]:
    path = folder / GOLDEN_FOLDER / name_golden_outputs(precision)
    try:
        rows = read_json(path)
    except (OSError, ValueError) as error:
        raise _make_error(path, describe(error)) from error
    if not isinstance(rows, dict) or not rows or not all(isinstance(row, dict) and row for row in rows.values()):
        raise _make_error(path, "no rows")
    return dict(sorted(rows.items()))


def _make_error(where: Path, got: str) -> MeasurementError:
    return MeasurementError(
        "the golden outputs cannot be read",
        where=where,
        got=got,
        remedy="imageqx export",
    )
