"""What ImageQX learns: a quality label, and the reasons for poor quality."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch

from imageqx_export.artifact import ModelSpec, Outputs
from imageqx_export.data.bank import Bank
from imageqx_export.data.labels import LabelledPhotos
from imageqx_export.data.sample_plan import SamplePlan, plan_samples
from imageqx_export.data.vocabulary import require_vocabulary
from imageqx_export.decisions import decide
from imageqx_export.training.config import TrainingConfig
from imageqx_export.training.losses import compute_class_weights, compute_loss
from imageqx_export.training.metrics import score
from imageqx_export.training.targets.base import Groups, Loss, Targets, Truth

_COUNTING = 0  # what random numbers are for: the second part of their key
_COUNTED = 2000
_GROUPS = ("quality", "explanations")


class LabelTargets(Targets):
    """Labels and reasons: L = 1.0 · L_D + 5.0 · L_C (Jalaboi et al. 2023)."""

    HEADLINE: ClassVar[str] = "quality_macro_f1"
    CARD: ClassVar[str] = "card.md.j2"
    DEFAULTS: ClassVar[Mapping[str, Any]] = {}

    def require_outputs(self, spec: ModelSpec) -> None:
        """Refuse a network that does not give the raters' labels and reasons, in their order."""
        require_vocabulary(spec, spec.name)

    def read_truth(self, plan: SamplePlan) -> Truth:
        """Return the raters' shares per label [B,4] and the reasons [B,5], float32."""
        return torch.from_numpy(plan.shares), torch.from_numpy(plan.reasons)

    def make_loss(self, config: TrainingConfig, bank: Bank) -> Loss:
        """Return the loss with class weights of two thousand samples; their pictures need not be made for that."""
        key = (config.seed, _COUNTING)
        plan = plan_samples(bank, key, _COUNTED, config.photo_share, config.rated_share)
        weights = compute_class_weights(torch.from_numpy(plan.shares.sum(0)))

        def loss(logits: Any, truth: Truth) -> torch.Tensor:
            shares, reasons = truth
            return compute_loss(logits, shares, reasons, weights.to(shares.device), config.label_smoothing)

        return loss

    def score(self, outputs: Outputs, photos: LabelledPhotos, spec: ModelSpec) -> dict[str, Any]:
        """Score labels and reasons; see :func:`imageqx_export.training.metrics.score` for what comes back."""
        thresholds = np.array([spec.thresholds[reason] for reason in spec.reasons])
        given = outputs["explanations"] >= thresholds
        return score(decide(outputs["quality"], spec), given, photos.quality, photos.reasons, spec)

    def list_scalars(self, scores: Mapping[str, Any]) -> dict[str, float]:
        """Return both macro-F1, and F1 of every label and reason."""
        scalars = {f"validation/{name}_macro_f1": scores[f"{name}_macro_f1"] for name in _GROUPS}
        for name in _GROUPS:
            scalars |= {f"validation_f1/{row}": values["f1"] for row, values in scores[name].items()}
        return scalars

    def describe(self, scores: Mapping[str, Any]) -> str:
        """Say both macro-F1, and which reason is the weakest."""
        reasons = scores["explanations"]
        weakest = min(reasons, key=lambda name: float(reasons[name]["f1"]))
        return (
            f"held-out quality macro-F1 {scores['quality_macro_f1']:.3f}, "
            f"reasons macro-F1 {scores['explanations_macro_f1']:.3f} (weakest: {weakest})"
        )

    def group(self, scores: Mapping[str, Any]) -> Groups:
        """Return F1, recall and specificity per label and reason."""
        return {name: scores[name] for name in _GROUPS}


TARGETS = LabelTargets()
