"""From ranges to scales: the arithmetic of affine int8.

Every scale is a float16, the next larger one where it is not: a Core ML program that computes in float16 holds scales
so, and all formats must have the same. The step grows by 0.1 % at most, no more than a tenth of one rounding.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from imageqx_export.quantize.calibration.observers import SHRINKS, Range
from imageqx_export.quantize.graph.capture import find_tensors
from imageqx_export.quantize.recipe import (
    ACTIVATION_LEVELS,
    LEVELS,
    SIGMOID_STEP,
    WEIGHT_LEVELS,
    ActivationScale,
    WeightScales,
)
from imageqx_export.quantize.rewrites.entry import PIXEL_STEP

# Of int32 without its sign: one bit is spared for ranges that are narrowed afterwards.
_BIAS_BITS = 30
SMALLEST = float(np.finfo(np.float16).smallest_subnormal)


def make_activation_scale(tensor: str, within: Range, observer: str) -> ActivationScale:
    """Return scale and zero point for a range.

    Source: Jacob et al., CVPR 2018, equation 1 and section 3.1: the zero point is an integer, so that 0 is exact.

    Args:
        tensor: The tensor's name.
        within: Lowest and highest real value, with 0 between them.
        observer: What chose it.
    """
    low, high = within
    scale = float(round_up_to_half(torch.tensor((high - low) / (LEVELS - 1))))
    zero_point = int(np.clip(np.rint(ACTIVATION_LEVELS[0] - low / scale), *ACTIVATION_LEVELS))
    return ActivationScale(tensor=tensor, scale=scale, zero_point=zero_point, observer=observer)


def make_sigmoid_scale(tensor: str) -> ActivationScale:
    """Return sigmoid's own scale, 1/256 from zero point −128: TFLite's specification fixes it for LOGISTIC."""
    return ActivationScale(tensor=tensor, scale=SIGMOID_STEP, zero_point=ACTIVATION_LEVELS[0], observer="fixed")


def make_pixel_scale(tensor: str) -> ActivationScale:
    """Return the scale on which a byte is the integer 128 below it."""
    return ActivationScale(tensor=tensor, scale=PIXEL_STEP, zero_point=ACTIVATION_LEVELS[0], observer="fixed")


def choose_weight_scales(tensor: str, weight: Tensor, observer: str = "minmax") -> WeightScales:
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
        errors = torch.stack([_measure_squared_error(rows, candidate) for candidate in candidates])
        scales = candidates.gather(0, errors.argmin(0)[None])[0]
    return WeightScales(tensor=tensor, scales=tuple(round_up_to_half(scales).tolist()), observer=observer)


def make_room_for_biases(
    program: GraphModule, weights: Iterable[WeightScales], activations: Iterable[ActivationScale]
) -> tuple[WeightScales, ...]:
    """Return the weights' rows with steps so large that every int32 bias has a bit to spare.

    A bias is a multiple of its input's step times its weight's. A channel whose weights are all nearly 0, as pruning
    leaves them, would have the least step there is, and its bias would not fit: kernels then take the lowest int32.

    Args:
        program: The captured graph.
        weights: The rows as the weights alone choose them.
        activations: The rows of the activations.
    """
    nodes, steps = find_tensors(program), {row.tensor: row.scale for row in activations}
    held = dict(program.named_parameters()) | dict(program.named_buffers())
    roomy = []
    for row in weights:
        inputs = [node for node in nodes[row.tensor].args[:3] if isinstance(node, Node)]
        step = steps.get(inputs[0].meta.get("tensor", ""))
        if step is not None and len(inputs) > 2:
            least = held[str(inputs[2].target)].detach().double().abs() / (step * 2.0**_BIAS_BITS)
            scales = torch.tensor(row.scales).double()
            wider = torch.where(least > scales, round_up_to_half(least).double(), scales)
            row = row.model_copy(update={"scales": tuple(wider.float().tolist())})
        roomy.append(row)
    return tuple(roomy)


def round_up_to_half(scales: Tensor) -> Tensor:
    """Return the least float16 that is not below each scale, as float32, in [6e-8, 65504].

    >>> round_up_to_half(torch.tensor([0.1, 0.25, 0.0]))
    tensor([1.0004e-01, 2.5000e-01, 5.9605e-08])
    """
    wanted = scales.double().numpy()
    halves = wanted.astype(np.float16)
    above = np.where(halves < wanted, np.nextafter(halves, np.float16(np.inf)), halves)
    return torch.from_numpy(np.asarray(np.clip(above, SMALLEST, np.finfo(np.float16).max), np.float32))


def _measure_squared_error(rows: Tensor, scales: Tensor) -> Tensor:
    levels = (rows / scales[:, None]).round().clamp(*WEIGHT_LEVELS)
    return ((levels * scales[:, None] - rows) ** 2).sum(1)
