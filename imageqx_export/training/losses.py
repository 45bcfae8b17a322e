"""ImageQX's loss: L = 1.0 · L_D + 5.0 · L_C (Jalaboi et al. 2023)."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor
from torch.nn import functional

QUALITY_WEIGHT = 1.0
EXPLANATIONS_WEIGHT = 5.0
CLASS_WEIGHT_CLIP = 10.0


class LabelLogits(Protocol):
    """The logits of labels and reasons, as a network that has both gives them."""

    @property
    def quality(self) -> Tensor:
        """Per label, [N,4], before softmax."""

    @property
    def explanations(self) -> Tensor:
        """Per reason, [N,5], before the sigmoid."""


def compute_class_weights(counts: Tensor) -> Tensor:
    """Return w_c = min(n_max / n_c, 10) for sample counts [4]; an empty class gets the clip.

    >>> import torch
    >>> compute_class_weights(torch.tensor([17534, 461, 3903, 4737])).round(decimals=2).tolist()
    [1.0, 10.0, 4.489999771118164, 3.700000047683716]
    """
    counts = counts.float()
    return (counts.max() / counts.clamp(min=1e-9)).clamp(max=CLASS_WEIGHT_CLIP)


def compute_loss(
    logits: LabelLogits, shares: Tensor, explanations: Tensor, weights: Tensor, label_smoothing: float = 0.0
) -> Tensor:
    """Return the training loss, a scalar.

    Args:
        logits: The network's, uncalibrated, for N photos.
        shares: Per label, the share of raters, float32 [N,4]; one-hot for the plurality.
        explanations: 0 or 1, float32 [N,5].
        weights: Class weights, float32 [4]; they touch L_D alone, as the paper does not say otherwise.
        label_smoothing: Share of a label's weight that is spread over all labels, in L_D alone.
    """
    # "Mean over samples and classes": the sum over a sample's classes has one term, so divide by N · 4.
    cross = functional.cross_entropy(
        logits.quality.float(), shares, weights, reduction="sum", label_smoothing=label_smoothing
    )
    diagnosis = cross / shares.numel()
    reasons = functional.binary_cross_entropy_with_logits(logits.explanations.float(), explanations)
    return QUALITY_WEIGHT * diagnosis + EXPLANATIONS_WEIGHT * reasons
