"""Fit temperatures: one number that a head's logits are divided by, so that its probabilities mean what they say.

Source: Guo, Pleiss, Sun & Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, section 4.2. The one
number minimises the negative log-likelihood (NLL) of the validation photos; the reasons, which are not exclusive, get
one each.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from imageqx_export.evaluation.reliability import BINS
from imageqx_export.support.frozen import Frozen

BOUNDS = (0.05, 20.0)

Floats = NDArray[np.float32] | NDArray[np.float64]


class TemperatureFit(Frozen):
    """A temperature and what it does on labelled photos: without it (T = 1) and with it.

    Args:
        temperature: What the logits are divided by.
        nll: Mean negative log-likelihood in nats, without and with.
        ece: Expected calibration error in [0, 1], without and with.
    """

    temperature: float
    nll: tuple[float, float]
    ece: tuple[float, float]


def fit_temperature(logits: Floats, labels: NDArray[np.int64]) -> float:
    """Return the temperature in [0.05, 20] that minimises :func:`nll`; 1 where none is better than 1.

    Args:
        logits: Uncalibrated, [N,K] with K labels.
        labels: The truth, in [0, K), int64 [N].
    """
    return _fit(lambda temperature: nll(logits / temperature, labels))


def fit_binary_temperature(logits: Floats, truth: NDArray[np.bool_]) -> float:
    """Return the temperature in [0.05, 20] that minimises :func:`binary_nll`; 1 where none is better than 1.

    Args:
        logits: Uncalibrated, [N].
        truth: Whether the reason holds, bool [N]. Without both kinds nothing can be told, and 1 is returned.
    """
    if truth.all() or not truth.any():
        return 1.0
    return _fit(lambda temperature: binary_nll(logits / temperature, truth))


def measure_temperature(logits: Floats, labels: NDArray[np.int64], temperature: float) -> TemperatureFit:
    """Measure ``temperature`` on uncalibrated logits [N,K] and labels int64 [N]."""
    from scipy.special import softmax

    def error(values: Floats) -> float:
        sure = softmax(values.astype(np.float64), axis=1)
        return expected_calibration_error(sure.max(1), sure.argmax(1) == labels)

    pair = logits, logits / temperature
    return TemperatureFit(
        temperature=temperature,
        nll=(nll(pair[0], labels), nll(pair[1], labels)),
        ece=(error(pair[0]), error(pair[1])),
    )


def measure_binary_temperature(logits: Floats, truth: NDArray[np.bool_], temperature: float) -> TemperatureFit:
    """Measure ``temperature`` on a reason's uncalibrated logits [N] and its truth, bool [N]."""
    from scipy.special import expit

    pair = logits, logits / temperature
    return TemperatureFit(
        temperature=temperature,
        nll=(binary_nll(pair[0], truth), binary_nll(pair[1], truth)),
        ece=(
            expected_calibration_error(expit(pair[0]), truth),
            expected_calibration_error(expit(pair[1]), truth),
        ),
    )


def nll(logits: Floats, labels: NDArray[np.int64]) -> float:
    """Return the mean negative log-likelihood, in nats, of ``labels`` int64 [N] under the softmax of ``logits`` [N,K].

    >>> round(nll(np.zeros((3, 4)), np.array([0, 1, 2])), 6)  # log 4
    1.386294
    """
    from scipy.special import log_softmax

    likely = log_softmax(logits.astype(np.float64), axis=1)[np.arange(len(labels)), labels]
    return float(-likely.mean())


def binary_nll(logits: Floats, truth: NDArray[np.bool_]) -> float:
    """Return the mean negative log-likelihood, in nats, of ``truth`` bool [N] under the sigmoid of ``logits`` [N]."""
    signed = np.where(truth, logits, -logits).astype(np.float64)
    return float(np.logaddexp(0, -signed).mean())


def expected_calibration_error(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """Return Σ_b n_b / N · |accuracy_b − confidence_b| over 15 bins of equal width, in [0, 1] (Guo et al., equation 3).

    Args:
        confidence: Probabilities in [0, 1], [N]: the highest of a photo's labels, or a reason's.
        right: Whether that label is the truth, or whether the reason holds, bool [N].
    """
    sure = confidence.astype(np.float64)
    bins = np.digitize(sure, np.linspace(0, 1, BINS + 1)[1:-1], right=True)
    return float(np.abs(np.bincount(bins, weights=right - sure, minlength=BINS)).sum() / len(sure))


def _fit(loss: Callable[[float], float]) -> float:
    from scipy.optimize import minimize_scalar

    # In log T, as 0.5 and 2 are equally far from 1; the NLL is convex in 1/T, so its one minimum is found.
    best = minimize_scalar(lambda log: loss(float(np.exp(log))), bounds=tuple(np.log(BOUNDS)), method="bounded")
    temperature = float(np.exp(best.x))
    return temperature if loss(temperature) < loss(1.0) else 1.0
