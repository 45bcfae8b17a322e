"""What Duke IQA learns: how many of four raters call a photo good.

The number of votes for good, 0…4, is coded as in CORAL (Cao, Mirjalili & Raschka, Pattern Recognition Letters 2020): 3
votes are [1, 1, 1, 0], and the loss is the binary cross-entropy of the four, summed. A photo is good when at least two
of four say so. The paper writes "more than half", which would be three; but only two of four give the PPV of 0.906 and
the NPV of 0.645 that it prints, with its own counts and rates (``tests/evaluation/diagnostic/test_rates.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch.nn import functional

from imageqx_export.artifact import ModelSpec, Outputs
from imageqx_export.data.bank import Bank
from imageqx_export.data.labels import SPLITS, Label, LabelledPhotos
from imageqx_export.data.sample_plan import SamplePlan
from imageqx_export.data.votes import RATERS, count_votes
from imageqx_export.decisions import decide_good
from imageqx_export.errors import ArtifactError, DatasetError
from imageqx_export.evaluation.diagnostic.rates import RATES, choose_youden_threshold, count_rates
from imageqx_export.evaluation.diagnostic.truth import find_good
from imageqx_export.evaluation.intervals import auc
from imageqx_export.networks import NO_OPTIONS, Options
from imageqx_export.training.config import TrainingConfig
from imageqx_export.training.targets.base import Groups, Loss, Targets, Truth

_EPOCHS, _PATIENCE = 50, 10  # the paper stops early and does not say when


class VoteTargets(Targets):
    """The votes of four raters, as ranks."""

    HEADLINE: ClassVar[str] = "auc"
    CARD: ClassVar[str] = "votes.md.j2"
    DEFAULTS: ClassVar[Mapping[str, Any]] = {
        "epochs": _EPOCHS,
        "optimizer": "sgd",
        "learning_rate": 1e-2,
        "patience": _PATIENCE,
        "flips": True,
        "ema_decay": 0.0,
    }

    def refuse(self, labels: Sequence[Label], config: TrainingConfig) -> None:
        """Refuse a table of one rater, of raters who always agree, or without good and other photos on every side."""
        if max(label.raters for label in labels) < 2:
            raise DatasetError(
                "every photo has one rater alone, and ranks are learnt from several",
                expected="at least two raters per photo",
                got=f"{len(labels)} photos, one rater each",
                remedy="add other raters' rows to the table, or train --model imageqx",
            )
        votes = count_votes(labels)
        if np.isin(votes, (0, RATERS)).all():
            raise DatasetError(
                "the raters agree on every photo, so that nothing tells the ranks apart",
                expected="photos that some raters call good and others do not",
                got=f"{len(labels)} photos, each with all votes or none",
                remedy="add photos on which raters differ (of a fused table: imageqx data labels --soft), or train "
                "--model imageqx",
            )
        for side in SPLITS:
            own = votes[[label.split == side for label in labels]]
            good = int((own >= config.good_when_at_least).sum())
            if good in (0, len(own)):
                raise DatasetError(
                    f"no photo of {side} is {'good' if good == 0 else 'of poor quality'}",
                    expected="photos of both kinds in train, val and test",
                    got=f"{good} good of {len(own)}, with at least {config.good_when_at_least} of {RATERS} votes",
                    remedy="add photos of what is missing, or change the table's split column",
                )

    def require_outputs(self, spec: ModelSpec) -> None:
        """Refuse a network that does not say how many of the raters call a photo good."""
        if spec.binary is None or spec.binary.ranks is None:
            raise ArtifactError(
                "a network that does not count votes",
                where=spec.name,
                expected="an output of ranks in its ModelSpec's binary",
                got=", ".join(output.name for output in spec.outputs),
            )

    def list_options(self, config: TrainingConfig) -> Options:
        """Return how many votes are enough, where that is not what is usual."""
        usual = TrainingConfig().good_when_at_least
        enough = config.good_when_at_least
        return NO_OPTIONS if enough == usual else {"good_when_at_least": float(enough)}

    def read_truth(self, plan: SamplePlan) -> Truth:
        """Return the ranks, float32 [B,4]: in column k whether more than k raters call the sample good."""
        return (encode_ranks(torch.from_numpy(plan.votes)),)

    def make_loss(self, config: TrainingConfig, bank: Bank) -> Loss:
        """Return CORAL's loss, with every rank's weight 1."""

        def loss(logits: Any, truth: Truth) -> torch.Tensor:
            each = functional.binary_cross_entropy_with_logits(logits.ranks.float(), truth[0], reduction="none")
            return each.sum(1).mean()

        return loss

    def score(self, outputs: Outputs, photos: LabelledPhotos, spec: ModelSpec) -> dict[str, Any]:
        """Return the AUC of good, the four rates at the threshold, and the mean error in votes, or None of each."""
        assert photos.votes is not None and spec.binary is not None and spec.binary.ranks is not None
        good, truth = outputs[spec.binary.output], find_good(photos.votes, spec)
        rates = count_rates(truth, decide_good(good, spec))
        expected = outputs[spec.binary.ranks.output].sum(1)  # the mean of the number of votes is the ranks' sum
        return {
            "samples": len(truth),
            "good": int(truth.sum()),
            "auc": auc(truth, good[:, 0].astype(np.float64)).value,
            **{name: getattr(rates, name).value for name in RATES},
            "votes_error": float(np.abs(expected - photos.votes).mean()),
        }

    def list_scalars(self, scores: Mapping[str, Any]) -> dict[str, float]:
        """Return all numbers that could be measured."""
        names = ("auc", *RATES, "votes_error")
        return {f"validation/{name}": scores[name] for name in names if scores[name] is not None}

    def describe(self, scores: Mapping[str, Any]) -> str:
        """Say the AUC and the mean error in votes."""
        return f"held-out AUC {_format_value(scores['auc'])}, votes off by {_format_value(scores['votes_error'])}"

    def group(self, scores: Mapping[str, Any]) -> Groups:
        """Return one row, ``good``, with the AUC and the four rates."""
        names = ("auc", *RATES)
        return {"binary": {"good": {name: scores[name] for name in names if scores[name] is not None}}}

    def choose_spec(self, outputs: Outputs, truth: Truth, spec: ModelSpec) -> ModelSpec:
        """Return ``spec`` with Youden's threshold on training samples, as in the paper."""
        assert spec.binary is not None
        votes = truth[0].sum(1).round().long().cpu().numpy()
        good = outputs[spec.binary.output][:, 0].astype(np.float64)
        threshold = choose_youden_threshold(find_good(votes, spec), good)
        return spec.model_copy(update={"binary": spec.binary.model_copy(update={"threshold": threshold})})


def encode_ranks(votes: torch.Tensor) -> torch.Tensor:
    """Return CORAL's code of votes, int64 [B] in 0…4: float32 [B,4].

    >>> encode_ranks(torch.tensor([3, 0])).tolist()
    [[1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """
    return (votes[:, None] > torch.arange(RATERS)).float()


def _format_value(value: float | None) -> str:
    return "not measurable" if value is None else f"{value:.3f}"


TARGETS = VoteTargets()
