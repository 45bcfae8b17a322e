"""What the tests of attached iPhones share."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageqx_export.bench.ios import app
from tests.bench.ios.fakes import (
    FakeMac,
)


@pytest.fixture
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMac:
    mac = FakeMac(tmp_path / "mac")
    mac.enter(monkeypatch)
    monkeypatch.setattr(app, "find_workspace", lambda: tmp_path / "ModelRunner.xcworkspace")
    return mac
