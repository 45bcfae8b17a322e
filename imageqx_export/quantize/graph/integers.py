"""Run a quantized network in integers, number for number as the runtimes do: what every int8 file is compared with.

Each operation between int8 tensors is a sum or a product of integers, exact in float32 while it stays under 2²⁴, times
one factor, rounded half to even, clipped. ONNX Runtime (MLAS), XNNPACK and this multiply by the same float32 factor, so
they give the same integers; float arithmetic on dequantized values tips a few roundings in every million the other way,
and each later layer multiplies them.

Source: Jacob et al., CVPR 2018, section 2.2, with a float32 factor in the place of a fixed-point one, as in XNNPACK's
``fp32`` requantization and MLAS's ``MlasRequantizeOutput``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from imageqx_export.artifact import Outputs, Pixels
from imageqx_export.errors import ConversionError
from imageqx_export.quantize.graph.capture import find_tensors, kind_of
from imageqx_export.quantize.graph.interpreter import run_in_batches
from imageqx_export.quantize.graph.simulate import join_outputs
from imageqx_export.quantize.recipe import ACTIVATION_LEVELS, WEIGHT_LEVELS, ActivationScale, Recipe
from imageqx_export.quantize.rewrites.equalise import GATE_STEP
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node


@dataclass(frozen=True, eq=False)
class IntegerTensor:
    """One int8 tensor: real = step · value.

    Args:
        value: The integers less their zero point, held in float32, in which they are exact.
        step: A float32.
    """

    value: Tensor
    step: np.float32

    @property
    def real(self) -> Tensor:
        """The real values, float32."""
        return self.value * float(self.step)


@dataclass(frozen=True, eq=False)
class IntegerWeight:
    """One int8 weight and its bias, beside the float ones that they stand for.

    Args:
        tensor: The operation's name.
        values: What the weight is in the float network, float32 [out, in, …].
        integers: int8 of the same shape; integer · scale is the value, rounded.
        scales: One a channel, float32 [out].
        bias: int32 [out] in steps of input scale × weight scale; None where the input or the output is not int8.
    """

    tensor: str
    values: np.ndarray[Any, np.dtype[np.float32]]
    integers: np.ndarray[Any, np.dtype[np.int8]]
    scales: np.ndarray[Any, np.dtype[np.float32]]
    bias: np.ndarray[Any, np.dtype[np.int32]] | None = None


def compute_integer_weights(program: GraphModule, recipe: Recipe) -> tuple[IntegerWeight, ...]:
    """Return every int8 weight, in the recipe's order, rounded as the built graph rounds it.

    Args:
        program: From :func:`imageqx_export.quantize.graph.build.capture_for_recipe`.
        recipe: The scales.
    """
    nodes = find_tensors(program)
    steps = {row.tensor: torch.tensor(row.scale) for row in recipe.activations}
    held = dict(program.named_parameters()) | dict(program.named_buffers())
    found = []
    for row in recipe.weights:
        inputs = [node for node in nodes[row.tensor].args[:3] if isinstance(node, fx.Node)]
        value, scales = held[str(inputs[1].target)].detach(), torch.tensor(row.scales)
        # As quantized_decomposed.quantize_per_channel rounds, which the built graph has: × 1/scale, not ÷ scale.
        levels = (value * (1 / scales).reshape(-1, *[1] * (value.ndim - 1))).round().clamp(*WEIGHT_LEVELS)
        step, bias = steps.get(inputs[0].meta.get("tensor", "")), None
        if step is not None and len(inputs) > 2 and row.tensor in steps:
            real = held[str(inputs[2].target)].detach()
            bias = _round_bias(row.tensor, real * (1 / (step * scales)))
        found.append(IntegerWeight(row.tensor, value.numpy(), levels.to(torch.int8).numpy(), scales.numpy(), bias))
    return tuple(found)


def _round_bias(tensor: str, bias: Tensor) -> NDArray[np.int32]:
    rounded = bias.round()
    if rounded.abs().max() >= 2**31:
        raise ConversionError(
            "a bias does not fit int32: a channel's weights are nearly 0 beside it",
            where=f"{tensor}, channel {int(rounded.abs().argmax())}",
            expected="less than 2^31 steps",
            got=f"{float(rounded.abs().max()):.3g}",
            remedy="imageqx quantize, which makes room for it",
        )
    return rounded.to(torch.int32).numpy()


def run_integers(program: GraphModule, recipe: Recipe, pixels: Pixels, *, progress: Progress = silent) -> Outputs:
    """Return the outputs of the quantized network, float32 by name.

    Args:
        program: From :func:`imageqx_export.quantize.graph.build.capture_for_recipe`, for any batch, NHWC; not changed.
        recipe: What is held as integers; anything else is computed in float32.
        pixels: uint8 [N,H,W,3].
        progress: Opens a bar over batches.
    """
    run = IntegerInterpreter(program, recipe)
    return join_outputs(program, run_in_batches(run, pixels, "running in integers", progress=progress))


class IntegerInterpreter(fx.Interpreter):
    """An interpreter that runs a captured graph with a recipe's tensors as integers.

    Args:
        program: As for :func:`run_integers`.
        recipe: Likewise.
    """

    def __init__(self, program: GraphModule, recipe: Recipe) -> None:
        super().__init__(program, garbage_collect_values=True)
        self._rows = {row.tensor: row for row in recipe.activations}
        self._weights = {weight.tensor: weight for weight in compute_integer_weights(program, recipe)}

    def run_node(self, node: Node) -> Any:
        """Run one node: in integers where all that it reads are, else in float32."""
        if node.op == "output":
            return tuple(_to_real(self.env[value]) for value in node.args[0])  # type: ignore[union-attr,index]
        if node.op != "call_function":
            return super().run_node(node)
        args: Any
        kwargs: Any
        args, kwargs = fx.map_arg((node.args, node.kwargs), lambda source: self.env[source])
        row, kind = self._rows.get(node.meta.get("tensor", "")), kind_of(node)
        weight = self._weights.get(node.meta.get("tensor", ""))
        if row is not None and isinstance(args[0], IntegerTensor):
            if kind == "conv" and weight is not None:
                return _compute_conv(args, row, weight)
            if kind in _KERNELS and all(
                isinstance(a, IntegerTensor) or _is_gate(n) for a, n in _pair_operands(args, node)
            ):
                return _KERNELS[kind](args, row)
        if weight is not None:  # a float convolution with rounded weights
            shape = (-1, *[1] * (weight.integers.ndim - 1))
            rounded = torch.from_numpy(weight.integers) * torch.from_numpy(weight.scales).reshape(shape)
            args = (args[0], rounded, *args[2:])
        value = node.target(*(_to_real(a) for a in args), **kwargs)  # type: ignore[operator]
        return value if row is None else _quantize(value, row)


def _pair_operands(args: tuple[Any, ...], node: Node) -> list[tuple[Any, Node]]:
    return [(value, source) for value, source in zip(args, node.args, strict=True) if isinstance(source, fx.Node)]


def _is_gate(node: Node) -> bool:
    return node.op == "get_attr"


def _to_real(value: Any) -> Any:
    return value.real if isinstance(value, IntegerTensor) else value


def _quantize(value: Tensor, row: ActivationScale) -> IntegerTensor:
    """Round real values: ÷ scale, as ONNX's QuantizeLinear and XNNPACK's convert are specified to."""
    return _clip(value / row.scale, row)


def _clip(levels: Tensor, row: ActivationScale) -> IntegerTensor:
    low, high = (level - row.zero_point for level in ACTIVATION_LEVELS)
    return IntegerTensor(levels.round_().clamp_(low, high), np.float32(row.scale))


def _compute_conv(args: tuple[Any, ...], row: ActivationScale, weight: IntegerWeight) -> IntegerTensor:
    x, others = args[0], args[3:]
    total = torch.nn.functional.conv2d(x.value, torch.from_numpy(weight.integers).float(), None, *others)
    if weight.bias is not None:
        total += torch.from_numpy(weight.bias).float()[:, None, None]
    factors = torch.from_numpy(x.step * weight.scales / np.float32(row.scale))
    return _clip(total.mul_(factors[:, None, None]), row)


def _compute_mul(args: tuple[Any, ...], row: ActivationScale) -> IntegerTensor:
    a, b = args
    if not isinstance(b, IntegerTensor):  # a gate
        b = IntegerTensor((b / GATE_STEP).round(), np.float32(GATE_STEP))
    return _clip((a.value * b.value).mul_(float(a.step * b.step / np.float32(row.scale))), row)


def _compute_add(args: tuple[Any, ...], row: ActivationScale) -> IntegerTensor:
    a, b = args
    first, second = (float(x.step / np.float32(row.scale)) for x in (a, b))
    return _clip((a.value * first).add_(b.value * second), row)


def _compute_mean(args: tuple[Any, ...], row: ActivationScale) -> IntegerTensor:
    x, axes, *keep = args
    count = np.prod([x.value.shape[axis] for axis in axes]).astype(np.float32)
    # float32 adds up to 12544 · 255 in whatever order, and every partial sum is exact.
    total = x.value.sum(axes, keepdim=bool(keep and keep[0]))
    return _clip(total.mul_(float(x.step / np.float32(row.scale) / count)), row)


def _compute_sigmoid(args: tuple[Any, ...], row: ActivationScale) -> IntegerTensor:
    return _quantize(args[0].real.sigmoid_(), row)


def _compute_relu(args: tuple[Any, ...], row: ActivationScale) -> IntegerTensor:
    return IntegerTensor(args[0].value.clamp(min=0), np.float32(row.scale))


def _compute_pool(args: tuple[Any, ...], row: ActivationScale) -> IntegerTensor:
    x, *window = args
    return IntegerTensor(torch.nn.functional.max_pool2d(x.value, *window), np.float32(row.scale))


_KERNELS: Mapping[str | None, Callable[[tuple[Any, ...], ActivationScale], IntegerTensor]] = {
    "mul": _compute_mul,
    "add": _compute_add,
    "mean": _compute_mean,
    "sigmoid": _compute_sigmoid,
    "relu": _compute_relu,
    "pool": _compute_pool,
}
