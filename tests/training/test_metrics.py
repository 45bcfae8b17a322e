"""Metrics against scikit-learn's own and against counting by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, f1_score, recall_score

from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.training.metrics import score

LABELS = ("lesion", "no_skin", "healthy_skin", "poor_quality")
REASONS = ("bad_framing", "bad_light", "blurry", "low_resolution", "too_far_away")
Array = NDArray[Any]


def decisions(seed: int, count: int) -> tuple[Array, Array, Array, Array]:
    """Draw decided labels and reasons, and the truth about both."""
    rng = np.random.default_rng(seed)
    guessed, labels = rng.integers(0, 4, count), rng.integers(0, 4, count)
    return guessed, rng.random((count, 5)) < 0.5, labels, rng.integers(0, 2, (count, 5)).astype(np.float32)


def by_hand(truth: list[bool], guess: list[bool]) -> tuple[float, float, float]:
    """Count recall, specificity and F1; a ratio without a denominator is 0."""
    pairs = list(zip(truth, guess, strict=True))
    tp, fn = pairs.count((True, True)), pairs.count((True, False))
    fp, tn = pairs.count((False, True)), pairs.count((False, False))
    ratios = ((tp, tp + fn), (tn, tn + fp), (2 * tp, 2 * tp + fp + fn))
    recall, specificity, f1 = (over / under if under else 0.0 for over, under in ratios)
    return recall, specificity, f1


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 40))
def test_scores_are_counted_right(seed: int, count: int) -> None:
    guessed, given_, labels, flags = decisions(seed, count)
    got = score(guessed, given_, labels, flags, spec())
    assert got["samples"] == count
    for number, name in enumerate(LABELS):
        recall, specificity, f1 = by_hand((labels == number).tolist(), (guessed == number).tolist())
        assert got["quality"][name] == pytest.approx({"recall": recall, "specificity": specificity, "f1": f1})
    for number, name in enumerate(REASONS):
        recall, specificity, f1 = by_hand((flags[:, number] == 1).tolist(), given_[:, number].tolist())
        assert got["explanations"][name] == pytest.approx({"recall": recall, "specificity": specificity, "f1": f1})
    confusion = np.zeros((4, 4), int)
    np.add.at(confusion, (labels, guessed), 1)
    assert got["confusion"] == confusion.tolist()


def test_scores_are_scikit_learns() -> None:
    guessed, given_, labels, flags = decisions(1, 200)
    got = score(guessed, given_, labels, flags, spec())
    f1, recall = f1_score(labels, guessed, average=None), recall_score(labels, guessed, average=None)
    assert [got["quality"][name]["f1"] for name in LABELS] == pytest.approx(f1.tolist())
    assert [got["quality"][name]["recall"] for name in LABELS] == pytest.approx(recall.tolist())
    assert got["quality_macro_f1"] == pytest.approx(f1.mean())
    specificity = [recall_score(labels != number, guessed != number) for number in range(4)]
    assert [got["quality"][name]["specificity"] for name in LABELS] == pytest.approx(specificity)
    f1, recall = f1_score(flags, given_, average=None), recall_score(flags, given_, average=None)
    assert [got["explanations"][name]["f1"] for name in REASONS] == pytest.approx(f1.tolist())
    assert [got["explanations"][name]["recall"] for name in REASONS] == pytest.approx(recall.tolist())
    assert got["explanations_macro_f1"] == pytest.approx(f1.mean())
    assert got["confusion"] == confusion_matrix(labels, guessed).tolist()


def test_the_best_and_the_worst() -> None:
    labels, flags = np.arange(8) % 4, (np.arange(40).reshape(8, 5) % 3 == 0).astype(np.float32)
    best = score(labels, flags > 0, labels, flags, spec())
    assert best["quality_macro_f1"] == best["explanations_macro_f1"] == 1
    assert all(
        value == 1 for group in ("quality", "explanations") for row in best[group].values() for value in row.values()
    )
    worst = score((labels + 1) % 4, flags == 0, labels, flags, spec())
    assert worst["quality_macro_f1"] == worst["explanations_macro_f1"] == 0


def test_a_label_that_nobody_has_and_nobody_guesses_counts_as_zero() -> None:
    """The macro mean is over all four labels, so that scores of different photos can be compared."""
    labels = np.array([0, 1, 2, 2])
    got = score(labels, np.zeros((4, 5), bool), labels, np.zeros((4, 5), np.float32), spec())
    assert got["quality_macro_f1"] == 0.75 and got["explanations_macro_f1"] == 0
    assert got["quality"]["poor_quality"] == {"f1": 0, "recall": 0, "specificity": 1}
    assert np.array(got["confusion"]).shape == (4, 4)
