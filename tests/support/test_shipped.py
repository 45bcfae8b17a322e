"""Where the shipped checkpoints are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageqx_export.errors import CheckpointError
from imageqx_export.support import shipped
from imageqx_export.support.shipped import find_shipped, refuse_packaged


def test_the_folder_here_comes_first_then_the_wheels_then_the_clones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "package"
    monkeypatch.setattr(shipped, "_PACKAGE", package)
    monkeypatch.setattr(shipped, "PACKAGED", package / "models")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert find_shipped("a.json") == Path("models/a.json")
    for folder in (package.parent / "models", package / "models", Path("models")):
        folder.mkdir(parents=True)
        (folder / "a.json").touch()
        assert find_shipped("a.json") == folder / "a.json"


def test_nothing_is_written_inside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "PACKAGED", tmp_path / "models")
    assert refuse_packaged(Path("models/a.safetensors")) == Path("models/a.safetensors")
    with pytest.raises(CheckpointError, match=r"(?s)nothing is written.*cp .*/models/a\.\* models/"):
        refuse_packaged(tmp_path / "models" / "a.safetensors")
