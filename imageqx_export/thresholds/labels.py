"""Choose the thresholds of poor quality and of its reasons, and their temperatures, by photos' labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import ModelSpec, Temperatures
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.decisions import POOR, QUALITY, decide
from imageqx_export.errors import DatasetError
from imageqx_export.thresholds import temperature
from imageqx_export.thresholds.criteria import (
    Criterion,
    Measurement,
    Scores,
    choose_threshold,
    measure,
    require_reachable,
)

FLOOR = 0.2
"""The least threshold of a reason. One that hardly any photo has by chance would get a threshold of a few hundredths
and, since hints are ordered by how far a probability lies above its threshold, come first on photos of every kind."""


def fit_temperatures(logits: Any, photos: LabelledPhotos, spec: ModelSpec) -> Temperatures:
    """Fit every temperature on photos; a reason that the photos have never, or always, keeps 1."""
    reasons = {
        name: temperature.fit_binary_temperature(values, has)
        for name, values, has in zip(spec.reasons, logits.explanations.numpy().T, _make_flags(photos).T, strict=True)
    }
    quality = temperature.fit_temperature(logits.quality.numpy(), photos.quality)
    return Temperatures(quality=quality, explanations=reasons)


def choose_spec(
    spec: ModelSpec, quality: Scores, reasons: Scores, photos: LabelledPhotos, criterion: Criterion
) -> tuple[ModelSpec, tuple[str, ...]]:
    """Return ``spec`` with the chosen thresholds, and the names that keep their old one.

    A reason's threshold is at least :data:`FLOOR`, whatever the criterion.

    Args:
        spec: The checkpoint's.
        quality: Calibrated probabilities, float32 [N,4].
        reasons: Likewise, float32 [N,5].
        photos: The truth.
        criterion: How to choose.

    Raises:
        DatasetError: No threshold meets the criterion, or no name has both positives and negatives.
    """
    poor = spec.labels.index(POOR)
    columns = {POOR: (quality[:, poor], photos.quality == poor)}
    columns |= {name: (reasons[:, i], _make_flags(photos)[:, i]) for i, name in enumerate(spec.reasons)}
    usable = {name: (scores, truth) for name, (scores, truth) in columns.items() if 0 < truth.sum() < len(truth)}
    if not usable:
        raise DatasetError(
            "nothing to choose a threshold on",
            where=photos.source,
            expected="photos with poor quality or a reason, and photos without",
            got=f"{len(photos)} photos, all alike",
        )
    found = {n: choose_threshold(criterion, scores, truth, passing=n == POOR) for n, (scores, truth) in usable.items()}
    reached = require_reachable(found, criterion, photos.source)
    chosen = {name: value if name == POOR else max(value, FLOOR) for name, value in reached.items()}
    changes: dict[str, object] = {
        "poor_quality_threshold": chosen.get(POOR, spec.poor_quality_threshold),
        "thresholds": {name: chosen.get(name, old) for name, old in spec.thresholds.items()},
    }
    return spec.model_copy(update=changes), tuple(name for name in columns if name not in usable)


def measure_spec(spec: ModelSpec, quality: Scores, reasons: Scores, photos: LabelledPhotos) -> dict[str, Measurement]:
    """Return how a spec's thresholds do on photos: poor quality first, then each reason."""
    poor = spec.labels.index(POOR)
    sent_back, truth = decide(quality, spec) == poor, photos.quality == poor
    rows = {POOR: measure(sent_back, truth, spec.poor_quality_threshold)}
    for i, name in enumerate(spec.reasons):
        given = reasons[:, i] >= np.float32(spec.thresholds[name])
        rows[name] = measure(given, _make_flags(photos)[:, i], spec.thresholds[name])
    return rows


def measure_temperatures(
    logits: Any, photos: LabelledPhotos, spec: ModelSpec, temperatures: Temperatures | None
) -> dict[str, temperature.TemperatureFit]:
    """Measure the temperatures of labels and reasons, 1 where there is none, on logits without one."""
    known = temperatures or Temperatures(explanations=dict.fromkeys(spec.reasons, 1.0))
    columns = zip(spec.reasons, logits.explanations.numpy().T, _make_flags(photos).T, strict=True)
    return {
        QUALITY: temperature.measure_temperature(logits.quality.numpy(), photos.quality, known.quality),
        **{name: temperature.measure_binary_temperature(z, has, known.explanations[name]) for name, z, has in columns},
    }


def _make_flags(photos: LabelledPhotos) -> NDArray[np.bool_]:
    return photos.reasons >= 0.5
