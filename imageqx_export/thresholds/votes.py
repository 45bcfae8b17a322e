"""Choose the threshold of a binary decision, and its temperature, by raters' votes.

The threshold of regions stays: nobody rated a region.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from imageqx_export.artifact import BinaryDecision, ModelSpec, Temperatures
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.data.votes import RATERS
from imageqx_export.decisions import POOR, decide_good
from imageqx_export.errors import DatasetError
from imageqx_export.evaluation.diagnostic.truth import find_good
from imageqx_export.thresholds import temperature
from imageqx_export.thresholds.criteria import (
    Criterion,
    Measurement,
    Scores,
    choose_threshold,
    measure,
    require_reachable,
)

Outputs = Mapping[str, Scores]
"""The network's probabilities, float32 [N,K] by the output's name."""


def fit_temperatures(raw: Outputs, photos: LabelledPhotos, spec: ModelSpec) -> Temperatures:
    """Fit the one temperature: of the ranks together, or of the decision where there are none.

    Args:
        raw: The network's probabilities without a temperature.
        photos: With votes.
        spec: Says which outputs they are.
    """
    return Temperatures(quality=temperature.fit_binary_temperature(*_list_logits(raw, photos, spec)), explanations={})


def measure_temperatures(
    raw: Outputs, photos: LabelledPhotos, spec: ModelSpec, temperatures: Temperatures | None
) -> dict[str, temperature.TemperatureFit]:
    """Measure a temperature, 1 where there is none, on probabilities without one."""
    known = 1.0 if temperatures is None else temperatures.quality
    logits, truth = _list_logits(raw, photos, spec)
    return {"quality": temperature.measure_binary_temperature(logits, truth, known)}


def choose_spec(spec: ModelSpec, outputs: Outputs, photos: LabelledPhotos, criterion: Criterion) -> ModelSpec:
    """Return ``spec`` with the chosen threshold.

    Args:
        spec: The checkpoint's.
        outputs: Calibrated probabilities.
        photos: With votes.
        criterion: How to choose; as for labels, the positive is a poor photo.

    Raises:
        DatasetError: No threshold meets the criterion, or all photos are good, or none is.
    """
    binary = _get_binary(spec)
    poor = ~find_good(_read_votes(photos), spec)
    if poor.all() or not poor.any():
        raise DatasetError(
            "nothing to choose a threshold on",
            where=photos.source,
            expected="good photos and poor ones",
            got=f"{len(photos)} photos, all alike",
        )
    found = {POOR: choose_threshold(criterion, 1 - outputs[binary.output][:, 0], poor, passing=True)}
    threshold = float(np.float32(1 - require_reachable(found, criterion, photos.source)[POOR]))
    return spec.model_copy(update={"binary": binary.model_copy(update={"threshold": threshold})})


def measure_spec(spec: ModelSpec, outputs: Outputs, photos: LabelledPhotos) -> dict[str, Measurement]:
    """Return how a spec's decision does on photos, with the probability from which a photo is poor."""
    binary = _get_binary(spec)
    sent_back, poor = ~decide_good(outputs[binary.output], spec), ~find_good(_read_votes(photos), spec)
    return {POOR: measure(sent_back, poor, 1 - binary.threshold)}


def _list_logits(
    raw: Outputs, photos: LabelledPhotos, spec: ModelSpec
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    from scipy.special import logit

    binary, votes = _get_binary(spec), _read_votes(photos)
    if binary.ranks is None:
        scores, truth = raw[binary.output], find_good(votes, spec)[:, None]
    else:
        scores = raw[binary.ranks.output]
        truth = votes[:, None] * binary.ranks.raters > np.arange(binary.ranks.raters) * RATERS
    tiny = np.finfo(np.float32).eps / 2  # what float32 calls certain is not infinite
    return logit(scores.astype(np.float64).clip(tiny, 1 - tiny)).ravel(), truth.ravel()


def _read_votes(photos: LabelledPhotos) -> NDArray[np.int64]:
    if photos.votes is None:
        raise DatasetError("photos without raters' votes", where=photos.source, expected="votes for good", got="labels")
    return photos.votes


def _get_binary(spec: ModelSpec) -> BinaryDecision:
    assert spec.binary is not None
    return spec.binary
