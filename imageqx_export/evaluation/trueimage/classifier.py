"""A logistic regression on the classical features, with a threshold of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from imageqx_export.evaluation.diagnostic.rates import choose_youden_threshold
from imageqx_export.evaluation.intervals import Bools, Floats


@dataclass(frozen=True)
class Classifier:
    """A fitted logistic regression.

    Args:
        pipeline: scikit-learn's scaler and regression.
        threshold: The probability from which on it says yes: Youden's, on the photos it was fitted to.
    """

    pipeline: Any
    threshold: float

    def probabilities(self, features: Floats) -> Floats:
        """Return the probability of yes, float64 [N], for features [N,F]."""
        return np.asarray(self.pipeline.predict_proba(features)[:, 1], np.float64)


def fit_classifier(features: Floats, truth: Bools) -> Classifier:
    """Fit a logistic regression on standardised features, with scikit-learn's penalty of C = 1.

    Args:
        features: [N,F].
        truth: bool [N].

    Raises:
        DatasetError: The truth is the same for all, so that there is nothing to learn.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    if truth.any() and not truth.all():
        pipeline.fit(features, truth)
        scores = np.asarray(pipeline.predict_proba(features)[:, 1], np.float64)
    else:
        scores = np.zeros(len(truth))
    return Classifier(pipeline, choose_youden_threshold(truth, scores))
