"""Choose thresholds on validation photos: how many retakes may be asked for, how sure to be, or Youden's index.

A threshold lies halfway between two neighbouring scores, so that every photo is clearly on one side; photos with
equal scores are always on the same side. There is one more cut below all scores (0) and one above them, unless a
score is 1.

**Retake budget** b. Poor quality: the lowest threshold at which at most the share b of the photos that are truly not
poor is sent back. A reason: the lowest at which at most the share b of the photos without the reason is told it.

**PPV** p. Poor quality: the highest threshold at which at least the share p of the photos that pass is truly good. So
*good* is the positive, as in the Duke paper ("PPV ≥ 0.9: few bad photos pass as good"), and of the thresholds that
keep that promise it is the one that sends the fewest back; where the photos keep it by themselves, none is sent back.
A reason: the lowest threshold at which at least the share p of the photos that are told the reason has it.

**Youden.** The highest sensitivity + specificity − 1; of equally good thresholds the highest, which sends the fewest
back.

Sources: Jalaboi et al. 2023 (thresholds trade retakes for quality; only truly poor photos should be sent back); Jeong
et al., JID Innovations 2024 (PPV ≥ 0.9, Youden's index); Youden, "Index for rating diagnostic tests", Cancer 1950.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from imageqx_export.errors import DatasetError, ImageQXError
from imageqx_export.support.frozen import Frozen

Scores = NDArray[np.float32]
Bools = NDArray[np.bool_]
Counts = NDArray[np.int64]
Kind = Literal["retake_budget", "ppv", "youden"]


class Criterion(Frozen):
    """A rule by which thresholds are chosen; :func:`make_criterion` checks what a person passed.

    Args:
        kind: ``"retake_budget"``, ``"ppv"`` or ``"youden"``.
        value: The share that the first two need, in [0, 1]; None for the third.
    """

    kind: Kind
    value: float | None = None


class Measurement(Frozen):
    """A threshold and how it does on labelled photos; the positive is poor quality, or the reason.

    Args:
        threshold: The probability from which a photo counts as positive; None: the most probable label decides.
        positives: How many photos are truly positive.
        negatives: How many are not.
        sensitivity: Share of the positives that is found, or None without any.
        specificity: Share of the negatives that is left alone, or None without any.
        ppv: Share of those found that is truly positive, or None if none is found.
        npv: Share of those left alone that is truly negative, or None if none is.
    """

    threshold: float | None
    positives: int
    negatives: int
    sensitivity: float | None
    specificity: float | None
    ppv: float | None
    npv: float | None


@dataclass(frozen=True)
class Unreachable:
    """A criterion that no threshold meets: ``best`` is the share that comes nearest to it, in [0, 1]."""

    best: float


def make_criterion(retake_budget: float | None = None, ppv: float | None = None, youden: bool = False) -> Criterion:
    """Make a Criterion of the one that is given.

    Args:
        retake_budget: A share in [0, 1], or None.
        ppv: A share in (0, 1], or None.
        youden: Whether Youden's index is asked for.

    Raises:
        ImageQXError: None or several are given, or a share is out of range.
    """
    given = {"--retake-budget": retake_budget, "--ppv": ppv, "--youden": youden or None}
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        got = ", ".join(names) or "none"
        raise ImageQXError("a criterion is needed, and only one", expected=" or ".join(given), got=got)
    if retake_budget is not None and not 0 <= retake_budget <= 1:
        raise ImageQXError("not a share", where="--retake-budget", expected="from 0 to 1", got=str(retake_budget))
    if ppv is not None and not 0 < ppv <= 1:
        raise ImageQXError("not a share", where="--ppv", expected="above 0, and at most 1", got=str(ppv))
    if youden:
        return Criterion(kind="youden")
    return Criterion(kind="ppv", value=ppv) if ppv is not None else Criterion(kind="retake_budget", value=retake_budget)


def choose_threshold(rule: Criterion, scores: Scores, truth: Bools, *, passing: bool = False) -> float | Unreachable:
    """Choose a threshold.

    Args:
        rule: How.
        scores: Calibrated probabilities, float32 [N] in [0, 1].
        truth: Which photos are positive, bool [N]; both kinds must be there.
        passing: Whether the PPV is that of the photos below the threshold (*good*), not that of those from it on.

    Returns:
        A float32 number in [0, 1], or why there is none.
    """
    thresholds, hits, alarms = list_cuts(scores, truth)
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if rule.kind == "youden":
        index = hits * negatives - alarms * positives  # sensitivity + specificity − 1, times an integer: exact
        return float(thresholds[len(index) - 1 - int(index[::-1].argmax())])
    assert rule.value is not None
    if rule.kind == "retake_budget":
        shares = alarms / negatives
        fits = np.flatnonzero(shares <= rule.value)
        return float(thresholds[fits[0]]) if len(fits) else Unreachable(float(shares.min()))
    right, all_ = (negatives - alarms, len(truth) - hits - alarms) if passing else (hits, hits + alarms)
    values = np.divide(right, all_, out=np.full(len(right), -1.0), where=all_ > 0)
    fits = np.flatnonzero(values >= rule.value)
    if not len(fits):
        return Unreachable(max(0.0, float(values.max())))
    return float(thresholds[fits[-1 if passing else 0]])


def list_cuts(scores: Scores, truth: Bools) -> tuple[Scores, Counts, Counts]:
    """Return every way to cut the photos in two.

    Args:
        scores: float32 [N] in [0, 1].
        truth: Which photos are positive, bool [N].

    Returns:
        Thresholds float32 [M], ascending, and per threshold how many positives and how many negatives score at
        least that much, int64 [M] each.
    """
    distinct, place = np.unique(scores, return_inverse=True)
    below = np.concatenate([np.zeros(1, np.float32), distinct])
    above = np.concatenate([distinct, np.ones(1, np.float32)])
    middle = (below + above) / 2
    # Between neighbours in float32 there is nothing; then the upper one is the threshold.
    thresholds = np.where(middle > below, middle, above)
    thresholds[0] = 0
    hits, alarms = (
        np.append(np.cumsum(np.bincount(place, weights=kind, minlength=len(distinct))[::-1])[::-1], 0).astype(np.int64)
        for kind in (truth, ~truth)
    )
    possible = len(thresholds) - int(distinct[-1] >= 1)
    return thresholds[:possible].astype(np.float32), hits[:possible], alarms[:possible]


def measure(given: Bools, truth: Bools, threshold: float | None) -> Measurement:
    """Measure decisions.

    Args:
        given: What was decided, bool [N].
        truth: What holds, bool [N].
        threshold: By which it was decided, for the record.
    """

    def share(of: Bools, among: Bools) -> float | None:
        return float((of & among).sum() / among.sum()) if among.any() else None

    return Measurement(
        threshold=threshold,
        positives=int(truth.sum()),
        negatives=int((~truth).sum()),
        sensitivity=share(given, truth),
        specificity=share(~given, ~truth),
        ppv=share(truth, given),
        npv=share(~truth, ~given),
    )


def require_reachable(found: Mapping[str, float | Unreachable], criterion: Criterion, source: str) -> dict[str, float]:
    """Return the thresholds that were found.

    Args:
        found: By name, what :func:`choose_threshold` gave.
        criterion: By which.
        source: Where the photos come from, for the error.

    Raises:
        DatasetError: A name's criterion is out of reach; it says how near one can come.
    """
    missed = {name: value.best for name, value in found.items() if isinstance(value, Unreachable)}
    if missed:
        raise _describe_unreachable(missed, criterion, source)
    return {name: value for name, value in found.items() if not isinstance(value, Unreachable)}


def _describe_unreachable(missed: dict[str, float], criterion: Criterion, source: str) -> DatasetError:
    # Rounded to the side on which they can be reached.
    if criterion.kind == "ppv":
        option, most = "--ppv", "at most"
        best = {name: float(np.floor(value * 1000)) / 1000 for name, value in missed.items()}
        limit = min(best.values())
    else:
        option, most = "--retake-budget", "at least"
        best = {name: float(np.ceil(value * 1000)) / 1000 for name, value in missed.items()}
        limit = max(best.values())
    return DatasetError(
        "no threshold meets the criterion on these photos",
        where=source,
        expected=f"{option} {criterion.value} for poor quality and for each reason",
        got="; ".join(f"{name}: {most} {value:.3f}" for name, value in best.items()),
        remedy=f"{option} {limit:.3f}, or --youden" if limit > 0 else "--youden",
    )
