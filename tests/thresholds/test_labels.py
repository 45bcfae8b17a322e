"""Thresholds and temperatures by photos' labels: what is chosen on made-up logits, and what is refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.decisions import decide
from imageqx_export.errors import DatasetError
from imageqx_export.networks.imageqx.network import Logits
from imageqx_export.networks.imageqx.spec import REASONS, spec
from imageqx_export.thresholds.criteria import Criterion
from imageqx_export.thresholds.labels import FLOOR, choose_spec, fit_temperatures
from tests.thresholds.fakes import labelled

Array = NDArray[Any]
BUDGET = Criterion(kind="retake_budget", value=0.25)


def synthetic(count: int = 400, seed: int = 1) -> tuple[Logits, LabelledPhotos]:
    """Give overconfident logits and the truth that they are about."""
    rng = np.random.default_rng(seed)
    quality, reasons = rng.normal(0, 2, (count, 4)), rng.normal(-1, 2, (count, 5))
    photos = dataclasses.replace(
        labelled(1),
        quality=(quality + rng.gumbel(size=(count, 4))).argmax(1),
        reasons=(rng.random((count, 5)) < 1 / (1 + np.exp(-reasons))).astype(np.float32),
    )
    return Logits(*(torch.from_numpy(z * 2).float() for z in (quality, reasons))), photos


def probabilities(logits: Logits) -> tuple[Array, Array]:
    return logits.quality.softmax(1).numpy(), logits.explanations.sigmoid().numpy()


def test_overconfident_logits_are_cooled_by_what_they_were_heated() -> None:
    logits, photos = synthetic(4000)
    temperatures = fit_temperatures(logits, photos, spec())
    assert temperatures.quality == pytest.approx(2, rel=0.1)
    assert list(temperatures.explanations) == list(REASONS)
    assert all(value == pytest.approx(2, rel=0.15) for value in temperatures.explanations.values())


def test_ppv_is_that_of_the_photos_that_pass_and_of_the_reasons_that_are_told() -> None:
    logits, photos = synthetic()
    quality, reasons = probabilities(logits)
    new, kept = choose_spec(spec(), quality, reasons, photos, Criterion(kind="ppv", value=0.85))
    passing = decide(quality, new) != 3
    assert kept == () and 0 < passing.sum() < len(passing)
    assert (photos.quality != 3)[passing].mean() >= 0.85 > (photos.quality != 3).mean()
    for i, name in enumerate(REASONS):
        assert photos.reasons[reasons[:, i] >= new.thresholds[name], i].mean() >= 0.85


def test_no_reasons_threshold_is_under_the_floor() -> None:
    """Scores of 0.06 and 0.002 would be parted at 0.031."""
    logits, photos = synthetic()
    quality, reasons = probabilities(logits)
    reasons[:, 3] = np.where(photos.reasons[:, 3] > 0, 0.06, 0.002)
    new, _ = choose_spec(spec(), quality, reasons, photos, Criterion(kind="retake_budget", value=0.03))
    assert new.thresholds["low_resolution"] == FLOOR == 0.2
    assert min(new.thresholds.values()) >= FLOOR
    assert new.poor_quality_threshold is not None and max(new.thresholds.values()) > FLOOR


def test_a_reason_that_nobody_has_or_everybody_has_keeps_its_threshold() -> None:
    logits, photos = synthetic()
    flags = photos.reasons.copy()
    flags[:, 1], flags[:, 2] = 0, 1
    photos = dataclasses.replace(photos, reasons=flags)
    old = spec().model_copy(update={"thresholds": {**spec().thresholds, "bad_light": 0.3}})
    new, kept = choose_spec(old, *probabilities(logits), photos, BUDGET)
    assert kept == ("bad_light", "blurry")
    assert (new.thresholds["bad_light"], new.thresholds["blurry"]) == (0.3, 0.5)
    assert new.thresholds["too_far_away"] != 0.5
    temperatures = fit_temperatures(logits, photos, old)
    assert temperatures.explanations["bad_light"] == temperatures.explanations["blurry"] == 1


def test_without_poor_photos_the_most_probable_label_goes_on_deciding() -> None:
    logits, photos = synthetic()
    photos = dataclasses.replace(photos, quality=photos.quality % 3)
    new, kept = choose_spec(spec(), *probabilities(logits), photos, BUDGET)
    assert kept == ("poor_quality",) and new.poor_quality_threshold is None
    everything_alike = dataclasses.replace(photos, reasons=np.zeros_like(photos.reasons))
    with pytest.raises(DatasetError, match="nothing to choose"):
        choose_spec(spec(), *probabilities(logits), everything_alike, BUDGET)


def test_a_criterion_out_of_reach_says_how_near_one_can_come() -> None:
    logits, photos = synthetic()
    quality, reasons = probabilities(logits)
    reasons[:, 4] = 0.5  # it cannot be told: its best PPV is its share of the photos
    share = float(photos.reasons[:, 4].mean())
    with pytest.raises(DatasetError, match=r"too_far_away: at most 0\.\d{3}") as caught:
        choose_spec(spec(), quality, reasons, photos, Criterion(kind="ppv", value=0.9))
    reachable = float(str(caught.value).rsplit("--ppv ", 1)[1].split(",")[0])
    assert share - 0.001 < reachable <= share
    choose_spec(spec(), quality, reasons, photos, Criterion(kind="ppv", value=reachable))
    quality[:10] = [0, 0, 0, 1]
    good = dataclasses.replace(photos, quality=np.where(np.arange(400) < 10, 0, photos.quality))
    with pytest.raises(DatasetError, match=r"poor_quality: at least 0\.0") as caught:
        choose_spec(spec(), quality, reasons, good, Criterion(kind="retake_budget", value=0.0))
    reachable = float(str(caught.value).rsplit("--retake-budget ", 1)[1].split(",")[0])
    choose_spec(spec(), quality, reasons, good, Criterion(kind="retake_budget", value=reachable))
