"""Whether probabilities are too sure: the calibration slope.

The outcome is regressed on the logit of the probability (Cox, Biometrika 1958). A slope of 1 and an intercept of 0
mean that the probabilities are true; a slope under 1 that they are too extreme, over 1 that they are too timid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imageqx_export.evaluation.intervals import UNMEASURED, Bools, Floats, Measure

_CLIP = 1e-6  # a probability of float32 may be 0 or 1, whose logit is infinite


@dataclass(frozen=True)
class Recalibration:
    """The logistic curve from probabilities to what came true: logit(true) = intercept + slope · logit(probability).

    Args:
        slope: With Wald's 95 % interval; unmeasured where all photos are alike, or probabilities separate them.
        intercept: Likewise.
    """

    slope: Measure
    intercept: Measure

    def curve(self, probabilities: Floats) -> Floats | None:
        """Return the share that came true at each probability, [P] in [0, 1]; None where it is not measured."""
        if self.slope.value is None or self.intercept.value is None:
            return None
        return np.asarray(1 / (1 + np.exp(-self.intercept.value - self.slope.value * _compute_logit(probabilities))))


def fit_recalibration(truth: Bools, probabilities: Floats) -> Recalibration:
    """Fit the calibration slope and intercept by maximum likelihood.

    Args:
        truth: What came true, bool [N].
        probabilities: What was said of it, in [0, 1], [N].
    """
    from scipy.stats import norm
    from sklearn.linear_model import LogisticRegression

    logits = _compute_logit(probabilities)
    if _separates(truth, logits):
        return Recalibration(UNMEASURED, UNMEASURED)
    fitted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(logits[:, None], truth)
    values = np.array([fitted.intercept_[0], fitted.coef_[0, 0]])
    design = np.stack([np.ones_like(logits), logits], 1)
    likely = fitted.predict_proba(logits[:, None])[:, 1]
    information = design.T @ (design * (likely * (1 - likely))[:, None])
    reach = norm.ppf(0.975) * np.sqrt(np.diag(np.linalg.inv(information)))
    intercept, slope = (
        Measure(float(value), (float(value - r), float(value + r))) for value, r in zip(values, reach, strict=True)
    )
    return Recalibration(slope, intercept)


def _separates(truth: Bools, logits: Floats) -> bool:
    """Whether the likelihood has no maximum: a class is empty, all logits are equal, or they part the classes."""
    if truth.all() or not truth.any() or np.ptp(logits) < 1e-9:
        return True
    yes, no = logits[truth], logits[~truth]
    return bool(no.max() <= yes.min() or yes.max() <= no.min())


def _compute_logit(probabilities: Floats) -> Floats:
    clipped = np.clip(np.asarray(probabilities, np.float64), _CLIP, 1 - _CLIP)
    return np.asarray(np.log(clipped / (1 - clipped)))
