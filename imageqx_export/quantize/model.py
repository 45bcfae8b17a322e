"""The one quantized model: what quantization gives and the exporters only translate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.artifact import Precision
from imageqx_export.errors import ConversionError
from imageqx_export.quantize.graph.build import build_graph, capture_for_recipe
from imageqx_export.quantize.graph.integers import IntegerWeight, compute_integer_weights, run_integers
from imageqx_export.quantize.recipe import Recipe, read_recipe
from imageqx_export.support.processes import quiet
from imageqx_export.support.progress import Progress, silent

if TYPE_CHECKING:
    from torch.fx import GraphModule

    from imageqx_export.artifact import Outputs, Pixels
    from imageqx_export.networks.base import Layout, Network


@dataclass(frozen=True)
class QuantizedModel:
    """A network and how it is quantized.

    Args:
        network: The trained network, eval mode.
        recipe: Every scale, which operations stay float and why, and which images the ranges come from; its JSON is
            what a person reviews.
    """

    network: Network
    recipe: Recipe

    @property
    def precision(self) -> Precision:
        """The numeric scheme."""
        return Precision(self.recipe.precision)

    def graph(
        self, *, layout: Layout = "NHWC", batch: int | None = 1, fold: bool = True, biases: bool = True
    ) -> GraphModule:
        """Return the graph with quantize and dequantize operations; arguments as for :func:`build_graph`."""
        return build_graph(self.network, self.recipe, layout=layout, batch=batch, fold=fold, biases=biases)

    def weights(self) -> tuple[IntegerWeight, ...]:
        """Return the int8 weights and int32 biases, in the graph's order, rounded as the graph rounds them.

        Raises:
            ConversionError: A recipe with int8 weights alone changes more than them, which no exporter would follow.
        """
        if self.precision is Precision.W8 and any(self.recipe.rewrites):
            raise ConversionError(
                "a recipe that rewrites the network has no weights of the float network",
                expected="w8 with weights alone",
                got=self.recipe.precision,
                remedy="imageqx quantize --precision w8",
            )
        return compute_integer_weights(self._program(1), self.recipe)

    def run(self, pixels: Pixels, *, progress: Progress = silent) -> Outputs:
        """Return every output of the quantized network in PyTorch, for uint8 [N,H,W,3]: integers as integers."""
        return run_integers(self._program(None), self.recipe, pixels, progress=progress)

    def _program(self, batch: int | None) -> GraphModule:
        return capture_for_recipe(self.network, self.recipe, batch=batch)


def run_quantized(checkpoint: Path, recipe: Path, pixels: Pixels) -> Outputs:
    """Run a checkpoint in PyTorch, quantized as a recipe says.

    Args:
        checkpoint: The float32 checkpoint.
        recipe: The recipe's file.
        pixels: uint8 [N,H,W,3].

    Raises:
        CheckpointError: The checkpoint cannot be trusted.
        ArtifactError: The recipe cannot be read.
    """
    from imageqx_export.checkpoint import load_checkpoint
    from imageqx_export.quantize.weights import load_quantized_network

    with quiet():
        read = read_recipe(recipe)
        return QuantizedModel(load_quantized_network(read, checkpoint, load_checkpoint(checkpoint)[1]), read).run(
            pixels
        )
