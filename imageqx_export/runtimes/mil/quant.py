"""Integers in Core ML programs: activations that are quantized on the way, and weights that are stored compressed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imageqx_export.runtimes.mil.node import Kernel, Node

DTYPES = {"int8": torch.int8, "uint8": torch.uint8}


def build_quantize(node: Node) -> Kernel:
    """Build ``quantize``: clip(round(input / scale) + zero_point), half to even, to int8 or uint8.

    The quotient is float32's, also where the program says float16: only results are rounded to float16, and this
    operation's result is an integer.

    Source: MIL operation specification, iOS 17; the rounding is that of coremltools' own value inference.
    """
    node.take("input")
    kind = node.word("output_dtype")
    dtype, levels = DTYPES[kind], torch.iinfo(DTYPES[kind])
    parameters = _make_parameters(node)

    def integers(x: Tensor) -> Tensor:
        scale, zero = parameters(x)
        return (x / scale).round_().add_(zero).clamp_(levels.min, levels.max).to(dtype)

    return integers


def build_dequantize(node: Node) -> Kernel:
    """Build ``dequantize``: scale · (input − zero_point), for int8 and uint8.

    Source: MIL operation specification, iOS 17.
    """
    node.take("input")
    parameters = _make_parameters(node)

    def reals(x: Tensor) -> Tensor:
        scale, zero = parameters(x)
        return x.float().sub_(zero).mul_(scale)

    return reals


def _make_parameters(node: Node) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Return a function of x: scale and zero point, float32, one number or one along the axis."""
    scale = torch.from_numpy(node.array("scale").astype(np.float32))
    zero = torch.zeros(())
    if node.has("zero_point"):
        zero = torch.from_numpy(node.array("zero_point").astype(np.float32))
    axis = node.value("axis") if node.has("axis") else None

    def shape_parameters(x: Tensor) -> tuple[Tensor, Tensor]:
        if axis is None:
            return scale, zero
        shape = [1] * x.dim()
        shape[axis] = -1
        return scale.reshape(shape), zero.reshape(shape) if zero.dim() else zero

    return shape_parameters


def build_affine_dequantize(node: Node) -> Kernel:
    """Build ``constexpr_affine_dequantize``: a weight stored as scale · (integer − zero point), one of each a channel.

    Source: MIL operation specification, iOS 16.
    """
    data, axis = node.array("quantized_data").astype(np.float32), node.value("axis")
    shape = [-1 if i == axis % data.ndim else 1 for i in range(data.ndim)]
    scale, zero = (node.array(p).astype(np.float32) for p in ("scale", "zero_point"))
    scale, zero = (a.reshape(shape) if a.ndim else a for a in (scale, zero))
    return build_constant((data - zero) * scale)


def build_lut_to_dense(node: Node) -> Kernel:
    """Build ``constexpr_lut_to_dense``: a weight stored as indices into a table, 1 to 8 bits each, low bit first."""
    shape, table = node.value("shape"), node.array("lut")
    width = table.size.bit_length() - 1
    bits = np.unpackbits(node.array("indices").view(np.uint8), bitorder="little")
    digits = bits[: int(np.prod(shape)) * width].reshape(-1, width).astype(np.int64)
    return build_constant(table[digits @ (1 << np.arange(width))].reshape(shape))


def build_constant(value: np.ndarray[Any, Any]) -> Kernel:
    """Return a kernel without operands that gives a constant."""
    constant = torch.from_numpy(np.ascontiguousarray(value, np.float32))
    return lambda: constant
