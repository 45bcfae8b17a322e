"""What a model would show where another share of photos is good: PPV and NPV depend on it, so sets differ by it alone.

Good and bad photos are drawn anew, with replacement, in the wanted shares: 200 draws, of which mean and standard
deviation are given, as Jeong et al. (JID Innovations 2024) do. They drew to the share of their training photos.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imageqx_export.errors import DatasetError
from imageqx_export.evaluation.diagnostic.rates import RATES
from imageqx_export.evaluation.intervals import SEED, Bools, Floats, compute_placements

DRAWS = 200


@dataclass(frozen=True)
class Spread:
    """A number over draws.

    Args:
        mean: Over the draws that allow to measure it; None if there is none.
        sd: Sample standard deviation (n − 1); None for fewer than two.
    """

    mean: float | None
    sd: float | None


@dataclass(frozen=True)
class Adjusted:
    """What a model shows at another prevalence.

    Args:
        prevalence: The share of good photos that was drawn.
        draws: How many sets were drawn.
        auc: Over the draws.
        ppv: Likewise.
        tpr: Likewise.
        npv: Likewise.
        tnr: Likewise.
    """

    prevalence: float
    draws: int
    auc: Spread
    ppv: Spread
    tpr: Spread
    npv: Spread
    tnr: Spread


def resample_to_prevalence(
    truth: Bools, scores: Floats, threshold: float, prevalence: float, *, draws: int = DRAWS, seed: int = SEED
) -> Adjusted:
    """Measure a model on photos drawn to another share of good ones; each draw has as many photos as there are.

    Args:
        truth: Whether each photo is good, bool [N].
        scores: Probabilities of good, [N].
        threshold: From which on a photo passes.
        prevalence: The share of good photos, in (0, 1).
        draws: How many sets to draw.
        seed: The same seed gives the same draws.

    Raises:
        DatasetError: All photos are good, or none is, or so few are drawn that one kind is missing.
    """
    wanted = round(prevalence * len(truth))
    if truth.all() or not truth.any() or not 0 < wanted < len(truth):
        raise DatasetError(
            "photos cannot be drawn to another prevalence",
            expected="good photos and others",
            got=f"{int(truth.sum())} good of {len(truth)}, to draw {wanted} good ones",
            remedy="add photos of what is missing",
        )
    rng = np.random.default_rng(seed)
    positive, negative = scores[truth], scores[~truth]
    labels = np.arange(len(truth)) < wanted
    rows = []
    for _ in range(draws):
        drawn = np.concatenate([rng.choice(positive, wanted), rng.choice(negative, len(truth) - wanted)])
        area = compute_placements(labels, drawn)[0].mean()
        rows.append((area, *_measure_rates(labels, drawn >= threshold)))
    auc, *rates = (_spread(column) for column in np.array(rows, np.float64).T)
    return Adjusted(prevalence, draws, auc, **dict(zip(RATES, rates, strict=True)))


def _measure_rates(truth: Bools, given: Bools) -> tuple[float, float, float, float]:
    """Return PPV, TPR, NPV and TNR; NaN without a denominator."""
    right, passed, good = (truth == given), int(given.sum()), int(truth.sum())
    hits, found, back, bad = (
        int((right & given).sum()),
        int((right & ~given).sum()),
        len(truth) - passed,
        len(truth) - good,
    )
    nan = float("nan")
    return hits / passed if passed else nan, hits / good, found / back if back else nan, found / bad


def _spread(values: Floats) -> Spread:
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return Spread(None, None)
    return Spread(float(known.mean()), float(known.std(ddof=1)) if len(known) > 1 else None)
