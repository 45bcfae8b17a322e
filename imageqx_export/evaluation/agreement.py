"""Measure how far raters agree, and which of a model's scores are as good as a rater's.

The ImageQX paper's measure: for every pair of raters one is the reference and the other the prediction; the F1 per
class is averaged over the pairs. F1 = 2·TP / (2·TP + FP + FN) does not change when reference and prediction swap, so
a pair counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.data.annotations import Rating
from imageqx_export.data.vocabulary import LABELS, REASONS
from imageqx_export.errors import DatasetError
from imageqx_export.support.untrusted import describe, read_json


@dataclass(frozen=True)
class PairF1:
    """The F1 of a class over pairs of raters.

    Args:
        mean: Over the pairs, in [0, 1], or None where no pair used the class.
        sd: Sample standard deviation over the pairs (ddof = 1; the paper does not say), or None under two pairs.
        pairs: Pairs of raters of whom at least one used the class on a photo that both rated.
    """

    mean: float | None
    sd: float | None
    pairs: int


@dataclass(frozen=True)
class Agreement:
    """The agreement of raters.

    Args:
        raters: How many raters share a photo with another one.
        images: How many photos two raters or more have rated.
        pairs: How many pairs of raters share a photo.
        labels: Per label.
        reasons: Per reason.
        labels_mean: Mean of the labels' means, and of their standard deviations, as the paper's mean row is made.
        reasons_mean: Likewise, for the reasons.
    """

    raters: int
    images: int
    pairs: int
    labels: Mapping[str, PairF1]
    reasons: Mapping[str, PairF1]
    labels_mean: PairF1
    reasons_mean: PairF1


def measure_agreement(ratings: Iterable[Rating]) -> Agreement:
    """Return the pairwise F1 per label and reason.

    A pair is compared on the photos that both rated. A reason that a rater did not tick counts as not given. A pair of
    whom neither used a class on its shared photos says nothing about the class and is left out of its mean.

    Args:
        ratings: Well-formed ratings, one per rater and photo.

    Raises:
        DatasetError: There are not two raters, or no two of them have rated the same photo.
    """
    rows = list(ratings)
    raters, images = sorted({r.rater for r in rows}), sorted({r.image for r in rows})
    if len(raters) < 2:
        raise DatasetError(
            "agreement needs at least two raters",
            expected="several raters per photo",
            got=f"{len(raters)} rater{'s' if len(raters) != 1 else ''}",
            remedy="add other raters' rows to the table",
        )
    places = {name: i for i, name in enumerate(raters)}, {name: i for i, name in enumerate(images)}
    at = np.array([(places[0][r.rater], places[1][r.image]) for r in rows]).T
    rated = _list_marks(at, np.ones(len(rows), bool), len(raters), len(images))
    shared = np.triu(rated @ rated.T, 1) > 0
    if not shared.any():
        raise DatasetError(
            "no two raters have rated the same photo",
            expected="several raters per photo",
            got=f"{len(raters)} raters, {len(images)} photos",
            remedy="check the names of photos and raters",
        )

    def over_pairs(given: Sequence[bool]) -> PairF1:
        return _average_pairs(_list_marks(at, np.array(given, bool), len(raters), len(images)), rated, shared)

    labels = {name: over_pairs([r.label == name for r in rows]) for name in LABELS}
    reasons = {name: over_pairs([name in r.reasons for r in rows]) for name in REASONS}
    return Agreement(
        raters=int((shared | shared.T).any(1).sum()),
        images=int((rated.sum(0) >= 2).sum()),
        pairs=int(shared.sum()),
        labels=labels,
        reasons=reasons,
        labels_mean=average_rows(labels.values()),
        reasons_mean=average_rows(reasons.values()),
    )


def average_rows(rows: Iterable[PairF1]) -> PairF1:
    """Return the mean of the means and the mean of the standard deviations, over the rows that have them."""
    rows = list(rows)
    means = [row.mean for row in rows if row.mean is not None]
    sds = [row.sd for row in rows if row.sd is not None]
    return PairF1(
        mean=float(np.mean(means)) if means else None,
        sd=float(np.mean(sds)) if sds else None,
        pairs=max((row.pairs for row in rows), default=0),
    )


def find_expert_level(raters: Agreement, f1_by_name: Mapping[str, float]) -> dict[str, bool | None]:
    """Say which scores are at expert level: within one standard deviation of the raters' mean F1, or above it.

    Args:
        raters: How far the raters agree.
        f1_by_name: A model's F1 in [0, 1] per label or reason.

    Returns:
        Per name; None where the raters' mean is not known, or where it is higher and its standard deviation is not.

    Raises:
        DatasetError: A name is neither a label nor a reason.
    """
    rows = {**raters.labels, **raters.reasons}
    unknown = sorted(set(f1_by_name) - set(rows))
    if unknown:
        raise DatasetError("scores of something else", expected=f"of {', '.join(rows)}", got=", ".join(unknown))
    return {name: _is_expert(rows[name], f1) for name, f1 in f1_by_name.items()}


def read_scores(path: Path) -> dict[str, float]:
    """Read a model's F1 per label and reason from JSON: of an evaluation, or of a checkpoint's metrics.

    Args:
        path: A file with ``{"quality": {label: {"f1": …}}, "explanations": {reason: {"f1": …}}}``, at the top or under
            ``"metrics"``.

    Raises:
        DatasetError: The file is missing or has no such scores.
    """
    if not path.is_file():
        raise DatasetError("no such file of scores", where=path, expected="the JSON of an evaluation")
    try:
        body: Any = read_json(path)
        body = body if "quality" in body else body["metrics"]
        rows = {**body["quality"], **body["explanations"]}
        scores = {name: float(rows[name]["f1"]) for name in (*LABELS, *REASONS) if name in rows}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise DatasetError(
            "no F1 scores in the file",
            where=path,
            expected='{"quality": {"lesion": {"f1": 0.8}, …}, "explanations": {"blurry": {"f1": 0.7}, …}}',
            got=describe(error),
        ) from error
    if not all(0 <= f1 <= 1 for f1 in scores.values()):
        raise DatasetError("F1 scores must lie in [0, 1]", where=path, got=str(scores))
    return scores


def _list_marks(at: NDArray[np.int_], given: NDArray[np.bool_], raters: int, images: int) -> NDArray[np.float64]:
    """Return 1 where a rater gave something to a photo, else 0, [raters, images]."""
    marks = np.zeros((raters, images))
    marks[at[0][given], at[1][given]] = 1
    return marks


def _average_pairs(given: NDArray[np.float64], rated: NDArray[np.float64], shared: NDArray[np.bool_]) -> PairF1:
    both = given @ given.T  # TP of every pair at once
    on_shared = given @ rated.T  # what one gave on the photos that the other rated too
    either = on_shared + on_shared.T  # 2·TP + FP + FN
    pairs = shared & (either > 0)
    f1 = 2 * both[pairs] / either[pairs]
    return PairF1(
        mean=float(f1.mean()) if f1.size else None,
        sd=float(f1.std(ddof=1)) if f1.size > 1 else None,
        pairs=int(f1.size),
    )


def _is_expert(raters: PairF1, f1: float) -> bool | None:
    if raters.mean is None:
        return None
    if f1 >= raters.mean:
        return True
    return None if raters.sd is None else f1 >= raters.mean - raters.sd
