"""The reference: the float32 checkpoint, as published, in PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from imageqx_export.artifact import ModelSpec, Outputs, Pixels, TensorSpec

if TYPE_CHECKING:
    from imageqx_export.networks.base import Network


class TorchRuntime:
    """A checkpoint in PyTorch; normalisation is applied here, as the network itself takes normalised pixels."""

    def __init__(self, network: Network, spec: ModelSpec) -> None:
        self.network = network.eval()
        self.spec = spec
        self.signature: tuple[TensorSpec, ...] = spec.outputs

    def run(self, pixels: Pixels) -> Outputs:
        """Return every output for uint8 [N,H,W,3] RGB."""
        import torch

        from imageqx_export.networks.pixels import normalise

        parts: dict[str, list[np.ndarray]] = {output.name: [] for output in self.spec.outputs}
        with torch.inference_mode():
            for one in pixels:
                image = torch.from_numpy(np.ascontiguousarray(one))[None]
                outputs = self.network(normalise(image, preprocessing=self.spec.preprocessing))
                for name, values in parts.items():
                    values.append(getattr(outputs, name).numpy())
        return {name: np.concatenate(values) for name, values in parts.items()}


def load(path: Path) -> TorchRuntime:
    """Open a checkpoint.

    Raises:
        CheckpointError: The file cannot be trusted or does not fit the network.
    """
    from imageqx_export.checkpoint import load_checkpoint

    checkpoint, network = load_checkpoint(path)
    return TorchRuntime(network, checkpoint.spec)
