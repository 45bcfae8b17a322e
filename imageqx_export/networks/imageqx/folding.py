"""Fold the heads: Linear and BatchNorm1d without an activation between them are one matrix."""

from __future__ import annotations

from torch import Tensor, nn


def folded_head(block: nn.Sequential, head: nn.Linear) -> tuple[Tensor, Tensor]:
    """Fold Linear → BatchNorm1d (eval) → Linear into one weight [K,1280] and bias [K].

    Args:
        block: The Linear, BatchNorm1d and Dropout.
        head: The Linear that reads the block.
    """
    weight, bias = folded_block(block)
    outer = head.weight.double()
    return (outer @ weight).to(head.weight.dtype), (outer @ bias + head.bias.double()).to(head.weight.dtype)


def folded_block(block: nn.Sequential) -> tuple[Tensor, Tensor]:
    """Fold Linear → BatchNorm1d (eval) into one float64 weight [64,1280] and bias [64]."""
    linear, norm = block[0], block[1]
    assert isinstance(linear, nn.Linear) and isinstance(norm, nn.BatchNorm1d)
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    bias = (linear.bias.double() - norm.running_mean.double()) * scale + norm.bias.double()
    return linear.weight.double() * scale[:, None], bias
