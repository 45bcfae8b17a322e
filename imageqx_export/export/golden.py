"""Draw what the files are compared on, here and on phones, and ask PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from imageqx_export.artifact import Checkpoint, Outputs, Pixels, Precision
from imageqx_export.data.images import generate_images
from imageqx_export.export.write import draw_golden, write_golden
from imageqx_export.parity.reference import run_reference
from imageqx_export.runtimes.torch import TorchRuntime
from imageqx_export.support.progress import Progress
from imageqx_export.support.store import Store

if TYPE_CHECKING:
    from imageqx_export.networks.base import Network


def answer_pictures(
    golden: Path,
    checkpoint: Checkpoint,
    network: Network,
    recipes: Mapping[Precision, Path],
    store: Store,
    progress: Progress,
) -> tuple[Pixels, dict[Precision, Outputs]]:
    """Draw pictures and run PyTorch on them; the golden ones are written with its answers, for phones.

    Args:
        golden: The folder of the golden ones.
        checkpoint: The float32 checkpoint.
        network: It, loaded.
        recipes: The recipe's file of each quantized precision.
        store: Where answers are kept.
        progress: Opens bars.

    Returns:
        Other pictures, uint8 [N,H,W,3], and each precision's outputs for them, to compare files on.
    """
    with progress("drawing pictures to compare on", 2) as advance:
        sets = [draw_golden(checkpoint.spec)]
        advance()
        sets.append(generate_images(spec=checkpoint.spec))
        advance()
    expected, references = run_reference(
        checkpoint, TorchRuntime(network, checkpoint.spec), recipes, sets, store=store, progress=progress
    )
    with progress("writing what phones are compared with", 1) as advance:
        write_golden(golden, sets[0], expected, checkpoint.spec)
        advance()
    return sets[1], references
