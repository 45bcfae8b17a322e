"""What several tests of the emulator's downloads share: a small Debian archive, signed with keys of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.emulator.debian_archive import Archive, made_keys, make_archive


@pytest.fixture(scope="module")
def keys() -> Iterator[tuple[Path, Path, Path]]:
    with made_keys() as made:
        yield made


@pytest.fixture
def archive(tmp_path: Path, keys: tuple[Path, Path, Path]) -> Archive:
    return make_archive(tmp_path / "archive", tmp_path / "trees", keys)
