"""What several tests of thresholds take."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageqx_export.checkpoint import load_checkpoint, save_checkpoint
from imageqx_export.networks.imageqx.spec import spec
from tests.conftest import CHECKPOINT


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the shipped weights as they were before they were calibrated."""
    path = tmp_path_factory.mktemp("plain") / "imageqx.safetensors"
    save_checkpoint(load_checkpoint(CHECKPOINT)[1], spec(), {}, {}, path)
    return path
