"""Fold the heads: Linear and BatchNorm1d without an activation between them are one matrix."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from imageqx_export.artifact import ModelSpec


class Foldable(Protocol):
    """The parts of ImageQX that its folded graph is made of."""

    spec: ModelSpec
    features: nn.Module
    explanation_block: nn.Sequential
    explanation_head: nn.Linear
    quality_block: nn.Sequential
    quality_head: nn.Linear
    quality_temperature: Tensor
    explanation_temperatures: Tensor


def fold_head(block: nn.Sequential, head: nn.Linear) -> tuple[Tensor, Tensor]:
    """Fold Linear → BatchNorm1d (eval) → Linear into one weight [K,1280] and bias [K].

    Args:
        block: The Linear, BatchNorm1d and Dropout.
        head: The Linear that reads the block.
    """
    weight, bias = fold_block(block)
    outer = head.weight.double()
    return (outer @ weight).to(head.weight.dtype), (outer @ bias + head.bias.double()).to(head.weight.dtype)


def fold_block(block: nn.Sequential) -> tuple[Tensor, Tensor]:
    """Fold Linear → BatchNorm1d (eval) into one float64 weight [64,1280] and bias [64]."""
    linear, norm = block[0], block[1]
    assert isinstance(linear, nn.Linear) and isinstance(norm, nn.BatchNorm1d)
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    bias = (linear.bias.double() - norm.running_mean.double()) * scale + norm.bias.double()
    return linear.weight.double() * scale[:, None], bias
