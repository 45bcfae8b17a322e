"""From ranges to scales: the arithmetic of affine int8."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from imageqx_export.quantize.observers import LEVELS, SHRINKS, Range
from imageqx_export.quantize.recipe import ACTIVATION_LEVELS, WEIGHT_LEVELS, ActivationScale, WeightScales

SIGMOID = (1 / LEVELS, ACTIVATION_LEVELS[0])
SMALLEST = float(np.finfo(np.float32).tiny)


def activation_scale(tensor: str, within: Range, observer: str) -> ActivationScale:
    """Return scale and zero point for a range.

    Source: Jacob et al., CVPR 2018, equation 1 and section 3.1: the zero point is an integer, so that 0 is exact.

    Args:
        tensor: The tensor's name.
        within: Lowest and highest real value, with 0 between them.
        observer: What chose it.
    """
    low, high = within
    # float32, as every runtime holds it.
    scale = float(np.float32(max((high - low) / (LEVELS - 1), SMALLEST)))
    zero_point = int(np.clip(np.rint(ACTIVATION_LEVELS[0] - low / scale), *ACTIVATION_LEVELS))
    return ActivationScale(tensor=tensor, scale=scale, zero_point=zero_point, observer=observer)


def sigmoid_scale(tensor: str) -> ActivationScale:
    """Return sigmoid's own scale, 1/256 from zero point −128: TFLite's specification fixes it for LOGISTIC."""
    return ActivationScale(tensor=tensor, scale=SIGMOID[0], zero_point=SIGMOID[1], observer="fixed")


def weight_scales(tensor: str, weight: Tensor, observer: str = "minmax") -> WeightScales:
    """Return one scale an output channel.

    Args:
        tensor: The operation's name.
        weight: float32 [out, …].
        observer: ``"minmax"``, or ``"mse"`` to shrink each channel's range to the least squared error.
    """
    rows = weight.detach().double().flatten(1)
    largest = rows.abs().amax(1).clamp_min(SMALLEST)
    scales = largest / WEIGHT_LEVELS[1]
    if observer == "mse":
        candidates = scales[None] * torch.from_numpy(SHRINKS)[:, None]
        errors = torch.stack([_squared_error(rows, candidate) for candidate in candidates])
        scales = candidates.gather(0, errors.argmin(0)[None])[0]
    return WeightScales(tensor=tensor, scales=tuple(scales.float().tolist()), observer=observer)


def _squared_error(rows: Tensor, scales: Tensor) -> Tensor:
    levels = (rows / scales[:, None]).round().clamp(*WEIGHT_LEVELS)
    return ((levels * scales[:, None] - rows) ** 2).sum(1)
