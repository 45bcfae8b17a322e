"""Parity of real artifacts: all pass, and whatever is done to one of them fails that one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from imageqx_export.artifact import Manifest
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.cli.show import artifacts as show
from imageqx_export.data.images import generate_images
from imageqx_export.errors import ParityError
from imageqx_export.parity import stage as parity
from imageqx_export.parity.compare import ParityReport
from imageqx_export.quantize.recipe import read_recipe, write_recipe
from imageqx_export.support.files import digest
from tests.conftest import EXPORTED, Cli


@pytest.fixture
def damaged(exported: Path, tmp_path: Path) -> Path:
    """Copy two artifacts, to be damaged."""
    folder = tmp_path / "imageqx"
    folder.mkdir()
    manifest = Manifest.model_validate_json((exported / "manifest.json").read_bytes())
    kept = [a for a in manifest.artifacts if str(a.path) in ("imageqx_fp32.onnx", "imageqx_fp16.tflite")]
    for artifact in kept:
        shutil.copy(exported / artifact.path, folder / artifact.path)
    (folder / "manifest.json").write_text(manifest.model_copy(update={"artifacts": tuple(kept)}).model_dump_json())
    return folder


def resign(folder: Path) -> None:
    """Make the manifest agree with damaged files, so that the numbers must find the damage."""
    manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    fresh = tuple(a.model_copy(update={"sha256": digest(folder / a.path)}) for a in manifest.artifacts)
    (folder / "manifest.json").write_text(manifest.model_copy(update={"artifacts": fresh}).model_dump_json())


def test_all_pass_and_json_tells_both_losses_apart(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = ParityReport.model_validate_json((exported / "parity.json").read_bytes())
    show.show_parity(written, as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["passed"] is True
    assert report["images"] >= 64
    assert len(report["artifacts"]) == len(read_manifest(exported).artifacts) >= 3 * len(EXPORTED)
    assert all(len(row["outputs"]) == 3 and row["passed"] for row in report["artifacts"])
    loss = next(row for row in report["quantization"] if row["precision"] == "w8")
    assert loss["recipe"] == "quantization/imageqx_w8.json"
    # Rounding weights to 8 bits changes something; storing the rounded ones in a file, a hundred times less.
    converted = [row for row in report["artifacts"] if row["precision"] == "w8" and row["path"].endswith(".tflite")]
    for lost, kept in zip(loss["outputs"], converted[0]["outputs"], strict=True):
        assert lost["output"] == kept["output"]
        assert 100 * kept["mean_abs"] < lost["mean_abs"] < 0.05


@pytest.mark.long
def test_w8_is_not_compared_with_the_float_network(exported: Path, checkpoint: Path, tmp_path: Path) -> None:
    """With a recipe of coarser scales the same file must fail; against the float network it would be as it was."""
    folder = tmp_path / "imageqx"
    shutil.copytree(exported, folder, ignore=shutil.ignore_patterns("*.mlpackage", "*fp*"))
    manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    path = folder / "quantization" / "imageqx_w8.json"
    kept = tuple(a for a in manifest.artifacts if str(a.path) == "imageqx_w8.onnx")
    (folder / "manifest.json").write_text(manifest.model_copy(update={"artifacts": kept}).model_dump_json())
    assert parity.compare_artifacts(folder, checkpoint, generate_images(4)).passed
    recipe = read_recipe(path)
    coarser = tuple(row.model_copy(update={"scales": tuple(8 * s for s in row.scales)}) for row in recipe.weights)
    write_recipe(path, recipe.model_copy(update={"weights": coarser}))
    with pytest.raises(ParityError, match="recipe is not the one"):
        parity.compare_artifacts(folder, checkpoint, generate_images(1))
    changed = manifest.model_copy(update={"artifacts": kept, "recipes": {path.name: digest(path)}})
    (folder / "manifest.json").write_text(changed.model_dump_json())
    report = parity.compare_artifacts(folder, checkpoint, generate_images(4))
    assert not report.passed
    assert "max |Δ|" in report.artifacts[0].outputs[0].problems[0]


def change_weight(path: Path) -> None:
    model = onnx.load(path)
    tensor = max(model.graph.initializer, key=lambda t: int(np.prod(t.dims)))
    tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor) * np.float32(1.05), tensor.name))
    onnx.save(model, path)


def swap_outputs(path: Path) -> None:
    model = onnx.load(path)
    first, second = model.graph.output[0], model.graph.output[1]
    swapped = [second, first, model.graph.output[2]]
    copies = [onnx.ValueInfoProto.FromString(output.SerializeToString()) for output in swapped]
    del model.graph.output[:]
    model.graph.output.extend(copies)
    onnx.save(model, path)


def swap_channels(path: Path) -> None:
    model = onnx.load(path)
    image = model.graph.input[0].name
    order = onnx.numpy_helper.from_array(np.array([2, 1, 0]), "bgr")
    for node in model.graph.node:
        node.input[:] = ["swapped" if name == image else name for name in node.input]
    model.graph.initializer.append(order)
    model.graph.node.insert(0, onnx.helper.make_node("Gather", [image, "bgr"], ["swapped"], axis=3))
    onnx.save(model, path)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def delete(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("imageqx_fp32.onnx", change_weight, "max |Δ|"),
        ("imageqx_fp32.onnx", swap_channels, "max |Δ|"),
        ("imageqx_fp32.onnx", swap_outputs, "outputs are ['explanations', 'quality', 'attention']"),
        ("imageqx_fp32.onnx", truncate, "cannot read"),
        ("imageqx_fp16.tflite", truncate, "imageqx_fp16.tflite"),
        ("imageqx_fp16.tflite", delete, "no such file"),
    ],
)
def test_a_damaged_artifact_fails_and_is_named(
    damaged: Path, checkpoint: Path, name: str, damage: Any, words: str
) -> None:
    damage(damaged / name)
    if (damaged / name).exists():
        resign(damaged)
    report = parity.compare_artifacts(damaged, checkpoint, generate_images(8))
    assert not report.passed
    assert {row.path: row.passed for row in report.artifacts} == {
        "imageqx_fp32.onnx": name != "imageqx_fp32.onnx",
        "imageqx_fp16.tflite": name != "imageqx_fp16.tflite",
    }
    (bad,) = [row for row in report.artifacts if not row.passed]
    problems = [*bad.problems, *(problem for output in bad.outputs for problem in output.problems)]
    assert any(words in problem for problem in problems), problems


def test_a_file_that_is_not_the_manifests_fails(damaged: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity, "generate_images", lambda spec: generate_images(2, spec=spec))
    path = damaged / "imageqx_fp32.onnx"
    model = onnx.load(path)
    model.doc_string = "the same numbers, other bytes"
    onnx.save(model, path)
    result = cli("parity", damaged)
    assert result.returncode == 1
    assert "SHA-256" in result.stdout
    assert "FAIL" in result.stdout


def test_another_checkpoint_is_refused(damaged: Path, checkpoint: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(checkpoint.read_bytes() + b"\0")
    with pytest.raises(ParityError, match="another checkpoint"):
        parity.compare_artifacts(damaged, other, outputs_unused())
    with pytest.raises(ParityError, match="no manifest"):
        parity.compare_artifacts(tmp_path, checkpoint, outputs_unused())
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ParityError, match="not valid"):
        parity.compare_artifacts(tmp_path, checkpoint, outputs_unused())


def outputs_unused() -> NDArray[np.uint8]:
    return np.zeros((1, 224, 224, 3), np.uint8)
