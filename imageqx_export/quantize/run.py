"""Run a checkpoint as a recipe quantizes it, in PyTorch: what quantized artifacts are compared with."""

from __future__ import annotations

from pathlib import Path

from imageqx_export.artifact import (
    Outputs,
    Pixels,
)
from imageqx_export.support.processes import quiet


def run_quantized(checkpoint: Path, recipe: Path, pixels: Pixels) -> Outputs:
    """Run a checkpoint in PyTorch, quantized as a recipe says.

    Args:
        checkpoint: The float32 checkpoint.
        recipe: The recipe's file.
        pixels: uint8 [N,224,224,3].

    Raises:
        CheckpointError: The checkpoint cannot be trusted.
        ArtifactError: The recipe cannot be read.
    """
    from imageqx_export.checkpoint import load_checkpoint
    from imageqx_export.quantize.model import QuantizedModel
    from imageqx_export.quantize.stage import read_recipe
    from imageqx_export.quantize.weights import network_for

    with quiet():
        read = read_recipe(recipe)
        return QuantizedModel(network_for(read, checkpoint, load_checkpoint(checkpoint)[1]), read).run(pixels)
