"""Which photos are good, by their raters' votes and a ModelSpec's rule."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import ModelSpec
from imageqx_export.data.votes import RATERS
from imageqx_export.evaluation.intervals import Bools


def find_good(votes: NDArray[np.int64], spec: ModelSpec) -> Bools:
    """Return whether enough raters call each photo good, bool [N].

    Args:
        votes: Of four raters, int64 [N] in 0…4.
        spec: Says how many are enough, of how many; half of them where it has no ranks.
    """
    ranks = None if spec.binary is None else spec.binary.ranks
    enough, raters = (1, 2) if ranks is None else (ranks.good_when_at_least, ranks.raters)
    return np.asarray(votes * raters >= enough * RATERS)
