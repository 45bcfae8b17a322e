"""Refuse tensors of a file that cannot take the place of a network's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor


def check_tensors(
    path: Path, tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor], *, remedy: str | None = None
) -> None:
    """Refuse tensors that cannot take the place of a network's.

    Args:
        path: Their file, for messages.
        tensors: By name; each name is in ``wanted``.
        wanted: The network's own.
        remedy: What to try where a shape is another.

    Raises:
        CheckpointError: One has another shape or kind of number, or is not all finite.
    """
    for name, value in tensors.items():
        expected = wanted[name]
        if value.shape != expected.shape:
            raise CheckpointError(
                "wrong shape",
                where=f"{path}: {name}",
                expected=str(list(expected.shape)),
                got=str(list(value.shape)),
                remedy=remedy,
            )
        if not value.is_floating_point() and value.dtype != expected.dtype:
            raise CheckpointError("wrong dtype", where=f"{path}: {name}", expected="float32", got=str(value.dtype))
        bad = int((~value.float().isfinite()).sum())  # as float32: 1e300 is not one
        if bad:
            raise CheckpointError(
                "weights that are not numbers",
                where=f"{path}: {name}",
                expected="finite values",
                got=f"{bad} of {value.numel()} are NaN or infinite",
                remedy="go back to an earlier checkpoint; the training run diverged",
            )
