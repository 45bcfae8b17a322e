"""What the tests of folders share."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageqx_export.support import folders
from tests.support.versions import publish


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Give a published folder of version 1, alone in its parent."""
    target = tmp_path / "place" / "imageqx"
    publish(target, 1)
    return target


@pytest.fixture(params=[True, False], ids=["swap", "no swap"])
def swapping(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if not request.param:
        monkeypatch.setattr(folders, "_exchange", lambda one, other: False)
    return bool(request.param)
