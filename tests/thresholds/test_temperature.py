"""Temperatures: they are the minimum, they never make anything worse, and they find what was put in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import log_loss

from imageqx_export.thresholds.temperature import (
    BOUNDS,
    binary_nll,
    expected_calibration_error,
    fit_binary_temperature,
    fit_temperature,
    measure_binary_temperature,
    measure_temperature,
    nll,
)

Array = NDArray[Any]


def drawn(seed: int, count: int, spread: float = 3.0) -> tuple[Array, Array]:
    """Draw logits, and labels that follow them exactly."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, spread, (count, 4))
    gumbel = rng.gumbel(size=(count, 4))  # the Gumbel-max trick draws from the softmax
    return logits, (logits + gumbel).argmax(1)


def binary(seed: int, count: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1, 2, count)
    return logits, rng.random(count) < 1 / (1 + np.exp(-logits))


@pytest.mark.parametrize("truth", [0.4, 1.0, 2.5])
def test_a_known_temperature_is_found(truth: float) -> None:
    logits, labels = drawn(1, 20_000)
    assert fit_temperature(logits * truth, labels) == pytest.approx(truth, rel=0.05)
    scores, has = binary(2, 20_000)
    assert fit_binary_temperature(scores * truth, has) == pytest.approx(truth, rel=0.05)


def test_no_other_temperature_is_better() -> None:
    logits, labels = drawn(3, 300)
    logits = (logits * 1.7).astype(np.float32)
    best = fit_temperature(logits, labels)
    grid = np.geomspace(BOUNDS[0], BOUNDS[1], 400)
    assert nll(logits / best, labels) <= min(nll(logits / t, labels) for t in grid) + 1e-9
    assert nll(logits / best, labels) < nll(logits, labels) - 0.01, "there was nothing to gain"
    scores, has = binary(4, 300)
    best = fit_binary_temperature(scores * 3, has)
    assert binary_nll(scores * 3 / best, has) <= min(binary_nll(scores * 3 / t, has) for t in grid) + 1e-9


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 40), scale=st.floats(0, 200))
def test_the_fit_is_never_worse_than_none(seed: int, count: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(0, scale, (count, 4)), rng.integers(0, 4, count)
    temperature = fit_temperature(logits, labels)
    assert BOUNDS[0] <= temperature <= BOUNDS[1]
    assert nll(logits / temperature, labels) <= nll(logits, labels)
    has = labels > 1
    temperature = fit_binary_temperature(logits[:, 0], has)
    assert BOUNDS[0] <= temperature <= BOUNDS[1]
    assert binary_nll(logits[:, 0] / temperature, has) <= binary_nll(logits[:, 0], has)


@pytest.mark.parametrize("has", [np.zeros(5, bool), np.ones(5, bool)])
def test_a_reason_without_both_kinds_keeps_one(has: Array) -> None:
    assert fit_binary_temperature(np.array([3.0, -1, 2, 0, 9]), has) == 1.0


def test_logits_that_say_nothing_keep_one() -> None:
    assert fit_temperature(np.zeros((6, 4)), np.array([0, 1, 2, 3, 0, 1])) == 1.0
    assert fit_binary_temperature(np.zeros(4), np.array([True, False, True, False])) == 1.0


def test_nll_is_scikit_learns() -> None:
    logits, labels = drawn(5, 80)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert nll(logits, labels) == pytest.approx(log_loss(labels, probabilities, labels=[0, 1, 2, 3]))
    scores, has = binary(6, 80)
    assert binary_nll(scores, has) == pytest.approx(log_loss(has, 1 / (1 + np.exp(-scores))))
    assert binary_nll(np.array([800.0, -800.0]), np.array([False, True])) == 800  # no overflow


def naive_ece(confidence: Array, right: Array) -> float:
    total = 0.0
    for k in range(15):
        inside = [i for i, p in enumerate(confidence) if k / 15 < p <= (k + 1) / 15 or (k == 0 and p == 0)]
        if inside:
            gap = np.mean([right[i] for i in inside]) - np.mean([confidence[i] for i in inside])
            total += len(inside) / len(confidence) * abs(gap)
    return float(total)


def test_ece_is_a_loop_over_bins() -> None:
    rng = np.random.default_rng(7)
    confidence = np.append(rng.random(500), [0, 1]).astype(np.float32)
    right = rng.random(502) < confidence**2
    assert expected_calibration_error(confidence, right) == pytest.approx(naive_ece(confidence.astype(float), right))
    assert expected_calibration_error(np.ones(4), np.array([True, True, True, False])) == pytest.approx(0.25)


def test_calibration_is_seen_by_the_ece() -> None:
    logits, labels = drawn(8, 5000)
    fit = measure_temperature(logits * 3, labels, 3.0)
    assert fit.temperature == 3
    assert fit.ece[0] > 0.1 > 0.03 > fit.ece[1]
    assert list(fit.nll) == pytest.approx([nll(logits * 3, labels), nll(logits, labels)])
    scores, has = binary(9, 5000)
    fit = measure_binary_temperature(scores * 3, has, 3.0)
    assert fit.ece[0] > 0.05 > 0.03 > fit.ece[1]
    assert fit.nll[1] == pytest.approx(binary_nll(scores, has))
