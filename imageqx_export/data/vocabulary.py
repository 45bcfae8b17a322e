"""What raters are asked of a photo: the labels and reasons of every table, bank and sample plan, in their order.

The protocol is that of the ImageQX paper (Jalaboi et al. 2023). A network has names of its own, in its ModelSpec; where
the two meet, :func:`require_vocabulary` refuses a network that speaks of other things or in another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.errors import ArtifactError

if TYPE_CHECKING:
    from imageqx_export.artifact import ModelSpec

LABELS = ("lesion", "no_skin", "healthy_skin", "poor_quality")
"""What a photo is, one of these: an index into this tuple is what tables and arrays call a quality."""
REASONS = ("bad_framing", "bad_light", "blurry", "low_resolution", "too_far_away")
"""What can be wrong with a photo, any of these: the columns of arrays of reasons."""


def choose_reasons(labels: Sequence[str] | None, reasons: Sequence[str] | None) -> list[int] | None:
    """Return the columns of :data:`REASONS` that a network has, in its order; None where it has them all in this one.

    Args:
        labels: The network's; None of one that says good or poor.
        reasons: Likewise.

    Raises:
        ArtifactError: Raters are not asked for one of them.

    >>> choose_reasons(LABELS, ("too_far_away", "blurry"))
    [4, 2]
    """
    if labels is None or reasons is None or (tuple(labels), tuple(reasons)) == (LABELS, REASONS):
        return None
    for what, names, known in (("labels", labels, LABELS), ("reasons", reasons, REASONS)):
        if (tuple(names) != known) if what == "labels" else not set(names) <= set(known):
            raise ArtifactError(
                "another model's labels or reasons",
                where=what,
                expected=("" if what == "labels" else "of ") + ", ".join(known),
                got=", ".join(names)[:200],
                remedy="measure it where such photos are; parity, predict, quantize without --analyze, and export need "
                "no labels, with budgets of bytes alone (--budgets)",
            )
    return [REASONS.index(name) for name in reasons]


def can_measure(labels: Sequence[str] | None, reasons: Sequence[str] | None) -> bool:
    """Return whether raters are asked for all that a network says, as for :func:`choose_reasons`.

    >>> can_measure(LABELS, ("blurry", "hair"))
    False
    """
    try:
        choose_reasons(labels, reasons)
    except ArtifactError:
        return False
    return True


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
