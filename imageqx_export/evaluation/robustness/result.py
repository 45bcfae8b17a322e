"""What a check of robustness found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import ModelSpec
from imageqx_export.data.kinds import Kind
from imageqx_export.data.vocabulary import REASONS
from imageqx_export.evaluation.intervals import UNMEASURED, Measure, wilson

STRENGTHS = ("mild", "strong")


@dataclass(frozen=True)
class Cell:
    """What a model says of some photos that were degraded alike.

    Args:
        photos: How many.
        poor: The share that is called poor, with Wilson's interval.
        kept: The share that gets the label that the photo had before; unmeasured where the model has no labels.
        hinted: Of those called poor, the share whose first hint is of the kind's reason; likewise, and where the kind
            has no reason.
    """

    photos: int
    poor: Measure
    kept: Measure = UNMEASURED
    hinted: Measure = UNMEASURED


def pool_cells(cells: Sequence[Cell]) -> Cell:
    """Return what a model says of the photos of several cells together; of a photo that is in two, twice."""
    photos = sum(cell.photos for cell in cells)
    poor = sum(_count(cell.poor, cell.photos) for cell in cells)
    measured = [cell for cell in cells if cell.kept.value is not None]
    kept = sum(_count(cell.kept, cell.photos) for cell in measured)
    told = [(cell.hinted, _count(cell.poor, cell.photos)) for cell in cells if cell.hinted.value is not None]
    return Cell(
        photos,
        wilson(poor, photos),
        wilson(kept, sum(cell.photos for cell in measured)),
        wilson(sum(_count(*one) for one in told), sum(count for _, count in told)),
    )


def _count(share: Measure, total: int) -> int:
    return round((share.value or 0) * total)


@dataclass(frozen=True)
class Example:
    """One degraded photo with its verdict.

    Args:
        picture: uint8 [H,H,3].
        verdict: In words.
        wanted: Whether the verdict is what a good model says.
    """

    picture: NDArray[np.uint8]
    verdict: tuple[str, ...]
    wanted: bool


@dataclass(frozen=True)
class KindResult:
    """What a model says of one kind of degradation.

    Args:
        kind: Which.
        mild: Of its mild version, which leaves a photo good.
        strong: Of its strong version, which makes it poor unless the kind is harmless.
        examples: The same photo mild and strong; empty where no photo allows the kind.
    """

    kind: Kind
    mild: Cell
    strong: Cell
    examples: tuple[Example, ...] = ()

    @property
    def harmless(self) -> bool:
        """Whether even the strong version leaves a photo good."""
        return self.kind.reason is None


@dataclass(frozen=True)
class Robustness:
    """What a model says of every kind of degradation.

    Args:
        model: What to call it.
        source: Where the photos come from, in a sentence without a full stop.
        spec: Labels, reasons and thresholds.
        clean: Per label, and of all photos (``"all"``), what it says of the photos as they are.
        kinds: A result per kind, in the order of the catalogue.
    """

    model: str
    source: str
    spec: ModelSpec
    clean: dict[str, Cell]
    kinds: tuple[KindResult, ...]

    @property
    def photos(self) -> int:
        """How many photos were degraded."""
        return self.clean["all"].photos

    def pool_reasons(self) -> dict[str, tuple[Cell, Cell]]:
        """Return per reason what it says of all kinds that give it together, mild and strong."""
        own = {name: [one for one in self.kinds if one.kind.reason == k] for k, name in enumerate(REASONS)}
        return {
            name: (pool_cells([one.mild for one in kinds]), pool_cells([one.strong for one in kinds]))
            for name, kinds in own.items()
        }
