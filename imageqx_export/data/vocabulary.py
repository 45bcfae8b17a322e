"""What raters are asked of a photo: the labels and reasons of every table, bank and sample plan, in their order.

The protocol is that of the ImageQX paper (Jalaboi et al. 2023). A network has names of its own, in its ModelSpec; where
the two meet, :func:`require_vocabulary` refuses a network that speaks of other things or in another order.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.errors import ArtifactError

if TYPE_CHECKING:
    from imageqx_export.artifact import ModelSpec

LABELS = ("lesion", "no_skin", "healthy_skin", "poor_quality")
"""What a photo is, one of these: an index into this tuple is what tables and arrays call a quality."""
REASONS = ("bad_framing", "bad_light", "blurry", "low_resolution", "too_far_away")
"""What can be wrong with a photo, any of these: the columns of arrays of reasons."""


def require_vocabulary(spec: ModelSpec, where: str | Path) -> None:
    """Refuse a model whose labels or reasons are not those that raters give, in their order.

    Args:
        spec: The model's.
        where: What to call the model.

    Raises:
        ArtifactError: It has others.
    """
    if (spec.labels, spec.reasons) != (LABELS, REASONS):
        raise ArtifactError(
            "another model's labels or reasons",
            where=where,
            expected=f"{LABELS}, {REASONS}",
            got=f"{spec.labels}, {spec.reasons}",
        )
