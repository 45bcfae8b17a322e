"""Checkpoints that the tests of loading share, and how one is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from imageqx_export import networks
from imageqx_export.artifact import ModelSpec, Temperatures
from imageqx_export.checkpoint import load_checkpoint, save_checkpoint
from imageqx_export.errors import CheckpointError
from imageqx_export.networks.imageqx.network import ImageQX

METRICS = {"quality_macro_f1": 0.73, "confusion": [[1, 2], [3, 4]]}


PROVENANCE = {"seed": 7, "data": "gemalte Bilder — ü", "versions": {"torch": "2.13.0"}}


SOME = "explanation_head.weight"


INTEGER = "features.0.1.num_batches_tracked"


def spec(**changes: Any) -> ModelSpec:
    return networks.spec("imageqx").model_copy(update=changes)


@pytest.fixture(scope="module")
def network() -> ImageQX:
    torch.manual_seed(5)
    network = ImageQX()
    with torch.no_grad():
        for name, value in network.named_buffers():
            if value.is_floating_point():
                value.uniform_(0.5, 1.5)
            elif name.endswith("num_batches_tracked"):
                value.fill_(1234)
    return network


@pytest.fixture(scope="module")
def saved(network: ImageQX, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "deep" / "imageqx.safetensors"
    thresholds = dict.fromkeys(networks.spec("imageqx").reasons, 0.25)
    save_checkpoint(network, spec(thresholds=thresholds), METRICS, PROVENANCE, path)
    return path


@pytest.fixture(scope="module")
def tensors(saved: Path) -> dict[str, Tensor]:
    return load_file(saved)


def refused(path: Path) -> str:
    """Load ``path``, which must fail, leave the folder as it was and name the file."""
    before = {file.name: file.stat().st_size for file in path.parent.iterdir()}
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert before == {file.name: file.stat().st_size for file in path.parent.iterdir()}
    assert caught.value.where is not None and caught.value.where.startswith(str(path))
    return str(caught.value)


def write(path: Path, tensors: dict[str, Tensor], header: str | None = None) -> Path:
    save_file(tensors, path, metadata=None if header is None else {"imageqx_export": header})
    return path


TEMPERATURES = Temperatures(quality=1.25, explanations=dict.fromkeys(networks.spec("imageqx").reasons, 0.75))
