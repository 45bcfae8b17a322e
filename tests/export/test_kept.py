"""A kept export is the cold one, byte for byte; and nothing that it depends on may change without a miss."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imageqx_export.artifact import Checkpoint, Format, Precision
from imageqx_export.budgets.limits import read_budgets
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.export import stage
from imageqx_export.export.convert import Variant
from imageqx_export.export.kept import (
    find_export,
    keep_conversions,
    make_conversion_key,
    make_export_key,
    restore_conversions,
)
from imageqx_export.export.stage import ExportConfig
from imageqx_export.input_form import InputForm
from imageqx_export.quantize.recipe import Recipe, read_recipe
from imageqx_export.release import verify
from imageqx_export.support.circumstances import describe_circumstances
from imageqx_export.support.files import digest
from imageqx_export.support.progress import silent
from imageqx_export.support.store import Store


@pytest.fixture
def models(checkpoint: Path, tmp_path: Path) -> Path:
    """Return a checkpoint with all that lies beside it, to change."""
    folder = tmp_path / "models"
    folder.mkdir()
    for path in checkpoint.parent.glob(f"{checkpoint.stem}.*"):
        shutil.copy(path, folder)
    return folder / checkpoint.name


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

    monkeypatch.setattr(stage, "load_checkpoint", refuse)
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


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def change_scale(path: Path) -> None:
    recipe = read_recipe(path)
    first, *others = recipe.weights
    scales = (first.scales[0] * 1.5, *first.scales[1:])
    changed = recipe.model_copy(update={"weights": (first.model_copy(update={"scales": scales}), *others)})
    path.write_text(changed.model_dump_json())


@pytest.mark.parametrize(
    ("suffix", "change"),
    [
        (".safetensors", flip),
        (".w8.json", change_scale),
        (".w8a8.json", change_scale),
        (".w8a8.safetensors", flip),
        (".w8a8.json", Path.unlink),
        (".runtimes.json", flip),
        (".proofs.json", flip),
    ],
)
def test_another_byte_of_a_file_that_is_read_misses(
    models: Path, tmp_path: Path, suffix: str, change: Callable[[Path], Any]
) -> None:
    store = Store(tmp_path / "cache")
    before = make_export_key(store, ExportConfig(models, tmp_path), {})
    assert before == make_export_key(store, ExportConfig(models, tmp_path / "elsewhere"), {})
    change(models.with_suffix(suffix))
    assert make_export_key(store, ExportConfig(models, tmp_path), {}) != before


@pytest.mark.parametrize("part", ["code", "libraries", "python", "machine", "settings"])
def test_another_circumstance_misses(models: Path, tmp_path: Path, part: str) -> None:
    def describe() -> dict[str, str]:
        return found | {part: found[part] + "1"}

    found = describe_circumstances()
    keys = [
        make_export_key(Store(tmp_path / "cache", one), ExportConfig(models, tmp_path), {})
        for one in (lambda: found, describe)
    ]
    assert keys[0] != keys[1]


def test_limits_names_and_photos_are_inputs(models: Path, tmp_path: Path) -> None:
    store, config = Store(tmp_path / "cache"), ExportConfig(models, tmp_path)
    limits = read_budgets()
    assert limits.accuracy is not None
    looser = limits.model_copy(update={"accuracy": limits.accuracy.model_copy(update={"samples": 4001})})
    others = [
        config,
        replace(config, model="imageqx"),
        replace(config, formats=[Format.ONNX]),
        replace(config, budgets=limits),
        replace(config, budgets=looser),
        replace(config, recipes=[models.with_suffix(".w8.json")]),
        replace(config, forms=[InputForm(batch=None)]),
        replace(config, forms=[InputForm(), InputForm(batch=None)]),
    ]
    assert len({make_export_key(store, one, {}) for one in others}) == len(others)
    assert make_export_key(store, config, {"coreml": "not installed"}) != make_export_key(store, config, {})
    assert make_export_key(store, replace(config, calibration=tmp_path), {}) is None


def conversions(path: Path) -> tuple[Checkpoint, dict[Precision, Recipe]]:
    recipes = {p: read_recipe(path.with_suffix(f".{p}.json")) for p in (Precision.W8, Precision.W8A8)}
    return load_checkpoint(path)[0], recipes


def test_after_another_recipe_its_own_precision_alone_is_made_again(models: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "cache")
    files = {Variant(f, p): tmp_path / "out" / f"imageqx_{p}{f.suffix}" for f in Format for p in Precision}
    (tmp_path / "out").mkdir()
    for (format, precision, _), path in files.items():
        if format is Format.COREML:
            path.mkdir()
            (path / "Manifest.json").write_text(precision)
        else:
            path.write_text(f"{format} {precision}")
    checkpoint, recipes = conversions(models)
    keys = {one: make_conversion_key(store, checkpoint, one, recipes) for one in files}
    assert restore_conversions(store, keys, files) == list(files)
    keep_conversions(store, keys, files, list(files))
    before = digest(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "out").mkdir()
    assert restore_conversions(store, keys, files) == []
    assert digest(tmp_path / "out") == before
    change_scale(models.with_suffix(".w8a8.json"))
    checkpoint, recipes = conversions(models)
    again = {one: make_conversion_key(store, checkpoint, one, recipes) for one in files}
    assert restore_conversions(store, again, files) == [Variant(f, Precision.W8A8) for f in Format]
    flip(models.with_suffix(".runtimes.json"))
    assert not set(again.values()) & {make_conversion_key(store, checkpoint, one, recipes) for one in files}


def test_what_is_kept_under_the_name_of_an_export_must_be_one(models: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "cache")
    for files in ({}, {"manifest.json": b"{}"}, {"other.txt": b""}):
        store.keep("key", files)
        assert find_export(store, "key") is None


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
