"""The loss against the paper's formula, computed with numpy in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from imageqx_export.networks.imageqx.network import Logits
from imageqx_export.training.losses import compute_class_weights, compute_loss

Array = NDArray[Any]


def paper(quality: Array, explanations: Array, shares: Array, flags: Array, weights: Array, smooth: float) -> float:
    """L = 1.0 · L_D + 5.0 · L_C; L_D is the mean over samples and classes, L_C over samples and reasons.

    Smoothing (Szegedy et al. 2016, section 7): q' = (1 - ε) q + ε / K.
    """
    probabilities = np.exp(quality) / np.exp(quality).sum(1, keepdims=True)
    wanted = (1 - smooth) * shares + smooth / 4
    diagnosis = -(wanted * weights * np.log(probabilities)).mean()
    given_ = 1 / (1 + np.exp(-explanations))
    reasons = -(flags * np.log(given_) + (1 - flags) * np.log(1 - given_)).mean()
    return float(1.0 * diagnosis + 5.0 * reasons)


def f32(*values: Array) -> tuple[Tensor, ...]:
    return tuple(torch.tensor(value, dtype=torch.float32) for value in values)


def onehot(*labels: int) -> Tensor:
    return torch.eye(4)[list(labels)]


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 9),
    spread=st.floats(0.01, 5),
    smooth=st.sampled_from([0.0, 0.1, 1.0]),
    soft=st.booleans(),
)
def test_the_loss_is_the_papers(seed: int, count: int, spread: float, smooth: float, soft: bool) -> None:
    rng = np.random.default_rng(seed)
    quality, explanations = rng.normal(0, spread, (count, 4)), rng.normal(0, spread, (count, 5))
    shares = rng.dirichlet(np.ones(4), count) if soft else np.eye(4)[rng.integers(0, 4, count)]
    flags, weights = rng.integers(0, 2, (count, 5)).astype(float), rng.uniform(1, 10, 4)
    z, e, q, f, w = f32(quality, explanations, shares, flags, weights)
    got = compute_loss(Logits(z, e), q, f, w, smooth)
    assert got.shape == ()
    assert float(got) == pytest.approx(paper(quality, explanations, shares, flags, weights, smooth), rel=1e-5)


def test_of_whole_labels_it_is_torchs() -> None:
    """By class indices, as torch's own cross-entropy takes them; its mean divides by the weights, ours by N · 4."""
    rng = np.random.default_rng(1)
    labels = torch.tensor([0, 3, 1, 1, 2])
    quality, explanations, flags, weights = f32(
        rng.normal(size=(5, 4)), rng.normal(size=(5, 5)), rng.integers(0, 2, (5, 5)), rng.uniform(1, 10, 4)
    )
    diagnosis = nn.CrossEntropyLoss(weights)(quality, labels) * weights[labels].sum() / 20
    expected = diagnosis + 5 * nn.BCEWithLogitsLoss()(explanations, flags)
    got = compute_loss(Logits(quality, explanations), onehot(*labels.tolist()), flags, weights)
    assert float(got) == pytest.approx(float(expected), rel=1e-6)


def test_of_even_odds_by_hand() -> None:
    logits = Logits(torch.zeros(3, 4), torch.zeros(3, 5))
    expected = np.log(4) / 4 + 5 * np.log(2)
    for shares in (onehot(0, 1, 3), torch.full((3, 4), 0.25)):
        assert float(compute_loss(logits, shares, torch.ones(3, 5), torch.ones(4))) == pytest.approx(expected, rel=1e-6)


def test_the_raters_shares_are_the_minimum() -> None:
    """Of a photo on which two of three raters agree: any other answer costs more."""
    shares = torch.tensor([[2 / 3, 0, 0, 1 / 3]])
    best = shares.clamp(min=1e-9).log()

    def cost(quality: Tensor) -> float:
        return float(compute_loss(Logits(quality, torch.zeros(1, 5)), shares, torch.ones(1, 5), torch.ones(4)))

    others = [best + torch.tensor(step) * torch.eye(4)[i] for i in (0, 3) for step in (-0.5, 0.5)]
    assert all(cost(other) > cost(best) for other in others)


def test_weights_touch_their_own_class_alone() -> None:
    logits, weights = Logits(torch.zeros(1, 4), torch.zeros(1, 5)), torch.tensor([1.0, 1.0, 9.0, 1.0])
    values = [float(compute_loss(logits, onehot(label), torch.ones(1, 5), weights)) for label in range(4)]
    assert values[0] == values[1] == values[3]
    assert values[2] - values[0] == pytest.approx(8 * np.log(4) / 4, rel=1e-5)


def test_smoothing_leaves_the_reasons_alone() -> None:
    logits = Logits(torch.zeros(1, 4), torch.randn(1, 5))
    values = [float(compute_loss(logits, onehot(1), torch.ones(1, 5), torch.ones(4), smooth)) for smooth in (0, 0.3)]
    assert values[0] == pytest.approx(values[1], rel=1e-6)  # at even odds it changes nothing in the label either


def test_half_precision_logits_are_summed_in_float32() -> None:
    quality, explanations = torch.randn(4, 4).bfloat16(), torch.randn(4, 5).bfloat16()
    rest = onehot(0, 1, 2, 3), torch.ones(4, 5), torch.ones(4)
    got = compute_loss(Logits(quality, explanations), *rest)
    assert got.dtype == torch.float32
    assert torch.equal(got, compute_loss(Logits(quality.float(), explanations.float()), *rest))


def test_large_logits_stay_finite_and_gradients_flow() -> None:
    quality, explanations = nn.Parameter(torch.full((2, 4), -300.0)), nn.Parameter(torch.full((2, 5), -300.0))
    value = compute_loss(Logits(quality, explanations), onehot(0, 1), torch.ones(2, 5), torch.ones(4))
    value.backward()  # type: ignore[no-untyped-call]
    assert value.isfinite() and quality.grad is not None and explanations.grad is not None
    assert quality.grad.isfinite().all() and (explanations.grad < 0).all()


def test_class_weights_of_the_papers_counts() -> None:
    weights = compute_class_weights(torch.tensor([17_534, 461, 3_903, 4_737]))  # papers.md, train
    assert weights.dtype == torch.float32
    assert np.round(weights.numpy(), 2) == pytest.approx([1.0, 10.0, 4.49, 3.70])


@given(st.lists(st.integers(0, 10**6), min_size=4, max_size=4).filter(any))
def test_class_weights_lie_between_one_and_ten(counts: list[int]) -> None:
    expected = [min(max(counts) / count, 10.0) if count else 10.0 for count in counts]
    assert compute_class_weights(torch.tensor(counts)).tolist() == pytest.approx(expected, rel=1e-5)
