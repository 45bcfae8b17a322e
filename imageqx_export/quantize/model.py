"""The one quantized model: what quantization gives and the exporters only translate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from imageqx_export.artifact import Precision
from imageqx_export.errors import ConversionError
from imageqx_export.quantize.build import build
from imageqx_export.quantize.capture import capture, tensors
from imageqx_export.quantize.recipe import WEIGHT_LEVELS, Recipe

if TYPE_CHECKING:
    from torch.fx import GraphModule

    from imageqx_export.export.graph import Layout
    from imageqx_export.networks.imageqx import ImageQX
    from imageqx_export.runtimes import Outputs, Pixels


@dataclass(frozen=True, eq=False)
class IntegerWeight:
    """Hold one int8 weight beside the float one that it stands for.

    Args:
        tensor: The operation's name.
        values: What it is in the float network, float32 [out, in, …].
        integers: int8 of the same shape; integer · scale is the value, rounded.
        scales: One a channel, float32 [out].
    """

    tensor: str
    values: NDArray[np.float32]
    integers: NDArray[np.int8]
    scales: NDArray[np.float32]


@dataclass(frozen=True)
class QuantizedModel:
    """Hold a network and how it is quantized.

    Args:
        network: The trained network, eval mode.
        recipe: Every scale, which operations stay float and why, and which images the ranges come from; its JSON is
            what a person reviews.
    """

    network: ImageQX
    recipe: Recipe

    @property
    def precision(self) -> Precision:
        """The numeric scheme."""
        return Precision(self.recipe.precision)

    def graph(
        self, *, layout: Layout = "NHWC", batch: int | None = 1, fold: bool = True, biases: bool = True
    ) -> GraphModule:
        """Return the graph with quantize and dequantize operations; arguments as for :func:`build`."""
        return build(self.network, self.recipe, layout=layout, batch=batch, fold=fold, biases=biases)

    def weights(self) -> tuple[IntegerWeight, ...]:
        """Return the int8 weights, in the graph's order, rounded as the graph rounds them.

        Raises:
            ConversionError: The recipe changes more than weights, so that they do not stand for the float network's.
        """
        if self.recipe.channels or self.recipe.biases:
            raise ConversionError(
                "a recipe that rescales channels or shifts biases has no weights of the float network",
                expected="w8 with weights alone", got=self.recipe.precision, remedy="imageqx quantize --precision w8",
            )  # fmt: skip
        program = capture(self.network)
        nodes = tensors(program)
        parameters = dict(program.named_parameters()) | dict(program.named_buffers())
        found = []
        for row in self.recipe.weights:
            value = parameters[nodes[row.tensor].args[1].target].detach()  # type: ignore[union-attr,index]
            scales = torch.tensor(row.scales)
            # As quantized_decomposed.quantize_per_channel rounds, which the graph has.
            levels = (value * (1 / scales).reshape(-1, *[1] * (value.ndim - 1))).round().clamp(*WEIGHT_LEVELS)
            integers = levels.to(torch.int8)
            found.append(IntegerWeight(row.tensor, value.numpy(), integers.numpy(), scales.numpy()))
        return tuple(found)

    def run(self, pixels: Pixels) -> Outputs:
        """Return every output of the quantized network in PyTorch, for uint8 [N,224,224,3]."""
        from imageqx_export.quantize.calibrate import batches
        from imageqx_export.quantize.simulate import OUTPUTS

        program = self.graph(batch=None)
        with torch.inference_mode():
            rows = [program(batch) for batch in batches(pixels)]
        return {name: np.concatenate([row[i].numpy() for row in rows]) for i, name in enumerate(OUTPUTS)}
