"""A kept export is the cold one, byte for byte; what changed under one is not kept, and a rebuild looks nowhere."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imageqx_export.artifact import Format, Precision
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.cli import artifacts
from imageqx_export.export import stage
from imageqx_export.export.convert import Variant
from imageqx_export.export.kept import (
    make_conversion_key,
    make_export_key,
)
from imageqx_export.export.stage import ExportConfig
from imageqx_export.parity.compare import TOLERANCES, Tolerance
from imageqx_export.release import verify
from imageqx_export.support.files import digest
from imageqx_export.support.progress import silent
from imageqx_export.support.store import open_store
from tests.conftest import ROOT, Cli
from tests.export.test_kept import flip


def test_a_kept_export_is_the_cold_one_and_needs_no_pytorch(
    converted: None, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(name: str) -> ExportConfig:
        formats, precisions = [Format.ONNX, Format.TFLITE], [Precision.FP32]
        out = tmp_path / name
        return ExportConfig(checkpoint, out, formats=formats, precisions=precisions, cache=tmp_path / "cache")

    cold = stage.export_checkpoint(take("cold"))
    assert cold.passed and not cold.kept

    def refuse(*given: object) -> None:
        raise AssertionError("something was made anew")

    monkeypatch.setattr(stage, "load_same", refuse)
    warm = stage.export_checkpoint(take("warm"))
    assert warm.kept and replace(warm, folder=cold.folder, kept=False) == cold
    assert digest(warm.folder) == digest(cold.folder)
    with pytest.raises(AssertionError):  # without the cache, or with another question, it is made
        stage.export_checkpoint(replace(take("no cache"), cache=None))
    with pytest.raises(AssertionError):
        stage.export_checkpoint(replace(take("other"), precisions=[Precision.FP16]))
    for path in (tmp_path / "cache" / "files").iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(AssertionError):
        stage.export_checkpoint(take("damaged"))


def take_one(models: Path, out: Path, cache: Path) -> ExportConfig:
    return ExportConfig(models, out, formats=[Format.ONNX], precisions=[Precision.FP32], cache=cache)


def test_an_export_that_something_changed_under_is_published_and_not_kept(
    converted: None, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: Any = vars(stage)["convert_all"]

    def change(*given: Any) -> None:
        flip(models.with_suffix(".runtimes.json"))
        whole(*given)

    table = models.with_suffix(".runtimes.json").read_bytes()
    monkeypatch.setattr(stage, "convert_all", change)
    config = take_one(models, tmp_path / "out", tmp_path / "cache")
    store = open_store(config.cache)
    key = make_export_key(store, config, {})
    stage.export_checkpoint(config)
    models.with_suffix(".runtimes.json").write_bytes(table)
    assert key == make_export_key(store, config, {}) and store.find(str(key)) is None
    conversion = make_conversion_key(store, load_checkpoint(models)[0], Variant(Format.ONNX, Precision.FP32), {})
    assert store.find(conversion) is None


def test_a_refused_export_keeps_no_conversion_and_says_what_came_from_the_cache(
    converted: None, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = take_one(checkpoint, tmp_path / "out", tmp_path / "cache")
    monkeypatch.setitem(TOLERANCES, Precision.FP32, Tolerance(max_abs=0, agreement=1, margin=0))
    first = stage.export_checkpoint(config)
    assert not first.passed and not any("came from the cache" in note for note in first.notes)
    conversion = make_conversion_key(
        open_store(config.cache), load_checkpoint(checkpoint)[0], Variant(Format.ONNX, Precision.FP32), {}
    )
    assert open_store(config.cache).find(conversion) is None
    again = stage.export_checkpoint(config)
    assert not again.passed
    assert again.notes[-1] == "some of it came from the cache; --no-cache makes it anew"
    fresh = stage.export_checkpoint(replace(config, fresh=True))
    assert not fresh.passed and not any("came from the cache" in note for note in fresh.notes)


def test_the_command_keeps_finds_and_makes_anew(
    converted: None,
    checkpoint: Path,
    cli: Cli,
    tmp_path: Path,
    sizes_alone: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And one that is kept is published without PyTorch."""
    monkeypatch.delenv("IMAGEQX_NO_CACHE")
    monkeypatch.setenv("IMAGEQX_EXPORTS_CACHE", str(tmp_path / "cache"))
    command = ["export", "--formats", "onnx", "--precisions", "fp32", "--budgets", sizes_alone, "--json", "--out"]
    cold = cli(*command, tmp_path / "cold")
    assert cold.returncode == 0 and json.loads(cold.stdout)["from_cache"] is False, cold.stderr
    code = (
        "import sys\n"
        "from imageqx_export.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    assert 'torch' not in sys.modules, 'torch'\n"
    )
    given = [sys.executable, "-c", code, *map(str, command), str(tmp_path / "warm")]
    warm = subprocess.run(given, capture_output=True, text=True, cwd=ROOT, check=False)
    assert warm.returncode == 0 and json.loads(warm.stdout)["from_cache"] is True, warm.stderr
    assert digest(tmp_path / "warm" / "imageqx") == digest(tmp_path / "cold" / "imageqx")
    entries = list((tmp_path / "cache" / "entries").iterdir())
    anew = cli(*command, tmp_path / "anew", "--no-cache")
    assert anew.returncode == 0 and json.loads(anew.stdout)["from_cache"] is False, anew.stderr
    assert sorted((tmp_path / "cache" / "entries").iterdir()) == sorted(entries)


def test_an_account_without_a_home_exports_without_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("IMAGEQX_NO_CACHE")
    for variable in ("IMAGEQX_EXPORTS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(Path, "home", refuse)
    assert artifacts._find_exports_cache() is None


def test_a_rebuild_never_looks_into_the_cache(
    exported: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is proved is that the bytes can be made, not that they are still there."""
    seen: list[ExportConfig] = []

    def record(config: ExportConfig, **others: object) -> None:
        seen.append(config)
        raise InterruptedError

    monkeypatch.setattr(verify, "export_checkpoint", record)
    with pytest.raises(InterruptedError):
        list(verify.rebuild_and_compare(exported, read_manifest(exported), checkpoint, silent))
    assert [config.cache for config in seen] == [None]
