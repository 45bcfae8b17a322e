"""From what is said of a photo's regions to what is said of the photo: mean, maximum, or attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from imageqx_export.errors import UnknownNameError

AGGREGATIONS = ("mean", "max", "attention")
_ATTENTION_WIDTH = 64


class Bag(nn.Module):
    """One score for each region, and one for the bag of them.

    The score is linear in a region's features, so that to aggregate features and to aggregate scores is the same for
    the mean and for attention's weighted mean; the maximum is of the scores.

    Args:
        features: Channels of a region's features.
        aggregation: ``"mean"``; ``"max"``, the best region's; or ``"attention"``, a mean with weights that are learnt:
            softmax over regions of w·tanh(V·features).

    Source of attention: Ilse, Tomczak, Welling, "Attention-based Deep Multiple Instance Learning", ICML 2018, equations
    7 and 8.

    Raises:
        UnknownNameError: There is no such aggregation.
    """

    def __init__(self, features: int, aggregation: str = "mean") -> None:
        super().__init__()
        if aggregation not in AGGREGATIONS:
            raise UnknownNameError("aggregation", aggregation, AGGREGATIONS)
        self.aggregation = aggregation
        self.score = nn.Linear(features, 1, bias=False)
        self.hidden: nn.Linear | None = None
        self.weigh: nn.Linear | None = None
        if aggregation == "attention":
            self.hidden = nn.Linear(features, _ATTENTION_WIDTH)
            self.weigh = nn.Linear(_ATTENTION_WIDTH, 1, bias=False)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the bag's score [N] and the regions' [N,R], for features [N,R,C]."""
        scores = self.score(features)[..., 0]
        if self.hidden is not None and self.weigh is not None:
            shares = self.weigh(torch.tanh(self.hidden(features)))[..., 0].softmax(1)
            return (shares * scores).sum(1), scores
        return (scores.amax(1) if self.aggregation == "max" else scores.mean(1)), scores
