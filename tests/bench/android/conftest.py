"""What the tests of attached Android phones share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.android.fakes import World, world
from tests.bench.android.targets import ARM64


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    """Write a program for arm64, as far as this machine can tell; the phone has a stand-in for it."""
    path = tmp_path / "android_arm64_benchmark_model"
    path.write_bytes(ARM64)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "artifacts"
    path.mkdir()
    return path
