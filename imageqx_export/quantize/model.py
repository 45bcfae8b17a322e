"""The one quantized model: what quantization gives and the exporters only translate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.artifact import Precision
from imageqx_export.errors import ConversionError
from imageqx_export.quantize.recipe import Recipe, read_recipe
from imageqx_export.support.arrays import digest_array
from imageqx_export.support.files import digest
from imageqx_export.support.processes import quiet, run_isolated
from imageqx_export.support.progress import Progress, silent
from imageqx_export.support.recall import ARRAYS, recall_each
from imageqx_export.support.store import Store

if TYPE_CHECKING:
    from torch.fx import GraphModule

    from imageqx_export.artifact import Checkpoint, Outputs, Pixels
    from imageqx_export.networks.base import Layout, Network
    from imageqx_export.quantize.graph.integers import IntegerWeight


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
        from imageqx_export.quantize.graph.build import build_graph  # with torch, which what is kept does without

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
        from imageqx_export.quantize.graph.integers import compute_integer_weights

        return compute_integer_weights(self._load_program(1), self.recipe)

    def run(self, pixels: Pixels, *, progress: Progress = silent) -> Outputs:
        """Return every output of the quantized network in PyTorch, for uint8 [N,H,W,3]: integers as integers."""
        from imageqx_export.quantize.graph.integers import run_integers

        return run_integers(self._load_program(None), self.recipe, pixels, progress=progress)

    def run_each(self, sets: Iterable[Pixels]) -> list[Outputs]:
        """Return what :meth:`run` gives for each set of photos, of a graph that is captured once."""
        from imageqx_export.quantize.graph.integers import run_integers

        program = self._load_program(None)
        return [run_integers(program, self.recipe, pixels) for pixels in sets]

    def _load_program(self, batch: int | None) -> GraphModule:
        from imageqx_export.quantize.graph.build import capture_for_recipe

        return capture_for_recipe(self.network, self.recipe, batch=batch)


def run_quantized(checkpoint: Path, sha256: str, recipe: Path, *pixels: Pixels) -> list[Outputs]:
    """Run a checkpoint in PyTorch, quantized as a recipe says.

    Args:
        checkpoint: The float32 checkpoint.
        sha256: Its digest when it was read first.
        recipe: The recipe's file.
        *pixels: Sets of photos, uint8 [N,H,W,3] each; a set's answers are the same, to the bit, whatever others there
            are, which share what it takes to capture the graph.

    Raises:
        CheckpointError: The checkpoint cannot be trusted, or is another by now.
        ArtifactError: The recipe cannot be read.
    """
    from imageqx_export.checkpoint import load_same
    from imageqx_export.quantize.weights import load_quantized_network

    with quiet():
        read = read_recipe(recipe)
        model = QuantizedModel(load_quantized_network(read, checkpoint, load_same(checkpoint, sha256)[1]), read)
        return model.run_each(pixels)


def recall_quantized(store: Store, checkpoint: Checkpoint, recipe: Path, sets: Sequence[Pixels]) -> list[Outputs]:
    """Return what :func:`run_quantized` gives in a process of its own, or gave and is kept.

    Args:
        store: Where it is kept.
        checkpoint: The float32 checkpoint.
        recipe: The recipe's file; it names fine-tuned weights by their digest.
        sets: As for :func:`run_quantized`.

    Raises:
        CheckpointError: As :func:`run_quantized`; likewise the next.
        ArtifactError: The recipe cannot be read, or the process died.
    """
    given = {"checkpoint": checkpoint.sha256, "recipe": digest(recipe) if store.folder is not None else ""}
    return recall_each(
        store,
        sets,
        lambda pixels: store.make_key("quantized", pixels=digest_array(pixels), **given),
        lambda missing: run_isolated(run_quantized, checkpoint.path, checkpoint.sha256, recipe, *missing),
        ARRAYS,
    )
