"""``take_model.py``: what an app ships is what was exported, or nothing is taken."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from imageqx_export.support import files

SCRIPT = Path(__file__).parents[2] / "ios_demo" / "take_model.py"


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("take_model", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


take_model = _load()


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Make a folder as an export leaves it."""
    folder = tmp_path / "export"
    artifacts = []
    for precision in ("fp16", "w8"):
        package = folder / f"imageqx_{precision}.mlpackage"
        (package / "Data").mkdir(parents=True)
        (package / "Manifest.json").write_text("{}")
        (package / "Data" / "weight.bin").write_bytes(precision.encode() * 100)
        entry = {"path": package.name, "format": "coreml", "precision": precision, "sha256": files.digest(package)}
        artifacts.append(entry)
    (folder / "golden").mkdir()
    (folder / "golden" / "00.png").write_bytes(b"picture")
    golden = {"00.png": files.digest(folder / "golden" / "00.png")}
    manifest = {"schema_version": 1, "artifacts": artifacts, "golden": golden}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def run(export: Path, target: Path, *words: str) -> int:
    return int(take_model.main(["--from", str(export), "--to", str(target), *words]))


def test_what_was_exported_is_taken(export: Path, tmp_path: Path) -> None:
    target = tmp_path / "Model"
    assert run(export, target) == 0
    assert sorted(one.name for one in target.iterdir()) == ["golden", "imageqx_fp16.mlpackage", "manifest.json"]
    assert files.digest(target / "imageqx_fp16.mlpackage") == files.digest(export / "imageqx_fp16.mlpackage")
    assert run(export, target, "--precision", "w8") == 0
    assert sorted(one.name for one in target.iterdir()) == ["golden", "imageqx_w8.mlpackage", "manifest.json"]


def test_its_digest_is_pythons(tmp_path: Path) -> None:
    for name in ("a/b", "a-b", "a/Z", "ä"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert take_model.digest(tmp_path) == files.digest(tmp_path)


@pytest.mark.parametrize("name", ["imageqx_fp16.mlpackage/Data/weight.bin", "golden/00.png"])
def test_another_file_is_refused(name: str, export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "Model"
    assert run(export, target) == 0
    before = files.digest(target)
    (export / name).write_bytes(b"another")
    assert run(export, target) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and "is not the one that was exported" in error
    assert files.digest(target) == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["Model", "export"]


def test_a_model_that_is_kept_is_checked(export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "Model"
    assert run(export, target, "--keep") == 0 == run(export, target, "--keep", "--precision", "w8")
    assert "kept imageqx_fp16.mlpackage" in capsys.readouterr().out
    (target / "imageqx_fp16.mlpackage" / "Data" / "weight.bin").write_bytes(b"another")
    assert run(export, target, "--keep") == 1


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"schema_version": 1', '"schema_version": 2', "schema_version 2"),
        ('"fp16"', '"fp64"', "no Core ML model of fp16"),
        ('"imageqx_fp16.mlpackage"', '"../imageqx_fp16.mlpackage"', "outside its folder"),
        ("{", "", "is no manifest"),
    ],
)
def test_a_manifest_that_is_none_is_refused(
    old: str, new: str, says: str, export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = export / "manifest.json"
    path.write_text(path.read_text().replace(old, new, 1))
    assert run(export, tmp_path / "Model") == 1
    assert says in capsys.readouterr().err and not (tmp_path / "Model").exists()
    path.unlink()
    assert run(export, tmp_path / "Model") == 1
    assert "make export" in capsys.readouterr().err
