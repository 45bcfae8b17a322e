"""Measure a model per Fitzpatrick skin type, as one number over all can hide that it fails on some."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import ModelSpec, Outputs
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.evaluation.scores import Scores, measure
from imageqx_export.evaluation.skin_types import group_by_skin


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
    """Measure per group of skin types, as :func:`~imageqx_export.evaluation.skin_types.group_by_skin` makes them.

    Args:
        photos: With skin types 1…6, or 0 where unknown; those belong to no group.
        outputs: The model's, for all photos.
        spec: Names and thresholds.
    """
    groups = []
    for name, chosen in group_by_skin(photos.fitzpatrick).items():
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
        votes=None if photos.votes is None else photos.votes[chosen],
    )
