"""Nothing that a kept export or conversion depends on may change without a miss, and what is kept is whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imageqx_export.artifact import Checkpoint, Format, Precision
from imageqx_export.budgets.limits import read_budgets
from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.errors import CheckpointError
from imageqx_export.export.convert import Variant, convert
from imageqx_export.export.kept import (
    find_export,
    keep_conversions,
    keep_export,
    make_conversion_key,
    make_export_key,
    read_files,
    restore_conversions,
)
from imageqx_export.export.stage import ExportConfig
from imageqx_export.input_form import InputForm
from imageqx_export.quantize.model import run_quantized
from imageqx_export.quantize.recipe import Recipe, read_recipe
from imageqx_export.support.circumstances import describe_circumstances
from imageqx_export.support.files import digest
from imageqx_export.support.store import Store


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
    keep_conversions(store, checkpoint, keys, files, recipes)
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


BESIDE = (".safetensors", ".w8.json", ".w8a8.json", ".w8a8.safetensors", ".runtimes.json", ".proofs.json")


@pytest.mark.parametrize("suffix", BESIDE)
def test_what_changed_while_it_was_exported_is_not_kept(models: Path, tmp_path: Path, suffix: str) -> None:
    """Minutes lie between the key and what processes read."""
    store, config = Store(tmp_path / "cache"), ExportConfig(models, tmp_path)
    key = make_export_key(store, config, {})
    assert key is not None
    path = models.with_suffix(suffix)
    whole = path.read_bytes()
    (change_scale if suffix in (".w8.json", ".w8a8.json") else flip)(path)
    keep_export(store, key, config, {}, models.parent)
    assert store.find(key) is None
    path.write_bytes(whole)
    keep_export(store, key, config, {}, models.parent)
    assert store.find(key) is not None


@pytest.mark.parametrize("suffix", [".safetensors", ".runtimes.json"])
def test_conversions_of_files_that_changed_meanwhile_are_not_kept(models: Path, tmp_path: Path, suffix: str) -> None:
    store, one = Store(tmp_path / "cache"), Variant(Format.ONNX, Precision.W8)
    checkpoint, recipes = conversions(models)
    files = {one: tmp_path / "imageqx_w8.onnx"}
    files[one].write_bytes(b"converted")
    keys = {one: make_conversion_key(store, checkpoint, one, recipes)}
    path = models.with_suffix(suffix)
    whole = path.read_bytes()
    flip(path)
    keep_conversions(store, checkpoint, keys, files, recipes)
    assert store.find(keys[one]) is None
    path.write_bytes(whole)
    keep_conversions(store, checkpoint, keys, files, recipes)
    assert store.find(keys[one]) == {"imageqx_w8.onnx": b"converted"}


def test_processes_refuse_a_checkpoint_that_changed_meanwhile(models: Path, tmp_path: Path) -> None:
    path = tmp_path / "imageqx_fp32.onnx"
    with pytest.raises(CheckpointError, match="changed while it was used"):
        convert(Format.ONNX, models, "imageqx", "0" * 64, {Precision.FP32: path}, {})
    with pytest.raises(CheckpointError, match="changed while it was used"):
        run_quantized(models, "0" * 64, models.with_suffix(".w8.json"))
    assert not path.exists()


def test_a_checkpoint_that_is_no_file_has_no_key(tmp_path: Path) -> None:
    for path in (Path(), tmp_path, tmp_path / "missing.safetensors"):
        assert make_export_key(Store(tmp_path / "cache"), ExportConfig(path, tmp_path), {}) is None


def test_an_empty_entry_is_no_artifact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Variant(Format.ONNX, Precision.FP32)
    monkeypatch.setattr(Store, "find", lambda store, key: {})
    assert restore_conversions(Store(tmp_path), {one: "key"}, {one: tmp_path / "imageqx_fp32.onnx"}) == [one]


@pytest.fixture(scope="module")
def whole(exported: Path) -> dict[str, bytes]:
    return read_files(exported, exported)


def edit(name: str, change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, bytes]], Any]:
    def apply(files: dict[str, bytes]) -> None:
        value = json.loads(files[name])
        change(value)
        files[name] = json.dumps(value).encode()

    return apply


def other_byte(name: str) -> Callable[[dict[str, bytes]], Any]:
    def apply(files: dict[str, bytes]) -> None:
        found = next(one for one in files if one.startswith(name))
        files[found] = files[found][:-1] + bytes([files[found][-1] ^ 1])

    return apply


def lose(name: str) -> Callable[[dict[str, bytes]], Any]:
    return lambda files: [files.pop(one) for one in list(files) if one.startswith(name)]


@pytest.mark.parametrize(
    "harm",
    [
        other_byte("imageqx_fp32.onnx"),
        other_byte("imageqx_fp16.mlpackage/Data"),
        other_byte("golden/00.png"),
        other_byte("golden/photos/"),
        other_byte("quantization/imageqx_w8.json"),
        lose("imageqx_fp32.tflite"),
        lose("imageqx_fp16.mlpackage/"),
        lose("golden/expected.json"),
        lose("quantization/imageqx_w8.json"),
        lose("manifest.json"),
        lose("parity.json"),
        lose("lint.json"),
        lose("budgets.json"),
        lambda files: files.update({"imageqx_fp16_batch8.onnx": b"more than the manifest names"}),
        lambda files: files.update({"other.txt": b""}),
        edit("parity.json", lambda report: report["artifacts"][0].update(problems=["digest: another"])),
        edit("parity.json", lambda report: report.update(checkpoint_sha256="0" * 64)),
    ],
)
def test_a_kept_export_is_whole_and_was_published_or_it_is_none(
    whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, harm: Callable[[dict[str, bytes]], Any]
) -> None:
    def find(files: dict[str, bytes], budgeted: bool = True) -> object:
        monkeypatch.setattr(Store, "find", lambda store, key: files)
        return find_export(Store(Path("cache")), "key", budgeted=budgeted)

    assert find(whole) is not None
    assert find(whole, budgeted=False) is None
    harmed = dict(whole)
    harm(harmed)
    assert harmed != whole
    assert find(harmed) is None
