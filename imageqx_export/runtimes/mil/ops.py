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
from imageqx_export.runtimes.mil.quant import affine_dequantize, dequantize, lut_to_dense, quantize, stored
from imageqx_export.runtimes.mil.windows import conv, padded, pool


def _plain(function: Kernel, *params: str) -> Builder:
    def build(node: Node) -> Kernel:
        node.take(*params)
        return function

    return build


def _scalars(function: Kernel, *params: str) -> Builder:
    def build(node: Node) -> Kernel:
        node.take("x")
        values = [node.value(param) for param in params]
        return lambda x: function(x, *values)

    return build


def _reduce(function: Callable[..., Tensor]) -> Builder:
    def build(node: Node) -> Kernel:
        node.take("x")
        axes, keep = node.value("axes") if node.has("axes") else None, node.value("keep_dims")
        return lambda x: function(x, dim=tuple(range(x.dim()) if axes is None else axes), keepdim=keep)

    return build


def _pad(node: Node) -> Kernel:
    node.take("x")
    flat, mode, value = node.value("pad"), node.word("mode"), node.value("constant_val")
    pairs = list(zip(flat[::2], flat[1::2], strict=True))

    def pad(x: Tensor) -> Tensor:
        if mode == "constant":
            return padded(x, pairs, value)
        for dim, pair in enumerate(pairs, x.dim() - len(pairs)):
            # torch pads only some ranks by reflection; an index per dimension serves all of them.
            index = np.pad(np.arange(x.shape[dim]), pair, mode="reflect" if mode == "reflect" else "edge")
            x = x.index_select(dim, torch.from_numpy(index))
        return x

    return pad


def _slice(node: Node) -> Kernel:
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


def _reshape(node: Node) -> Kernel:
    node.take("x")
    shape = node.value("shape")

    def reshape(x: Tensor) -> Tensor:
        return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(shape)])

    return reshape


def _squeeze(node: Node) -> Kernel:
    node.take("x")
    axes = tuple(node.value("axes")) if node.has("axes") else None
    return lambda x: x.squeeze() if axes is None else x.squeeze(axes)


def _expand_dims(node: Node) -> Kernel:
    node.take("x")
    axes = node.value("axes")

    def expand(x: Tensor) -> Tensor:
        rank = x.dim() + len(axes)
        for axis in sorted(axis % rank for axis in axes):
            x = x.unsqueeze(axis)
        return x

    return expand


def _split(node: Node) -> Kernel:
    node.take("x")
    axis = node.value("axis")
    sizes = node.value("split_sizes") if node.has("split_sizes") else None
    count = node.value("num_splits") if node.has("num_splits") else None
    return lambda x: x.split(sizes or x.shape[axis] // count, axis)


def _concat(node: Node) -> Kernel:
    node.take("values")
    axis, interleave = node.value("axis"), node.value("interleave")

    def concat(*values: Tensor) -> Tensor:
        dim = axis % values[0].dim()
        return torch.stack(values, dim + 1).flatten(dim, dim + 1) if interleave else torch.cat(values, dim)

    return concat


def _matmul(node: Node) -> Kernel:
    node.take("x", "y")
    flip_x, flip_y = node.value("transpose_x"), node.value("transpose_y")

    def flipped(x: Tensor, flip: bool) -> Tensor:
        return x.mT if flip and x.dim() > 1 else x

    return lambda x, y: torch.matmul(flipped(x, flip_x), flipped(y, flip_y))


def _batch_norm(node: Node) -> Kernel:
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


def _gelu(node: Node) -> Kernel:
    node.take("x")
    kernels: dict[str, Kernel] = {
        "EXACT": F.gelu,
        "TANH_APPROXIMATION": lambda x: F.gelu(x, approximate="tanh"),
        "SIGMOID_APPROXIMATION": lambda x: x * torch.sigmoid(1.702 * x),
    }
    return kernels[node.word("mode")]


def _cast(node: Node) -> Kernel:
    node.take("x")
    dtype = {"bool": torch.bool, "int32": torch.int32}.get(node.word("dtype"), torch.float32)
    return lambda x: x.to(dtype)


def _einsum(node: Node) -> Kernel:
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
    **{name: _plain(function, "x") for name, function in _UNARY.items()},
    **{name: _plain(function, "x", "y") for name, function in _BINARY.items()},
    "avg_pool": pool,
    "batch_norm": _batch_norm,
    "cast": _cast,
    "clip": _scalars(lambda x, low, high: x.clamp(low, high), "alpha", "beta"),
    "concat": _concat,
    "constexpr_affine_dequantize": affine_dequantize,
    "constexpr_cast": lambda node: stored(node.array("source_val")),
    "constexpr_lut_to_dense": lut_to_dense,
    "conv": conv,
    "dequantize": dequantize,
    "einsum": _einsum,
    "expand_dims": _expand_dims,
    "gelu": _gelu,
    "inverse": _scalars(lambda x, epsilon: 1.0 / (x + epsilon), "epsilon"),
    "leaky_relu": _scalars(F.leaky_relu, "alpha"),
    "linear": _plain(F.linear, "x", "weight", "bias"),
    "log": _scalars(lambda x, epsilon: torch.log(x + epsilon), "epsilon"),
    "matmul": _matmul,
    "max_pool": pool,
    "pad": _pad,
    "quantize": quantize,
    "reduce_max": _reduce(torch.amax),
    "reduce_mean": _reduce(torch.mean),
    "reduce_min": _reduce(torch.amin),
    "reduce_sum": _reduce(lambda x, dim, keepdim: torch.sum(x, dim, keepdim, dtype=x.dtype)),
    "reshape": _reshape,
    "rsqrt": _scalars(lambda x, epsilon: torch.rsqrt(x + epsilon), "epsilon"),
    "sigmoid_hard": _scalars(lambda x, alpha, beta: (alpha * x + beta).clamp(0, 1), "alpha", "beta"),
    "slice_by_index": _slice,
    "softmax": _scalars(torch.softmax, "axis"),
    "split": _split,
    "squeeze": _squeeze,
    "transpose": _scalars(torch.permute, "perm"),
}
"""The table: MIL's name of an operation → what builds its kernel."""
