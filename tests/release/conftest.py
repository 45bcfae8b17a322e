from __future__ import annotations

from pathlib import Path

import pytest

from tests.release.tiny import Publisher, make_publisher, write_export


@pytest.fixture(scope="session")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files that look like an export's."""
    return write_export(tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="session")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another export."""
    return write_export(tmp_path_factory.mktemp("newer"), seed=1)


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory, export: Path, newer: Path) -> Publisher:
    """Publish 1.0.0 and a beta, which tests only read."""
    publisher = make_publisher(tmp_path_factory.mktemp("published"))
    publisher.publish(export, "1.0.0")
    publisher.publish(newer, "1.1.0-beta.1", "beta")
    return publisher


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    """Keys and an empty tree of this test's own."""
    return make_publisher(tmp_path)
