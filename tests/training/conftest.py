"""What the training room's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageqx_export.networks.imageqx import network as imageqx
from tests.training import fakes


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train the real heads on a small backbone."""
    monkeypatch.setattr(imageqx, "_make_backbone", fakes.small_backbone)


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve rated photos; not to be written to."""
    return fakes.rated_photos(tmp_path_factory.mktemp("rated"))
