"""The operators that the Core ML evaluator knows, each as a builder of a torch function.

Kernels compute in float32; the caller rounds to float16.

Source: the MIL operation specification, https://apple.github.io/coremltools/source/coremltools.converters.mil.mil.ops.defs.html.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imageqx_export.runtimes.mil.node import Builder, Kernel, Node
from imageqx_export.runtimes.mil.quant import (
    build_affine_dequantize,
    build_constant,
    build_dequantize,
    build_lut_to_dense,
    build_quantize,
)
from imageqx_export.runtimes.mil.windows import build_conv, build_pool, pad_tensor


def _make_plain(function: Kernel, *params: str) -> Builder:
    def build(node: Node) -> Kernel:
        node.take(*params)
        return function

    return build


def _make_with_scalars(function: Kernel, *params: str) -> Builder:
    def build(node: Node) -> Kernel:
        node.take("x")
        values = [node.value(param) for param in params]
        return lambda x: function(x, *values)

    return build


def _make_reduction(function: Callable[..., Tensor]) -> Builder:
    def build(node: Node) -> Kernel:
        node.take("x")
        axes, keep = node.value("axes") if node.has("axes") else None, node.value("keep_dims")
        return lambda x: function(x, dim=tuple(range(x.dim()) if axes is None else axes), keepdim=keep)

    return build


def _build_pad(node: Node) -> Kernel:
    node.take("x")
    flat, mode, value = node.value("pad"), node.word("mode"), node.value("constant_val")
    pairs = list(zip(flat[::2], flat[1::2], strict=True))

    def pad(x: Tensor) -> Tensor:
        if mode == "constant":
            return pad_tensor(x, pairs, value)
        for dim, pair in enumerate(pairs, x.dim() - len(pairs)):
            # torch pads only some ranks by reflection; an index per dimension serves all of them.
            index = np.pad(np.arange(x.shape[dim]), pair, mode="reflect" if mode == "reflect" else "edge")
            x = x.index_select(dim, torch.from_numpy(index))
        return x

    return pad


def _build_slice(node: Node) -> Kernel:
    node.take("x")
    begin, end = node.value("begin"), node.value("end")
    stride = node.value("stride") if node.has("stride") else [1] * len(begin)
    masks = ("begin_mask", "end_mask", "squeeze_mask")
    no_begin, no_end, drop = (node.value(m) if node.has(m) else [False] * len(begin) for m in masks)

    def cut(x: Tensor) -> Tensor:
        for i in reversed(range(x.dim())):
            if drop[i]:
                x = x.select(i, begin[i])
                continue
            span = slice(None if no_begin[i] else begin[i], None if no_end[i] else end[i], stride[i])
            # torch has no negative steps; an index has.
            x = x.index_select(i, torch.from_numpy(np.arange(x.shape[i])[span].copy()))
        return x

    return cut


def _build_reshape(node: Node) -> Kernel:
    node.take("x")
    shape = node.value("shape")

    def reshape(x: Tensor) -> Tensor:
        return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(shape)])

    return reshape


def _build_squeeze(node: Node) -> Kernel:
    node.take("x")
    axes = tuple(node.value("axes")) if node.has("axes") else None
    return lambda x: x.squeeze() if axes is None else x.squeeze(axes)


def _build_expand_dims(node: Node) -> Kernel:
    node.take("x")
    axes = node.value("axes")

    def expand(x: Tensor) -> Tensor:
        rank = x.dim() + len(axes)
        for axis in sorted(axis % rank for axis in axes):
            x = x.unsqueeze(axis)
        return x

    return expand


def _build_split(node: Node) -> Kernel:
    node.take("x")
    axis = node.value("axis")
    sizes = node.value("split_sizes") if node.has("split_sizes") else None
    count = node.value("num_splits") if node.has("num_splits") else None
    return lambda x: x.split(sizes or x.shape[axis] // count, axis)


def _build_concat(node: Node) -> Kernel:
    node.take("values")
    axis, interleave = node.value("axis"), node.value("interleave")

    def concat(*values: Tensor) -> Tensor:
        dim = axis % values[0].dim()
        return torch.stack(values, dim + 1).flatten(dim, dim + 1) if interleave else torch.cat(values, dim)

    return concat


def _build_matmul(node: Node) -> Kernel:
    node.take("x", "y")
    flip_x, flip_y = node.value("transpose_x"), node.value("transpose_y")

    def flip_matrix(x: Tensor, flip: bool) -> Tensor:
        return x.mT if flip and x.dim() > 1 else x

    return lambda x, y: torch.matmul(flip_matrix(x, flip_x), flip_matrix(y, flip_y))


def _build_batch_norm(node: Node) -> Kernel:
    node.take("x")
    mean, variance = node.array("mean").astype(np.float64), node.array("variance").astype(np.float64)
    gamma, beta = (node.array(p).astype(np.float64) if node.has(p) else None for p in ("gamma", "beta"))
    scale = (1.0 if gamma is None else gamma) / np.sqrt(variance + node.value("epsilon"))
    shift = (0.0 if beta is None else beta) - mean * scale
    factors = [torch.from_numpy(np.asarray(a, np.float32)) for a in (scale, shift)]

    def normalise(x: Tensor) -> Tensor:
        scale, shift = (factor.reshape(-1, *[1] * (x.dim() - 2)) for factor in factors)
        return x * scale + shift

    return normalise


def _build_gelu(node: Node) -> Kernel:
    node.take("x")
    kernels: dict[str, Kernel] = {
        "EXACT": F.gelu,
        "TANH_APPROXIMATION": lambda x: F.gelu(x, approximate="tanh"),
        "SIGMOID_APPROXIMATION": lambda x: x * torch.sigmoid(1.702 * x),
    }
    return kernels[node.word("mode")]


def _build_cast(node: Node) -> Kernel:
    node.take("x")
    dtype = {"bool": torch.bool, "int32": torch.int32}.get(node.word("dtype"), torch.float32)
    return lambda x: x.to(dtype)


def _build_einsum(node: Node) -> Kernel:
    node.take("values")
    equation = node.value("equation")
    return lambda *values: torch.einsum(equation, *values)


_UNARY: dict[str, Kernel] = {
    "abs": torch.abs,
    "ceil": torch.ceil,
    "exp": torch.exp,
    "floor": torch.floor,
    "identity": lambda x: x,
    "relu": torch.relu,
    "relu6": F.relu6,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "softplus": F.softplus,
    "sqrt": torch.sqrt,
    "square": torch.square,
    "tanh": torch.tanh,
}
_BINARY: dict[str, Kernel] = {
    "add": torch.add,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "mul": torch.mul,
    "pow": torch.pow,
    "real_div": torch.div,
    "sub": torch.sub,
}
OPS: dict[str, Builder] = {
    **{name: _make_plain(function, "x") for name, function in _UNARY.items()},
    **{name: _make_plain(function, "x", "y") for name, function in _BINARY.items()},
    "avg_pool": build_pool,
    "batch_norm": _build_batch_norm,
    "cast": _build_cast,
    "clip": _make_with_scalars(lambda x, low, high: x.clamp(low, high), "alpha", "beta"),
    "concat": _build_concat,
    "constexpr_affine_dequantize": build_affine_dequantize,
    "constexpr_cast": lambda node: build_constant(node.array("source_val")),
    "constexpr_lut_to_dense": build_lut_to_dense,
    "conv": build_conv,
    "dequantize": build_dequantize,
    "einsum": _build_einsum,
    "expand_dims": _build_expand_dims,
    "gelu": _build_gelu,
    "inverse": _make_with_scalars(lambda x, epsilon: 1.0 / (x + epsilon), "epsilon"),
    "leaky_relu": _make_with_scalars(F.leaky_relu, "alpha"),
    "linear": _make_plain(F.linear, "x", "weight", "bias"),
    "log": _make_with_scalars(lambda x, epsilon: torch.log(x + epsilon), "epsilon"),
    "matmul": _build_matmul,
    "max_pool": build_pool,
    "pad": _build_pad,
    "quantize": build_quantize,
    "reduce_max": _make_reduction(torch.amax),
    "reduce_mean": _make_reduction(torch.mean),
    "reduce_min": _make_reduction(torch.amin),
    "reduce_sum": _make_reduction(lambda x, dim, keepdim: torch.sum(x, dim, keepdim, dtype=x.dtype)),
    "reshape": _build_reshape,
    "rsqrt": _make_with_scalars(lambda x, epsilon: torch.rsqrt(x + epsilon), "epsilon"),
    "sigmoid_hard": _make_with_scalars(lambda x, alpha, beta: (alpha * x + beta).clamp(0, 1), "alpha", "beta"),
    "slice_by_index": _build_slice,
    "softmax": _make_with_scalars(torch.softmax, "axis"),
    "split": _build_split,
    "squeeze": _build_squeeze,
    "transpose": _make_with_scalars(torch.permute, "perm"),
}
"""The table: MIL's name of an operation → what builds its kernel."""
