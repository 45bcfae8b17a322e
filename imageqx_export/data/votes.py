"""How many of four raters call a photo good: a table's raters, or four who are simulated.

**A table's raters.** An evaluation other than ``poor_quality`` is a vote for good. Of other numbers of raters than
four the share counts, rounded down: 7 of 12 are 2 of 4.

**Simulated raters**, for samples that nobody has rated: what was done to a sample is known, the severity of each
reason. Each rater calls a sample good while no reason goes beyond what that rater takes; they agree on what is flawless
or hopeless, and differ in between. Of samples that are planned with ``between``, 69 % have at least two of four votes;
of the 900 training photos of Jeong et al. (JID Innovations 2024), with 133, 107, 133, 222 and 305 of 0 to 4, 73 % have.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imageqx_export.data.labels import Label
from imageqx_export.data.vocabulary import LABELS

RATERS = 4
LIMITS = (0.36, 0.46, 0.58, 0.74)
"""The severity that each simulated rater takes: the first is the strictest."""
_TASTE = 0.12  # of the factor with which a rater weighs one reason of one sample
_SLIP = 0.03  # of a rating, in severity
_POOR = LABELS.index("poor_quality")


def simulate_votes(severity: NDArray[np.float32], key: tuple[int, ...]) -> NDArray[np.int64]:
    """Return how many of the four simulated raters call each sample good, int64 [B].

    Args:
        severity: How far each reason goes, float32 [B,5] in [0, 1].
        key: Of the random numbers; the same key gives the same votes.
    """
    rng = np.random.default_rng((*key, RATERS))
    weighed = severity[:, None] * np.exp(rng.normal(0, _TASTE, (len(severity), RATERS, severity.shape[1])))
    seen = weighed.max(2) + rng.normal(0, _SLIP, (len(severity), RATERS))
    return np.asarray((seen < np.array(LIMITS)).sum(1), np.int64)


def count_votes(labels: Sequence[Label]) -> NDArray[np.int64]:
    """Return how many of four raters call each photo of a table good, int64 [N] in 0…4."""
    bad = np.array([label.shares[_POOR] for label in labels], np.float64)
    return np.asarray(np.floor(RATERS * (1 - bad) + 1e-6), np.int64)
