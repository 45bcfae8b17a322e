"""What a network wants its photos to be like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imageqx_export.data.bank import SIDE
from imageqx_export.data.splits import VAL_SHARE

if TYPE_CHECKING:
    from imageqx_export.artifact import ModelSpec

_SMALL_VAL_SHARE = 0.10  # 75/10/15 %, as in Jeong et al. 2024


@dataclass(frozen=True)
class PhotoSettings:
    """What a network wants its photos to be like.

    Args:
        side: Pixels a side.
        between: Whether degraded samples may have the severities on which raters disagree: a network that learns how
            many raters call a photo good needs them, and one that learns what is wrong cannot be told about them.
        val_share: The share of groups (patients) that validate; 15 % test, whatever this is, so that the same photos
            test every network.
    """

    side: int = SIDE
    between: bool = False
    val_share: float = VAL_SHARE


USUAL = PhotoSettings()


def choose_settings(spec: ModelSpec) -> PhotoSettings:
    """Return what photos a model is trained and measured on, by its ModelSpec."""
    if spec.binary is None:
        return PhotoSettings(side=spec.preprocessing.height)
    return PhotoSettings(side=spec.preprocessing.height, between=True, val_share=_SMALL_VAL_SHARE)
