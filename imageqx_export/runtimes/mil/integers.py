"""Integer arithmetic of Core ML programs: what lies between ``dequantize`` and ``quantize``, on integers.

A Core ML program has no integer convolution. It has ``dequantize → conv → quantize``, and hardware with an int8 path
(A17 Pro, M4) computes it on integers: sums of products, times one factor, rounded. That is what is done here, with the
factor in float32, and not the float arithmetic in between, whose roundings tip a few integers in every million the
other way. Hardware without that path computes the floats; both are what the program says, to half a step.

Source: coremltools' guide, "Quantization Overview: Activation quantization"; Jacob et al., CVPR 2018, section 2.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from imageqx_export.runtimes.mil.node import Kernel, Node, dtype_of
from imageqx_export.runtimes.mil.quant import DTYPES
from imageqx_export.runtimes.mil.windows import build_conv


class FusedOperation(NamedTuple):
    """A ``quantize`` and what it reads, as one operation on integers.

    Args:
        kernel: From int8 or uint8 tensors to one.
        operands: The MIL values that it takes.
    """

    kernel: Kernel
    operands: list[Any]


class _Grid(NamedTuple):
    """One number format: real = scale · (integer − zero)."""

    scale: np.float32
    zero: int


Total = Callable[..., Tensor]


def fuse(op: Any, where: str) -> FusedOperation | None:
    """Return a ``quantize`` operation as one on integers; None where what it reads is not computed from integers.

    Args:
        op: The MIL operation.
        where: The file, for messages.

    Raises:
        UnsupportedOpError: A parameter that the evaluator does not know.
    """
    producer, out = op.input.op, _read_grid(op, where)
    if producer is None or out is None or producer.op_type not in _TOTALS:
        return None
    sources = [producer.inputs[name].op for name in ("x", "y") if producer.inputs.get(name) is not None]
    grids = [_find_integer_grid(source, where) for source in sources]
    if grids[0] is None:
        return None
    found = _TOTALS[producer.op_type](producer, grids, out, where)
    if found is None:
        return None
    dtype = DTYPES[Node(op, where).word("output_dtype")]
    ends = torch.iinfo(dtype)
    known = [grid for grid in grids if grid is not None]

    def kernel(*integers: Tensor) -> Tensor:
        values = [x.float().sub_(grid.zero) for x, grid in zip(integers, known, strict=True)]
        return found(*values).round_().clamp_(ends.min - out.zero, ends.max - out.zero).add_(out.zero).to(dtype)

    return FusedOperation(
        kernel, [source.input for source, grid in zip(sources, grids, strict=True) if grid is not None]
    )


def _find_integer_grid(source: Any, where: str) -> _Grid | None:
    """Return the grid of a ``dequantize`` of one scale; None for anything else."""
    if source is None or source.op_type != "dequantize" or dtype_of(source.input) not in DTYPES:
        return None
    return _read_grid(source, where)


def _read_grid(op: Any, where: str) -> _Grid | None:
    node = Node(op, where)
    scale = node.array("scale")
    if scale.size != 1:
        return None
    zero = node.array("zero_point") if node.has("zero_point") else np.zeros(())
    return _Grid(np.float32(scale.reshape(())), int(zero.reshape(())))


def _build_conv(op: Any, grids: list[_Grid | None], out: _Grid, where: str) -> Total | None:
    (x,) = grids
    weight = op.weight.op
    if x is None or weight is None or weight.op_type != "constexpr_affine_dequantize":
        return None
    stored = Node(weight, where)
    data, scale = stored.array("quantized_data"), stored.array("scale").astype(np.float32)
    if stored.value("axis") != 0 or np.any(stored.array("zero_point")) or data.dtype != np.int8:
        return None
    scale = np.broadcast_to(scale, len(data))
    convolved, shape = build_conv(Node(op, where)), (-1, *[1] * (data.ndim - 2))
    factors = torch.from_numpy(x.scale * scale / out.scale).reshape(shape)
    bias: Tensor | None = None
    if op.inputs.get("bias") is not None:
        steps = torch.from_numpy(x.scale * scale)
        real = torch.from_numpy(Node(op, where).array("bias").astype(np.float32))
        bias = (real * (1 / steps)).round_()
    integers = torch.from_numpy(data.astype(np.float32))
    return lambda values: convolved(values, integers, bias).mul_(factors)  # type: ignore[union-attr]


def _build_mul(op: Any, grids: list[_Grid | None], out: _Grid, where: str) -> Total | None:
    x, y = grids
    assert x is not None
    if y is not None:
        factor = float(x.scale * y.scale / out.scale)
        return lambda a, b: (a * b).mul_(factor)
    if op.y.val is None:
        return None
    # The constant's own step, where it has one, is a power of 2 and may stand on either side of the factor.
    constant, alone = torch.from_numpy(np.asarray(op.y.val, np.float32)), float(x.scale / out.scale)
    return lambda a: (a * constant).mul_(alone)


def _build_add(op: Any, grids: list[_Grid | None], out: _Grid, where: str) -> Total | None:
    x, y = grids
    if x is None or y is None:
        return None
    first, second = (float(grid.scale / out.scale) for grid in (x, y))
    return lambda a, b: (a * first).add_(b * second)


def _build_mean(op: Any, grids: list[_Grid | None], out: _Grid, where: str) -> Total | None:
    (x,) = grids
    assert x is not None
    node = Node(op, where)
    axes, keep = (node.value("axes") if node.has("axes") else None), node.value("keep_dims")
    shape = op.x.shape
    axes = list(range(len(shape))) if axes is None else axes
    factor = float(x.scale / out.scale / np.float32(np.prod([shape[axis] for axis in axes])))
    return lambda a: a.sum(axes, keepdim=keep).mul_(factor)


def _build_sigmoid(op: Any, grids: list[_Grid | None], out: _Grid, where: str) -> Total | None:
    (x,) = grids
    assert x is not None
    step, steps = float(x.scale), float(out.scale)
    return lambda a: (a * step).sigmoid_().div_(steps)


_TOTALS: dict[str, Callable[[Any, list[_Grid | None], _Grid, str], Total | None]] = {
    "add": _build_add,
    "conv": _build_conv,
    "mul": _build_mul,
    "reduce_mean": _build_mean,
    "sigmoid": _build_sigmoid,
}
