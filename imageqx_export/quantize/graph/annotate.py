"""Tell torchao's PT2E what a recipe says: which tensor has which scale.

The recipe has decided everything beforehand, so that nothing is observed here: preparing and converting gives the
same graph every time. A consumer shares its producer's scale, so that converters find integer operations and leave no
quantize–dequantize pair inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx
from torchao.quantization.pt2e import ObserverBase
from torchao.quantization.pt2e.quantizer import (
    DerivedQuantizationSpec,
    FixedQParamsQuantizationSpec,
    QuantizationAnnotation,
    QuantizationSpec,
    QuantizationSpecBase,
    Quantizer,
    SharedQuantizationSpec,
)
from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

from imageqx_export.quantize.graph.capture import find_tensors, kind_of
from imageqx_export.quantize.recipe import ACTIVATION_LEVELS, WEIGHT_LEVELS, ActivationScale, Recipe, WeightScales
from imageqx_export.quantize.rewrites.equalise import GATE

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

BIAS_LEVELS = (-(2**31), 2**31 - 1)


class FixedChannelObserver(ObserverBase):  # type: ignore[misc]
    """An observer of fixed scales, one an output channel; it looks at nothing.

    Args:
        scales: One a channel.
        **kwargs: What torchao passes to every observer.
    """

    def __init__(self, scales: tuple[float, ...], **kwargs: Any) -> None:
        super().__init__(dtype=torch.int8, is_dynamic=False)
        self.scales = torch.tensor(scales)
        self.qscheme, self.ch_axis = torch.per_channel_symmetric, 0
        self.quant_min, self.quant_max = WEIGHT_LEVELS

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x``."""
        return x

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Return the scales and as many zeros."""
        return self.scales, torch.zeros(len(self.scales), dtype=torch.int64)


class RecipeQuantizer(Quantizer):  # type: ignore[misc]
    """A PT2E quantizer that annotates a captured graph with a recipe.

    Args:
        recipe: What to do.
        biases: Whether biases are held as int32 with scale input × weight, where input and weight are int8.
    """

    def __init__(self, recipe: Recipe, *, biases: bool = True) -> None:
        super().__init__()
        self._activations = {row.tensor: row for row in recipe.activations}
        self._weights = {row.tensor: row for row in recipe.weights}
        self._biases = biases

    def annotate(self, model: GraphModule) -> GraphModule:
        """Write an annotation on every node that the recipe names."""
        for name, node in find_tensors(model).items():
            inputs: dict[Node, QuantizationSpecBase | None] = {}
            for producer in node.all_input_nodes:
                if producer.meta.get("tensor") in self._activations and name in self._activations:
                    inputs[producer] = SharedQuantizationSpec(producer)
                elif producer.op == "get_attr" and kind_of(node) == "mul" and name in self._activations:
                    inputs[producer] = make_activation_spec(GATE)
            if name in self._weights:
                inputs[_list_operands(node)[1]] = make_weight_spec(self._weights[name])
                self._annotate_bias(node, inputs)
            output = make_activation_spec(self._activations[name]) if name in self._activations else None
            node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(
                input_qspec_map=inputs, output_qspec=output, _annotated=True
            )
        return model

    def validate(self, model: GraphModule) -> None:
        """Check that every name in the recipe is in the graph.

        Raises:
            KeyError: One is not.
        """
        missing = (set(self._activations) | set(self._weights)) - set(find_tensors(model))
        if missing:
            raise KeyError(f"the recipe names tensors that the graph does not have: {sorted(missing)}")

    def _annotate_bias(self, node: Node, inputs: dict[Node, QuantizationSpecBase | None]) -> None:
        producer, weight, *bias = _list_operands(node)
        if not self._biases or not bias or producer.meta.get("tensor") not in self._activations:
            return
        inputs[bias[0]] = DerivedQuantizationSpec(
            derived_from=[(producer, node), (weight, node)],
            derive_qparams_fn=_derive_bias_scales,
            dtype=torch.int32,
            quant_min=BIAS_LEVELS[0],
            quant_max=BIAS_LEVELS[1],
            qscheme=torch.per_channel_symmetric,
            ch_axis=0,
        )


def make_activation_spec(row: ActivationScale) -> FixedQParamsQuantizationSpec:
    """Return torchao's words for one int8 tensor."""
    low, high = ACTIVATION_LEVELS
    return FixedQParamsQuantizationSpec(
        dtype=torch.int8,
        scale=row.scale,
        zero_point=row.zero_point,
        quant_min=low,
        quant_max=high,
        qscheme=torch.per_tensor_affine,
    )


def make_weight_spec(row: WeightScales) -> QuantizationSpec:
    """Return torchao's words for one int8 weight."""
    low, high = WEIGHT_LEVELS
    return QuantizationSpec(
        dtype=torch.int8,
        observer_or_fake_quant_ctr=FixedChannelObserver.with_args(scales=row.scales),
        quant_min=low,
        quant_max=high,
        qscheme=torch.per_channel_symmetric,
        ch_axis=0,
    )


def _derive_bias_scales(sources: list[Any]) -> tuple[Tensor, Tensor]:
    (activation, _), (weight, _) = (source.calculate_qparams() for source in sources)
    scales = activation * weight
    return scales, torch.zeros(len(scales), dtype=torch.int64)


def _list_operands(node: Node) -> list[Node]:
    """Return a convolution's or a linear layer's input, weight and, where it has one, bias."""
    return [argument for argument in node.args[:3] if isinstance(argument, fx.Node)]
