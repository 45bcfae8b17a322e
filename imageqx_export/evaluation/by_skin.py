"""Measure a model per Fitzpatrick skin type, as one number over all can hide that it fails on some."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import ModelSpec, Outputs
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.evaluation.scores import Scores, measure

FEWEST = 10
"""A single type with fewer photos is left out: its intervals would span nearly everything."""

POOLED = {"I–III": (1, 2, 3), "IV–VI": (4, 5, 6)}
_TYPES = {name: (number,) for number, name in enumerate(("I", "II", "III", "IV", "V", "VI"), start=1)}


@dataclass(frozen=True)
class SkinGroup:
    """What was measured on the photos of some skin types.

    Args:
        name: ``"I–III"``, ``"IV–VI"``, or one of ``"I"`` … ``"VI"``.
        scores: The same measures as for all photos.
    """

    name: str
    scores: Scores


def measure_by_skin(photos: LabelledPhotos, outputs: Outputs, spec: ModelSpec) -> tuple[SkinGroup, ...]:
    """Measure per group of skin types that has a photo, then per type that has at least :data:`FEWEST`.

    Args:
        photos: With skin types 1…6, or 0 where unknown; those belong to no group.
        outputs: The model's, for all photos.
        spec: Names and thresholds.
    """
    wanted = [*((name, types, 1) for name, types in POOLED.items()), *((n, t, FEWEST) for n, t in _TYPES.items())]
    groups = []
    for name, types, fewest in wanted:
        chosen = np.flatnonzero(np.isin(photos.fitzpatrick, types))
        if len(chosen) >= fewest:
            part = {key: value[chosen] for key, value in outputs.items()}
            groups.append(SkinGroup(name, measure(select_photos(photos, chosen), part, spec)))
    return tuple(groups)


def select_photos(photos: LabelledPhotos, chosen: NDArray[np.int64]) -> LabelledPhotos:
    """Return the photos at the given places, int64 [M]."""
    return replace(
        photos,
        pixels=photos.pixels[chosen],
        quality=photos.quality[chosen],
        reasons=photos.reasons[chosen],
        fitzpatrick=photos.fitzpatrick[chosen],
        names=tuple(photos.names[k] for k in chosen),
    )
