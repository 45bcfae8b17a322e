"""Measure TrueImage's features beside a model: fitted to the training side, on the photos that the model is given.

They cannot assess framing, nor tell that there is no skin: of the labels poor quality alone is asked, and of the
reasons light, blur and distance.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.data.vocabulary import LABELS, REASONS
from imageqx_export.errors import UnknownNameError
from imageqx_export.evaluation.curves import Curve, trace_curve
from imageqx_export.evaluation.intervals import Bools, Floats, Measure, auc
from imageqx_export.evaluation.skin_types import group_by_skin
from imageqx_export.evaluation.tables import Row, build_table
from imageqx_export.evaluation.trueimage import NAME
from imageqx_export.evaluation.trueimage.classifier import Classifier, fit_classifier
from imageqx_export.evaluation.trueimage.features import measure_features
from imageqx_export.support.progress import Progress, silent

BASELINES = ("trueimage",)
ASKED_REASONS = ("bad_light", "blurry", "too_far_away")
_POOR = "poor_quality"
_TIMED = 50
_CHUNK = 32


@dataclass(frozen=True)
class BaselineRow:
    """How the classical features do at one question.

    Args:
        row: Counts and ratios, at Youden's threshold on the training side.
        curve: How they rank photos.
        threshold: That threshold.
        probabilities: Per photo, [N].
        skin: The AUC per group of skin types.
    """

    row: Row
    curve: Curve
    threshold: float
    probabilities: Floats
    skin: Mapping[str, Measure]


@dataclass(frozen=True)
class Baseline:
    """What was measured of the classical features.

    Args:
        source: What they were fitted to.
        rows: By question: a label, a reason or ``good``.
        milliseconds: Lower quartile, median and upper quartile of one photo's time, on one thread.
    """

    source: str
    rows: Mapping[str, BaselineRow]
    milliseconds: tuple[float, float, float]


def refuse_unknown(name: str | None) -> None:
    """Refuse a baseline that there is not.

    Raises:
        UnknownNameError: The message names those that there are.
    """
    if name is not None and name not in BASELINES:
        raise UnknownNameError("baseline", name, BASELINES)


def ask_labels(photos: LabelledPhotos) -> dict[str, Bools]:
    """Return the truth about poor quality and the reasons that the features can assess, bool [N] each."""
    reasons = {name: photos.reasons[:, REASONS.index(name)] >= 0.5 for name in ASKED_REASONS}
    return {_POOR: photos.quality == LABELS.index(_POOR), **reasons}


def ask_votes(photos: LabelledPhotos, good_when_at_least: int) -> dict[str, Bools]:
    """Return whether enough of four raters call each photo good, bool [N]."""
    assert photos.votes is not None
    return {"good": photos.votes >= good_when_at_least}


def measure_baseline(
    train: LabelledPhotos,
    photos: LabelledPhotos,
    questions: tuple[Mapping[str, Bools], Mapping[str, Bools]],
    *,
    progress: Progress = silent,
) -> Baseline:
    """Fit a logistic regression per question to training photos, and measure it on others.

    Args:
        train: What to fit to.
        photos: What to measure on.
        questions: The truth about the first and about the second, by name. The first of them must have photos of both
            kinds; another that has not, to fit to, is left out.
        progress: Opens a bar.

    Raises:
        DatasetError: The first question's training photos are all alike.
    """
    asked, wanted = questions
    known, new = (_measure(one, progress) for one in (train, photos))
    rows, fitted = {}, list[Classifier]()
    for place, (name, truth) in enumerate(asked.items()):
        if place and (truth.all() or not truth.any()):
            continue
        fitted.append(fit_classifier(known, truth))
        rows[name] = _make_row(name, fitted[-1], new, wanted[name], photos)
    return Baseline(train.source, rows, _time(fitted[0], photos))


def _measure(photos: LabelledPhotos, progress: Progress) -> Floats:
    starts = range(0, len(photos), _CHUNK)
    parts = []
    with progress(f"{NAME}'s features", len(starts)) as advance:
        for start in starts:
            parts.append(measure_features(photos.pixels[start : start + _CHUNK]))
            advance()
    return np.concatenate(parts)


def _make_row(name: str, classifier: Classifier, features: Floats, truth: Bools, photos: LabelledPhotos) -> BaselineRow:
    scores = classifier.probabilities(features)
    (row,) = build_table(truth[:, None], scores[:, None] >= classifier.threshold, (name,)).rows
    groups = group_by_skin(photos.fitzpatrick)
    skin = {group: auc(truth[chosen], scores[chosen]) for group, chosen in groups.items()}
    return BaselineRow(row, trace_curve(truth, scores.astype(np.float32), name), classifier.threshold, scores, skin)


def _time(classifier: Classifier, photos: LabelledPhotos) -> tuple[float, float, float]:
    """Time one photo after another, pixels to probability, on one thread; the first is not counted."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        took = []
        for place in range(_TIMED + 1):
            one = photos.pixels[place % len(photos)][None]
            start = time.perf_counter()
            classifier.probabilities(measure_features(one))
            took.append(1000 * (time.perf_counter() - start))
    finally:
        cv2.setNumThreads(threads)
    low, middle, high = np.quantile(took[1:], [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)
