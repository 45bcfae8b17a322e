"""The main job, on the shipped checkpoint with the real converters."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imageqx_export.artifact import Format, Manifest, Precision
from imageqx_export.bundle.manifest import make_layout
from imageqx_export.cli.options import parse_names
from imageqx_export.data.images import generate_images
from imageqx_export.errors import CheckpointError, UnavailableError, UnknownNameError
from imageqx_export.export import stage
from imageqx_export.parity import stage as parity
from imageqx_export.parity.compare import TOLERANCES, Tolerance
from imageqx_export.quantize.recipe import read_recipe
from imageqx_export.support.files import digest
from imageqx_export.support.folders import stage_folder
from tests.conftest import Cli
from tests.export.test_files import PRECISIONS


def manifest_of(folder: Path) -> Manifest:
    return Manifest.model_validate_json((folder / "manifest.json").read_bytes())


def test_everything_is_there_and_the_manifest_says_so(exported: Path, checkpoint: Path) -> None:
    manifest = manifest_of(exported)
    precisions = {artifact.precision for artifact in manifest.artifacts}
    assert precisions >= set(PRECISIONS)
    artifacts = sorted(f"imageqx_{p}{f.suffix}" for f in Format for p in precisions)
    assert sorted(str(artifact.path) for artifact in manifest.artifacts) == artifacts
    names = sorted(path.name for path in exported.iterdir())
    reports = ["budgets.json", "lint.json", "manifest.json", "parity.json"]
    assert names == sorted([*artifacts, *reports, "golden", "quantization"])
    assert manifest.checkpoint_sha256 == digest(checkpoint)
    for artifact in manifest.artifacts:
        assert artifact.sha256 == digest(exported / artifact.path)
        assert "missing" not in artifact.tool_versions.values()
        budget = {"fp32": 16.9e6, "fp16": 8.7e6, "w8": 4.9e6, "w8a8": 5.2e6}[artifact.precision]
        assert 0.45 * budget < artifact.size_bytes <= budget
    recipes = [exported / "quantization" / f"imageqx_{p}.json" for p in precisions & {Precision.W8, Precision.W8A8}]
    assert manifest.recipes == {path.name: digest(path) for path in recipes} != {}
    assert all(read_recipe(path).checkpoint_sha256 == digest(checkpoint) for path in recipes)
    assert list(exported.parent.glob(".*")) == []


@pytest.mark.long
def test_the_same_checkpoint_gives_the_same_bytes(exported: Path, cli: Cli, sizes_alone: Path, tmp_path: Path) -> None:
    """Core ML's identifiers and dates, protobuf's maps and zip's clock all differ from run to run by themselves."""
    again = cli("export", "--precisions", "fp16", "--out", tmp_path, "--json", "--budgets", sizes_alone)
    assert again.returncode == 0, again.stderr
    once_more = tmp_path / "imageqx"
    files = [path.relative_to(once_more) for path in sorted(once_more.rglob("*")) if path.is_file()]
    # They name fp32's files too.
    listings = {Path(name) for name in ("manifest.json", "parity.json", "budgets.json", "lint.json")}
    listings.add(Path("golden/self_test.json"))
    files = [path for path in files if path not in listings]
    assert len(files) > 12 + len(Format)
    different = [str(f) for f in files if digest(exported / f) != digest(tmp_path / "imageqx" / f)]
    assert different == []


@pytest.mark.long
def test_a_killed_export_leaves_the_old_folder_whole(exported: Path, tmp_path: Path) -> None:
    out = tmp_path / "artifacts"
    shutil.copytree(exported, out / "imageqx")
    before = digest(out / "imageqx")
    command = [
        str(Path(sys.executable).parent / "imageqx"),
        "export",
        "--formats",
        "onnx",
        "--precisions",
        "fp32,fp16",
        "--out",
        str(out),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 240
    while not list(out.glob(".imageqx.*.staging/*.onnx")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    assert list(out.glob(".imageqx.*.staging/*.onnx")), "the export ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert digest(out / "imageqx") == before
    with stage_folder(out / "imageqx", make_layout("imageqx")) as staging:
        assert list(out.glob(".imageqx.*.staging")) == [staging.path] and list(staging.path.iterdir()) == []


def test_what_no_export_wrote_stays(cli: Cli, tmp_path: Path) -> None:
    notes = tmp_path / "imageqx" / "photos" / "notes.txt"
    notes.parent.mkdir(parents=True)
    notes.write_text("mine")
    result = cli("export", "--out", tmp_path)
    assert result.returncode == 1 and "holds something else than an export" in result.stderr
    assert "photos/notes.txt" in result.stderr and notes.read_text() == "mine"


@pytest.mark.parametrize(
    ("option", "value", "known"),
    [
        ("--formats", "onnx,tensorrt", "onnx, coreml, tflite"),
        ("--precisions", "int8", "fp32, fp16, w8, w8a8"),
        ("--model", "vgg", "imageqx"),
    ],
)
def test_unknown_names_list_the_known_ones(cli: Cli, tmp_path: Path, option: str, value: str, known: str) -> None:
    result = cli("export", option, value, "--out", tmp_path / "out")
    assert result.returncode == 1
    assert value.split(",")[-1] in result.stderr
    assert known in result.stderr
    assert not (tmp_path / "out").exists()


def test_parse_names_drops_repetitions_and_refuses_nothing_at_all() -> None:
    assert parse_names("format", " ONNX,onnx ,tflite", Format) == ["onnx", "tflite"]
    with pytest.raises(UnknownNameError):
        parse_names("format", ",", Format)


def test_a_bad_checkpoint_writes_nothing(checkpoint: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(checkpoint.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match="whole safetensors"):
        stage.export_checkpoint(stage.ExportConfig(cut, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_missing_library_is_unavailable_not_passed(
    converted: None, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imageqx_export.export.coreml.libraries.LIBRARIES", {"no_such_library": "no-such-library"})
    with pytest.raises(UnavailableError, match="no-such-library not installed") as caught:
        stage.export_checkpoint(stage.ExportConfig(checkpoint, tmp_path / "out"))
    assert "--allow-missing" in str(caught.value)
    assert not (tmp_path / "out").exists()
    with pytest.raises(UnavailableError):  # nothing would be left
        stage.export_checkpoint(
            stage.ExportConfig(checkpoint, tmp_path / "out", formats=[Format.COREML], allow_missing=True)
        )
    result = stage.export_checkpoint(
        stage.ExportConfig(
            checkpoint,
            tmp_path / "out",
            formats=[Format.COREML, Format.ONNX],
            precisions=[Precision.FP32],
            allow_missing=True,
        )
    )
    assert [artifact.format for artifact in result.manifest.artifacts] == [Format.ONNX]
    assert "no-such-library" in result.manifest.unavailable["coreml"]
    assert result.parity.passed


def test_export_and_parity_read_and_hash_the_checkpoint_once(
    converted: None, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process; those that are isolated read it for themselves."""
    calls: Counter[str] = Counter()

    def count(module: str, name: str) -> None:
        whole: Callable[[Path], Any] = getattr(importlib.import_module(module), name)

        def call(path: Path) -> Any:
            calls[name] += path == checkpoint
            return whole(path)

        monkeypatch.setattr(f"{module}.{name}", call)

    count("imageqx_export.checkpoint", "read_safetensors")
    for module in ("checkpoint", "export.write", "parity.reference", "parity.stage"):
        count(f"imageqx_export.{module}", "digest")
    monkeypatch.setattr(parity, "generate_images", lambda spec: generate_images(2, spec=spec))
    config = stage.ExportConfig(checkpoint, tmp_path, formats=[Format.ONNX], precisions=[Precision.FP32])
    assert stage.export_checkpoint(config).passed
    assert calls == {"read_safetensors": 1, "digest": 1}
    calls.clear()
    assert parity.check(tmp_path / "imageqx", checkpoint).passed
    assert calls == {"read_safetensors": 1, "digest": 1}


def test_an_exports_own_folder_may_be_replaced_by_the_next(exported: Path) -> None:
    assert make_layout("imageqx").find_foreign(exported) == []


def test_artifacts_that_break_parity_are_not_published(
    converted: None, exported: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "artifacts"
    shutil.copytree(exported, out / "imageqx")
    before = digest(out / "imageqx")
    monkeypatch.setitem(TOLERANCES, Precision.FP32, Tolerance(max_abs=0, agreement=1, margin=0))
    result = stage.export_checkpoint(
        stage.ExportConfig(checkpoint, out, formats=[Format.ONNX], precisions=[Precision.FP32])
    )
    assert not result.parity.passed
    assert result.folder == out / "imageqx.rejected"
    assert digest(out / "imageqx") == before
