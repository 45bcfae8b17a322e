"""Read budgets: how large an artifact may be, and what quantization may cost."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from imageqx_export.artifact import Precision
from imageqx_export.errors import MeasurementError
from imageqx_export.evaluation.accuracy_loss import Budget
from imageqx_export.support.frozen import Frozen
from imageqx_export.support.untrusted import describe, read_toml

SHIPPED = Path(__file__).with_name("budgets.toml")
"""The budgets that come with the package; a model with others has a file of its name beside it."""

Bytes = Annotated[int, Field(strict=True, ge=0)]


class AccuracyBudgets(Frozen):
    """The limits on what quantization may cost, per precision.

    Args:
        samples: How many held-out samples it is measured on.
        w8: For int8 weights; None for no limit.
        w8a8: For int8 weights and activations, likewise.
    """

    samples: Annotated[int, Field(strict=True, ge=1)]
    w8: Budget | None = None
    w8a8: Budget | None = None

    def of(self, precision: Precision) -> Budget | None:
        """Return the budget of a precision, or None; the float ones are held to parity instead."""
        return {Precision.W8: self.w8, Precision.W8A8: self.w8a8}.get(precision)


class Budgets(Frozen):
    """A file of budgets.

    Args:
        schema_version: Of the file.
        size_bytes: The most bytes by file name, ``*`` and ``?`` allowed.
        accuracy: What quantization may cost; None for no limit.
    """

    schema_version: Literal[1]
    size_bytes: dict[str, Bytes]
    accuracy: AccuracyBudgets | None = None

    def cost(self, precision: Precision) -> Budget | None:
        """Return what quantization to ``precision`` may cost, or None where there is no limit."""
        return None if self.accuracy is None else self.accuracy.of(precision)


def read_budgets(path: Path | None = None, model: str = "") -> Budgets:
    """Read a file of budgets.

    Args:
        path: TOML, as the package's own ``budgets.toml``; None for the package's.
        model: Whose budgets those are.

    Raises:
        MeasurementError: It is missing, no TOML, or not a file of budgets.
    """
    own = SHIPPED.parent / f"{model}.toml"
    path = path or (own if own.is_file() else SHIPPED)
    try:
        return Budgets.model_validate(read_toml(path))
    except (OSError, ValueError) as error:  # pydantic's among them
        raise MeasurementError(
            "not a file of budgets", where=path, got=describe(error), remedy=f"see {SHIPPED}"
        ) from error


def size_limit(name: str, size_bytes: Mapping[str, int]) -> int | None:
    """Return the most bytes that a file may have: the least of the limits that its name fits, or None.

    >>> size_limit("a_w8.onnx", {"*_w8.*": 4, "*_w8a8.*": 3, "*.onnx": 5})
    4
    """
    return min((most for pattern, most in size_bytes.items() if fnmatchcase(name, pattern)), default=None)
