"""Distil: how far a student's answers, and what lies before them, are from the float network's."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from imageqx_export.decisions import QUALITY

# A probability of 0 has no logarithm; float32's softmax gives smaller ones than this only where nothing can be learnt.
LEAST = 1e-30
LEAST_COMPLEMENT = 1e-7
FEATURES_WEIGHT = 1.0
Answers = Mapping[str, Tensor]
"""A network's outputs for N photos, by name, in the ModelSpec's order; those of two axes are probabilities."""


def compute_distillation_loss(
    student: tuple[Answers, Mapping[str, Tensor]], teacher: tuple[Answers, Mapping[str, Tensor]]
) -> Tensor:
    """Return the loss, a scalar: 0 where the student is the teacher.

    The labels' Kullback–Leibler divergence, that of every other output of probabilities (each against its complement,
    the mean over an output's), and the matched tensors' squared error as a share of the teacher's power, the mean over
    tensors.

    Source: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, with T = 1; features: Romero et al.,
    "FitNets", ICLR 2015.

    Args:
        student: Outputs for N photos, and the matched tensors.
        teacher: Likewise; no gradient flows to it.
    """
    own, seen = student
    truth, wanted = teacher
    losses = []
    for name, theirs in select_probabilities(truth).items():
        mine = own[name]
        if name == QUALITY:
            losses.append(_compute_divergence(mine, theirs).sum(1).mean())
        else:
            both = _compute_divergence(mine, theirs) + _compute_divergence(1 - mine, 1 - theirs, LEAST_COMPLEMENT)
            losses.append(both.mean())
    loss = sum(losses[1:], losses[0])
    for name, value in seen.items():
        error = (value - wanted[name]).square().mean() / wanted[name].square().mean().clamp_min(LEAST)
        loss = loss + FEATURES_WEIGHT / len(seen) * error
    return loss


def select_probabilities(answers: Answers) -> dict[str, Tensor]:
    """Return the outputs that are probabilities, [N,K] by name; heat maps are left out."""
    return {name: values for name, values in answers.items() if values.dim() == 2}


def _compute_divergence(own: Tensor, truth: Tensor, least: float = LEAST) -> Tensor:
    return truth * (truth.clamp_min(least).log() - own.clamp_min(least).log())
