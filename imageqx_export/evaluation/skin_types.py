"""Which photos belong to which group of Fitzpatrick skin types."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FEWEST = 10
"""A single type with fewer photos is left out: its intervals would span nearly everything."""

POOLED = {"I–III": (1, 2, 3), "IV–VI": (4, 5, 6)}
_TYPES = {name: (number,) for number, name in enumerate(("I", "II", "III", "IV", "V", "VI"), start=1)}


def group_by_skin(fitzpatrick: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Return the places of the photos of each group that has a photo, then of each type that has at least 10.

    Args:
        fitzpatrick: Types 1…6, or 0 where unknown, which belongs to no group; int64 [N].

    >>> {name: places.tolist() for name, places in group_by_skin(np.array([1, 5, 0, 2])).items()}
    {'I–III': [0, 3], 'IV–VI': [1]}
    """
    wanted = [*((name, types, 1) for name, types in POOLED.items()), *((n, t, FEWEST) for n, t in _TYPES.items())]
    places = {name: np.flatnonzero(np.isin(fitzpatrick, types)) for name, types, _ in wanted}
    return {name: places[name] for name, _, fewest in wanted if len(places[name]) >= fewest}
