"""The loss against the paper's formula, computed with numpy in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from imageqx_export.networks.imageqx import Logits
from imageqx_export.training.losses import class_weights, loss

Array = NDArray[Any]


def paper(quality: Array, explanations: Array, labels: Array, flags: Array, weights: Array) -> float:
    """L = 1.0 · L_D + 5.0 · L_C; L_D is the mean over samples and classes, L_C over samples and reasons."""
    probabilities = np.exp(quality) / np.exp(quality).sum(1, keepdims=True)
    diagnosis = -(np.eye(4)[labels] * weights * np.log(probabilities)).mean()
    given_ = 1 / (1 + np.exp(-explanations))
    reasons = -(flags * np.log(given_) + (1 - flags) * np.log(1 - given_)).mean()
    return float(1.0 * diagnosis + 5.0 * reasons)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 9), spread=st.floats(0.01, 5))
def test_the_loss_is_the_papers(seed: int, count: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    quality, explanations = rng.normal(0, spread, (count, 4)), rng.normal(0, spread, (count, 5))
    labels, flags = rng.integers(0, 4, count), rng.integers(0, 2, (count, 5)).astype(float)
    weights = rng.uniform(1, 10, 4)
    got = loss(
        Logits(torch.tensor(quality, dtype=torch.float32), torch.tensor(explanations, dtype=torch.float32)),
        torch.tensor(labels),
        torch.tensor(flags, dtype=torch.float32),
        torch.tensor(weights, dtype=torch.float32),
    )
    assert got.shape == ()
    assert float(got) == pytest.approx(paper(quality, explanations, labels, flags, weights), rel=1e-5)


def test_of_even_odds_by_hand() -> None:
    got = loss(Logits(torch.zeros(3, 4), torch.zeros(3, 5)), torch.tensor([0, 1, 3]), torch.ones(3, 5), torch.ones(4))
    assert float(got) == pytest.approx(np.log(4) / 4 + 5 * np.log(2), rel=1e-6)


def test_weights_touch_their_own_class_alone() -> None:
    logits = Logits(torch.zeros(1, 4), torch.zeros(1, 5))
    values = [
        float(loss(logits, torch.tensor([label]), torch.ones(1, 5), torch.tensor([1.0, 1.0, 9.0, 1.0])))
        for label in range(4)
    ]
    assert values[0] == values[1] == values[3]
    assert values[2] - values[0] == pytest.approx(8 * np.log(4) / 4, rel=1e-5)


def test_large_logits_stay_finite_and_gradients_flow() -> None:
    quality, explanations = nn.Parameter(torch.full((2, 4), -300.0)), nn.Parameter(torch.full((2, 5), -300.0))
    value = loss(Logits(quality, explanations), torch.tensor([0, 1]), torch.ones(2, 5), torch.ones(4))
    value.backward()  # type: ignore[no-untyped-call]
    assert value.isfinite() and quality.grad is not None and explanations.grad is not None
    assert quality.grad.isfinite().all() and (explanations.grad < 0).all()


def test_class_weights_of_the_papers_counts() -> None:
    weights = class_weights(torch.tensor([17_534, 461, 3_903, 4_737]))  # papers.md, train
    assert weights.dtype == torch.float32
    assert np.round(weights.numpy(), 2) == pytest.approx([1.0, 10.0, 4.49, 3.70])


@given(st.lists(st.integers(0, 10**6), min_size=4, max_size=4).filter(any))
def test_class_weights_lie_between_one_and_ten(counts: list[int]) -> None:
    expected = [min(max(counts) / count, 10.0) if count else 10.0 for count in counts]
    assert class_weights(torch.tensor(counts)).tolist() == pytest.approx(expected, rel=1e-5)
