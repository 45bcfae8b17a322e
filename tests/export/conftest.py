"""Checkpoints with all that lies beside them, which tests of what is kept change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def models(checkpoint: Path, tmp_path: Path) -> Path:
    """Return a checkpoint with all that lies beside it, to change."""
    folder = tmp_path / "models"
    folder.mkdir()
    for path in checkpoint.parent.glob(f"{checkpoint.stem}.*"):
        shutil.copy(path, folder)
    return folder / checkpoint.name
