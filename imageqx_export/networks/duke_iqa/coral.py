"""Ordinal regression whose ranks cannot contradict one another: one score, and falling biases.

Source: Cao, Mirjalili, Raschka, "Rank consistent ordinal regression for neural networks with application to age
estimation", Pattern Recognition Letters 140, 2020. There the biases fall where the loss is least (theorem 1); here they
fall by construction, so that a network that is half trained, or rounded, is consistent too.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Coral(nn.Module):
    """K logits of one score: that more than 0, 1, … K − 1 raters say yes.

    Args:
        ranks: K.
    """

    def __init__(self, ranks: int) -> None:
        super().__init__()
        # Spread as for K + 1 equally frequent sums of votes at a score of 0.
        start = torch.logit(1 - torch.arange(1, ranks + 1) / (ranks + 1))
        self.first = nn.Parameter(start[:1].clone())
        self.falls = nn.Parameter((start[:-1] - start[1:]).expm1().log())

    def biases(self) -> Tensor:
        """Return the K biases, which never rise."""
        return torch.cat([self.first, self.first - functional.softplus(self.falls).cumsum(0)])

    def forward(self, score: Tensor) -> Tensor:
        """Return the logits [N,K] of scores [N]."""
        return score[:, None] + self.biases()
