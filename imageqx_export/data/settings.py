"""What a network wants its photos to be like."""

from __future__ import annotations

from dataclasses import dataclass

from imageqx_export.artifact import ModelSpec, Preprocessing
from imageqx_export.data.bank import SIDE
from imageqx_export.data.splits import VAL_SHARE
from imageqx_export.data.vocabulary import LABELS, REASONS

_STEP = 16  # samples are made of as many pixels a side as a multiple of this
_SMALL_VAL_SHARE = 0.10  # 75/10/15 %, as in Jeong et al. 2024


@dataclass(frozen=True)
class PhotoSettings:
    """What a network wants its photos to be like.

    Args:
        side: Pixels a side that samples are made with.
        between: Whether degraded samples may have the severities on which raters disagree: a network that learns how
            many raters call a photo good needs them, and one that learns what is wrong cannot be told about them.
        val_share: The share of groups (patients) that validate; 15 % test, whatever this is, so that the same photos
            test every network.
        shape: The height and width that the network takes, where either is not ``side``; samples are stretched to them.
        every_label: Whether a table must have photos of every label to train on; votes alone need none of some.
        min_side: Pixels that the shorter side of a table's photo must have: a region's, which smaller ones would be
            blown up to.
        labels: What the network calls photos; None where that is what raters are asked, or it says good or poor.
        reasons: The columns of reasons that it has, in its order; likewise.
    """

    side: int = SIDE
    between: bool = False
    val_share: float = VAL_SHARE
    shape: tuple[int, int] | None = None
    every_label: bool = True
    min_side: int = 0
    labels: tuple[str, ...] | None = None
    reasons: tuple[str, ...] | None = None

    @property
    def size(self) -> Preprocessing:
        """What a photo is stretched to."""
        height, width = self.shape or (self.side, self.side)
        return Preprocessing(height=height, width=width)


USUAL = PhotoSettings()


def choose_settings(spec: ModelSpec) -> PhotoSettings:
    """Return what photos a model is trained and measured on, by its ModelSpec."""
    height, width = spec.preprocessing.height, spec.preprocessing.width
    side = -(-max(height, width) // _STEP) * _STEP
    shape = None if height == width == side else (height, width)
    if spec.binary is None:
        usual = (spec.labels, spec.reasons) == (LABELS, REASONS)
        own = (None, None) if usual else (spec.labels, spec.reasons)
        return PhotoSettings(side=side, shape=shape, labels=own[0], reasons=own[1])
    parts = () if spec.binary.regions is None else spec.binary.regions.parts
    least = min((round(min(part.height * height, part.width * width)) for part in parts), default=0)
    return PhotoSettings(
        side=side, between=True, val_share=_SMALL_VAL_SHARE, shape=shape, every_label=False, min_side=least
    )
