"""Distil: how far a student's answers, and what lies before them, are from the float network's."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from imageqx_export.networks.imageqx.network import Outputs

# A probability of 0 has no logarithm; float32's softmax gives smaller ones than this only where nothing can be learnt.
LEAST = 1e-30
LEAST_COMPLEMENT = 1e-7
FEATURES_WEIGHT = 1.0


def compute_distillation_loss(
    student: tuple[Outputs, Mapping[str, Tensor]], teacher: tuple[Outputs, Mapping[str, Tensor]]
) -> Tensor:
    """Return the loss, a scalar: 0 where the student is the teacher.

    The labels' Kullback–Leibler divergence, the reasons' (each against its complement, the mean over reasons), and
    the matched tensors' squared error as a share of the teacher's power, the mean over tensors.

    Source: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, with T = 1; features: Romero et al.,
    "FitNets", ICLR 2015.

    Args:
        student: Outputs for N photos, and the matched tensors.
        teacher: Likewise; no gradient flows to it.
    """
    own, seen = student
    truth, wanted = teacher
    loss = _compute_divergence(own.quality, truth.quality).sum(1).mean()
    mine, theirs = own.explanations, truth.explanations
    loss = (
        loss + (_compute_divergence(mine, theirs) + _compute_divergence(1 - mine, 1 - theirs, LEAST_COMPLEMENT)).mean()
    )
    for name, value in seen.items():
        error = (value - wanted[name]).square().mean() / wanted[name].square().mean().clamp_min(LEAST)
        loss = loss + FEATURES_WEIGHT / len(seen) * error
    return loss


def _compute_divergence(own: Tensor, truth: Tensor, least: float = LEAST) -> Tensor:
    return truth * (truth.clamp_min(least).log() - own.clamp_min(least).log())
