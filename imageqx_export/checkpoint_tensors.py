"""Refuse tensors of a file that cannot take the place of a network's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
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


def find_prefix(tensors: Iterable[str], wanted: Collection[str]) -> str:
    """Return what another trainer put before every name of the network's, or nothing.

    >>> find_prefix(["module.a.bias", "module.a.weight"], ["a.weight", "a.bias"])
    'module.'
    """
    names = list(tensors)
    prefixes = [names[0].removesuffix(name) for name in wanted if names and names[0].endswith(f".{name}")]
    ours = ({prefix + name for name in wanted} for prefix in prefixes)
    return next((prefix for prefix, whole in zip(prefixes, ours, strict=True) if whole.issuperset(names)), "")
