"""Make a network that learns as it will be quantized: the recipe's own graph, with a gradient through every rounding.

The annotation is that of quantize/graph/annotate.py, prepared with PT2E's ``prepare_qat_pt2e``. Forwards it
rounds; backwards a value that was rounded has the gradient of one that was not, and one that was clipped has none
(the straight-through estimator: Bengio et al., arXiv:1308.3432; Jacob et al., CVPR 2018, section 3). Ranges are the
recipe's and stay. Weights and biases of int8 operations learn; what is float does not, so that the heads, and with
them the attention maps, go on meaning the same.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn

from imageqx_export.quantize.distillation import Answers
from imageqx_export.quantize.graph.capture import OUTPUTS, find_tensors, kind_of
from imageqx_export.quantize.graph.interpreter import HookedInterpreter, TensorHook
from imageqx_export.quantize.recipe import WEIGHT_LEVELS, Recipe

if TYPE_CHECKING:
    from torch.fx import GraphModule

POOLED = "heads:mean"


def prepare_for_training(program: GraphModule, recipe: Recipe, *, biases: bool = True) -> GraphModule:
    """Return a captured graph with a fake-quantize module where the built graph quantizes and dequantizes.

    Args:
        program: From :func:`imageqx_export.quantize.graph.capture.capture` with the recipe's rewrites; changed.
        recipe: What to quantize, and how.
        biases: Whether the graph that ``convert_pt2e`` makes of it has int32 biases; no difference before.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchao warns of its own insides, when it is imported and when it runs
        from torchao.quantization.pt2e import FakeQuantize
        from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e
        from torchao.quantization.pt2e.quantizer import QuantizationSpec
        from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

        from imageqx_export.quantize.graph.annotate import RecipeQuantizer

        class LearningQuantizer(RecipeQuantizer):
            """A quantizer with the same annotation, whose weights are rounded too, as PT2E arranges for activations."""

            def annotate(self, model: GraphModule) -> GraphModule:
                annotated = super().annotate(model)
                for node in find_tensors(annotated).values():
                    inputs = node.meta[Q_ANNOTATION_KEY].input_qspec_map
                    for source, spec in inputs.items():
                        if isinstance(spec, QuantizationSpec):
                            rounding = FakeQuantize.with_args(observer=spec.observer_or_fake_quant_ctr)
                            inputs[source] = dataclasses.replace(spec, observer_or_fake_quant_ctr=rounding)
                return annotated

        made: GraphModule = prepare_qat_pt2e(program, LearningQuantizer(recipe, biases=biases))
    return made


class RoundThrough(torch.autograd.Function):
    """A ``torch.fake_quantize_per_tensor_affine``, the same up to ties, that is four times as fast on a CPU."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float, low: int, high: int) -> Tensor:
        """Return ``x`` on the grid scale · {low, …, high}."""
        ctx.save_for_backward(x)
        ctx.ends = (low - 0.5) * scale, (high + 0.5) * scale
        return x.mul(1 / scale).round_().clamp_(low, high).mul_(scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        """Return the gradient where nothing was clipped, and 0 elsewhere."""
        (x,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(gradients[0], x, *ctx.ends), None, None, None


Rounding = tuple[float, int, int]


class LearningInterpreter(HookedInterpreter):
    """A :class:`HookedInterpreter` of a prepared graph, with other parameters and with :class:`RoundThrough`.

    Args:
        program: From :func:`prepare_for_training`.
        hook: Sees each named tensor.
        parameters: To use in place of the graph's own.
        roundings: Per activation's module, by its name, the arguments of :class:`RoundThrough`.
    """

    def __init__(
        self,
        program: GraphModule,
        hook: TensorHook,
        parameters: Mapping[str, Tensor] | None = None,
        roundings: Mapping[str, Rounding] | None = None,
    ) -> None:
        super().__init__(program, hook, parameters)
        self._roundings = roundings or {}

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        """Run one module: an activation's fake quantization in its faster form."""
        if target in self._roundings:
            return RoundThrough.apply(args[0], *self._roundings[target])  # type: ignore[no-untyped-call]
        return super().call_module(target, args, kwargs)


def find_roundings(graph: GraphModule) -> dict[str, Rounding]:
    """Return what :class:`RoundThrough` needs for every activation of a prepared graph, by the module's name."""
    from torchao.quantization.pt2e import FixedQParamsFakeQuantize

    found = {}
    for name, module in graph.named_modules(remove_duplicate=False):  # a consumer shares its producer's module
        if isinstance(module, FixedQParamsFakeQuantize):
            zero, observer = int(module.zero_point), module.activation_post_process
            found[name] = float(module.scale), observer.quant_min - zero, observer.quant_max - zero
    return found


def move_graph(graph: GraphModule, device: torch.device) -> int:
    """Move a captured graph to a device, in place.

    Returns:
        How many checks that its input is where it was, which torch.export has put there, were taken out.
    """
    checks = [n for n in graph.graph.nodes if n.target is torch.ops.aten._assert_tensor_metadata.default]
    for node in checks:
        graph.graph.erase_node(node)
    graph.recompile()
    graph.to(device)
    return len(checks)


@dataclass(frozen=True)
class LearntParameter:
    """One parameter that learns, and its unit: what a step of the optimizer is counted in.

    Args:
        name: In the captured graph.
        unit: float32, broadcasts over the parameter: of a weight its step per channel, of a bias the step of what it
            is added to.
        is_weight: Whether it is a weight.
    """

    name: str
    unit: Tensor
    is_weight: bool


class LearntValues(nn.Module):
    """The values that learn, each parameter divided by its unit, so that one learning rate suits every layer."""

    def __init__(self, values: list[Tensor]) -> None:
        super().__init__()
        self.values = nn.ParameterList(values)

    def forward(self) -> list[Tensor]:
        """Return them."""
        return list(self.values)


@dataclass(frozen=True, eq=False)
class Student:
    """A prepared graph and which of its parameters learn.

    Args:
        graph: From :func:`prepare_for_training`.
        learnt: What learns, in the graph's order.
        matched: Tensors that are compared with the teacher's: what blocks add up, and what is pooled.
        roundings: From :func:`find_roundings`.
        outputs: The names of its outputs, in order.
    """

    graph: GraphModule
    learnt: tuple[LearntParameter, ...]
    matched: tuple[str, ...]
    roundings: Mapping[str, Rounding]
    outputs: tuple[str, ...]

    def run(self, units: list[Tensor], pixels: Tensor) -> tuple[Answers, dict[str, Tensor]]:
        """Return the outputs and the matched tensors.

        Args:
            units: The parameters that learn, each divided by its unit.
            pixels: uint8 [N,H,W,3].
        """
        parameters = self.scale_parameters(units)
        values, seen = run_hooked(
            lambda hook: LearningInterpreter(self.graph, hook, parameters, self.roundings), self.matched, pixels
        )
        return dict(zip(self.outputs, values, strict=True)), seen

    def scale_parameters(self, units: list[Tensor]) -> dict[str, Tensor]:
        """Return what learns as the graph takes it, by name."""
        return {row.name: value * row.unit.to(value.device) for row, value in zip(self.learnt, units, strict=True)}

    def round_parameters(self, units: list[Tensor]) -> dict[str, Tensor]:
        """Return what learns by name, weights on their int8 grids, so that rounding them again changes none."""
        low, high = WEIGHT_LEVELS
        return {
            row.name: (value.round().clamp(low, high) if row.is_weight else value) * row.unit.to(value.device)
            for row, value in zip(self.learnt, units, strict=True)
        }

    def make_values(self) -> LearntValues:
        """Return the graph's own parameters, divided by their units."""
        own = dict(self.graph.named_parameters())
        return LearntValues([own[row.name].detach() / row.unit for row in self.learnt])


def make_student(program: GraphModule, recipe: Recipe) -> Student:
    """Prepare a captured graph for learning.

    Args:
        program: With the recipe's channels; changed.
        recipe: What to quantize, and how.
    """
    matched = tuple(name for name, node in find_tensors(program).items() if kind_of(node) == "add" and "." in name)
    pooled = find_tensors(program).get(POOLED)
    if pooled is not None and isinstance(pooled.args[0], fx.Node) and "tensor" in pooled.args[0].meta:
        matched += (pooled.args[0].meta["tensor"],)
    learnt = _find_learnt(program, recipe)
    outputs = program.meta[OUTPUTS]
    graph = prepare_for_training(program, recipe)
    return Student(graph, learnt, matched, find_roundings(graph), outputs)


def run_teacher(graph: GraphModule, names: tuple[str, ...], pixels: Tensor) -> tuple[Answers, dict[str, Tensor]]:
    """Return a float graph's outputs and named tensors, without a gradient."""
    with torch.no_grad():
        values, seen = run_hooked(lambda hook: HookedInterpreter(graph, hook), names, pixels)
    return dict(zip(graph.meta[OUTPUTS], values, strict=True)), seen


def run_hooked(
    runner: Callable[[TensorHook], HookedInterpreter], names: tuple[str, ...], pixels: Tensor
) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """Run what ``runner`` makes, and return the outputs and the named tensors."""
    seen: dict[str, Tensor] = {}

    def hook(name: str, value: Tensor) -> None:
        if name in names:
            seen[name] = value

    return tuple(runner(hook).run(pixels)), seen


def _find_learnt(program: GraphModule, recipe: Recipe) -> tuple[LearntParameter, ...]:
    own = dict(program.named_parameters())
    steps = {row.tensor: row.scale for row in recipe.activations}
    nodes, found = find_tensors(program), []
    for row in recipe.weights:
        weight, *bias = (str(node.target) for node in nodes[row.tensor].args[1:3] if isinstance(node, fx.Node))
        scales = torch.tensor(row.scales)
        found.append(LearntParameter(weight, scales.reshape(-1, *[1] * (own[weight].dim() - 1)), True))
        for name in bias:  # where what it is added to stays float, its own largest value stands for the range
            step = steps.get(row.tensor) or max(float(own[name].abs().max()), 1e-6) / 127
            found.append(LearntParameter(name, torch.tensor(step), False))
    return tuple(found)
