"""What is known of labelled photos: the values that annotations become, and that training and evaluation take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from imageqx_export.data.vocabulary import LABELS, REASONS

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class Label:
    """What the raters of one photo said together.

    Args:
        image: The file, relative to the folder of photos, with ``/``.
        group: Patient, person or series; splits never part a group.
        split: The side of the split that the photo is on.
        quality: Index into ``LABELS``: the plurality of the raters.
        shares: Per label, the share of raters who chose it; sums to 1.
        reasons: Per reason, whether any rater gave it.
        reason_shares: Per reason, the share of raters who gave it; in [0, 1].
        raters: How many raters.
        fitzpatrick: Skin type 1…6, or 0 where it is not known.
    """

    image: str
    group: str
    split: Split
    quality: int
    shares: tuple[float, ...]
    reasons: tuple[bool, ...]
    reason_shares: tuple[float, ...]
    raters: int
    fitzpatrick: int = 0

    def __post_init__(self) -> None:
        if len(self.shares) != len(LABELS) or len(self.reasons) != len(REASONS):
            raise ValueError(f"expected {len(LABELS)} shares and {len(REASONS)} reasons, got {self}")


@dataclass(frozen=True)
class LabelledPhotos:
    """A set of photos as the network sees them, with the truth about each.

    Args:
        pixels: uint8 [N,H,H,3], RGB.
        quality: Index into ``LABELS``, int64 [N].
        reasons: 0 or 1, float32 [N,5].
        fitzpatrick: Skin type 1…6, or 0 where it is not known, int64 [N].
        names: What to call each in a report.
        source: Where they come from, in a sentence without a full stop.
        votes: How many of four raters call each photo good, int64 [N]; None where nobody was asked.
    """

    pixels: NDArray[np.uint8]
    quality: NDArray[np.int64]
    reasons: NDArray[np.float32]
    fitzpatrick: NDArray[np.int64]
    names: tuple[str, ...]
    source: str
    votes: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.quality)
