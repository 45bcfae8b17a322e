"""Parity must pass what is right and fail everything that is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cosine

from imageqx_export.artifact import Manifest, Precision
from imageqx_export.bundle.manifest import read_manifest
from imageqx_export.cli.show import artifacts as show
from imageqx_export.data.images import generate_images
from imageqx_export.errors import ParityError
from imageqx_export.networks.imageqx.spec import spec
from imageqx_export.parity import stage as parity
from imageqx_export.parity.compare import TOLERANCES, OutputParity, ParityReport, Tolerance, compare_outputs
from imageqx_export.quantize.recipe import read_recipe, write_recipe
from imageqx_export.support.files import digest
from tests.conftest import EXPORTED, Cli

SPEC = spec()
FP32 = TOLERANCES[Precision.FP32]
Outputs = dict[str, NDArray[np.float32]]


def outputs(seed: int = 0, count: int = 64) -> Outputs:
    rng = np.random.default_rng(seed)
    return {
        "quality": rng.dirichlet(np.full(4, 0.3), count).astype(np.float32),
        "explanations": rng.beta(0.3, 0.3, (count, 5)).astype(np.float32),
        "attention": rng.gamma(1, 0.1, (count, 5, 7, 7)).astype(np.float32),
    }


def compare(got: Outputs, tolerance: Tolerance = FP32) -> dict[str, OutputParity]:
    return {row.output: row for row in compare_outputs(SPEC, outputs(), got, tolerance)}


def test_tolerances_are_the_published_ones() -> None:
    assert Tolerance(max_abs=1e-4, agreement=1.0, margin=1e-3) == TOLERANCES[Precision.FP32]
    assert Tolerance(max_abs=5e-3, agreement=0.995, margin=0.0) == TOLERANCES[Precision.FP16]
    assert TOLERANCES[Precision.W8] == TOLERANCES[Precision.W8A8] == Tolerance(max_abs=1e-2, agreement=0.999, margin=0)
    assert set(TOLERANCES) == set(Precision)


def test_without_a_tolerance_it_is_measured_and_not_judged() -> None:
    got = outputs()
    got["explanations"] = 1 - got["explanations"]
    row = compare_outputs(SPEC, outputs(), got, None)[1]
    assert row.problems == () and row.differing > 0
    assert row.max_abs == pytest.approx(np.abs(2 * outputs()["explanations"] - 1).max(), abs=1e-6)
    got["explanations"][0] = np.nan
    assert compare_outputs(SPEC, outputs(), got, None)[1].problems


def test_equal_outputs_pass_exactly() -> None:
    for row in compare(outputs()).values():
        assert row.problems == ()
        assert (row.max_abs, row.mean_abs, row.sqnr_db, row.differing) == (0, 0, None, 0)
        assert row.cosine == pytest.approx(1)


def test_the_figures_are_scipys_and_numpys() -> None:
    got = outputs()
    got["attention"] = got["attention"] + np.random.default_rng(1).normal(0, 1e-3, got["attention"].shape).astype(
        np.float32
    )
    row, x, y = compare(got)["attention"], outputs()["attention"].ravel(), got["attention"].ravel()
    assert row.cosine == pytest.approx(1 - cosine(x.astype(float), y.astype(float)), abs=1e-12)
    assert row.max_abs == pytest.approx(np.abs(x - y).max())
    assert row.mean_abs == pytest.approx(np.abs(x - y).mean(dtype=float))
    assert row.sqnr_db == pytest.approx(20 * np.log10(np.linalg.norm(x) / np.linalg.norm(x - y)), abs=1e-3)


@pytest.mark.parametrize("name", ["quality", "explanations", "attention"])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda v: np.where(np.arange(v.size).reshape(v.shape) == 7, np.nan, v), "1 of"),
        (lambda v: np.where(np.arange(v.size).reshape(v.shape) == 7, np.inf, v), "NaN or infinite"),
        (lambda v: v[..., :-1], "shape is"),
        (lambda v: v[:-1], "shape is"),
        (lambda v: v + np.float32(2e-4), "max |Δ|"),
        (lambda v: v[::-1], "max |Δ|"),
    ],
)
def test_damage_to_one_output_fails_that_output_alone(name: str, damage: Any, words: str) -> None:
    got = outputs()
    got[name] = damage(got[name]).astype(np.float32)
    for output, row in compare(got).items():
        assert bool(row.problems) == (output == name)
    assert words in compare(got)[name].problems[0]
    assert "try:" in compare(got)[name].problems[0]


def test_a_missing_output_fails() -> None:
    got = outputs()
    del got["attention"]
    assert "missing" in compare(got)["attention"].problems[0]


def test_swapped_columns_fail_by_decisions_even_within_a_wide_tolerance() -> None:
    got = outputs()
    got["quality"] = got["quality"][:, [1, 0, 2, 3]]
    row = compare(got, Tolerance(max_abs=10, agreement=0.995, margin=0))["quality"]
    assert "decisions differ" in row.problems[0]
    assert row.differing == int((outputs()["quality"].argmax(1) != got["quality"].argmax(1)).sum())


def test_a_tie_is_excused_within_the_margin_and_only_there() -> None:
    def close_call(gap: float) -> OutputParity:
        want, got = outputs(), outputs()
        want["quality"][3] = [0.5 + gap / 2, 0.5 - gap / 2, 0, 0]
        got["quality"][3] = [0.5 - gap / 2, 0.5 + gap / 2, 0, 0]
        tolerance = Tolerance(max_abs=1, agreement=1, margin=1e-3)
        return compare_outputs(SPEC, want, got, tolerance)[0]

    near, far = close_call(5e-4), close_call(2e-3)
    assert (near.differing, near.excused, near.problems) == (0, 1, ())
    assert (far.differing, far.excused) == (1, 0)
    assert far.problems


def test_poor_quality_is_decided_at_its_own_threshold() -> None:
    own = SPEC.model_copy(update={"poor_quality_threshold": 0.3})
    want, got = outputs(), outputs()
    want["quality"][:], got["quality"][:] = [0.6, 0.11, 0, 0.29], [0.6, 0.09, 0, 0.31]
    loose = Tolerance(max_abs=1, agreement=1, margin=0)
    assert compare_outputs(own, want, got, loose)[0].differing == 64
    assert compare_outputs(SPEC, want, got, loose)[0].differing == 0


@pytest.mark.parametrize(
    ("want", "got", "excused"),
    [
        ([0.6, 0.1, 0, 0.2995], [0.6, 0.1, 0, 0.3], True),  # near the threshold
        ([0.6, 0.1, 0, 0.3005], [0.6, 0.1, 0, 0.2995], True),
        ([0.6, 0.1, 0, 0.297], [0.6, 0.1, 0, 0.3], False),
        ([0.4, 0.4, 0, 0.2], [0.35, 0.35, 0, 0.3], False),  # a tie of two others excuses no retake
        ([0.4005, 0.4, 0, 0.1995], [0.4, 0.4005, 0, 0.1995], True),  # a tie of two others
        ([0.404, 0.4, 0, 0.196], [0.4, 0.404, 0, 0.196], False),
        ([0.404, 0.4, 0, 0.2999], [0.4, 0.404, 0, 0.2999], False),  # nearness to the threshold excuses no other label
        ([0.2995, 0.01, 0, 0.2995], [0.01, 0.2995, 0, 0.2995], False),  # the lead over poor quality is no lead here
    ],
)
def test_the_excuse_is_that_of_the_step_that_differs(want: list[float], got: list[float], excused: bool) -> None:
    own = SPEC.model_copy(update={"poor_quality_threshold": 0.3})
    first, second = outputs(), outputs()
    first["quality"][3], second["quality"][3] = want, got
    row = compare_outputs(own, first, second, Tolerance(max_abs=1, agreement=1, margin=1e-3))[0]
    assert (row.excused, row.differing, bool(row.problems)) == ((1, 0, False) if excused else (0, 1, True))


def test_reasons_are_decided_at_their_own_thresholds() -> None:
    own = SPEC.model_copy(update={"thresholds": {**SPEC.thresholds, "blurry": 0.9}})
    want, got = outputs(), outputs()
    want["explanations"][:, 2], got["explanations"][:, 2] = 0.89, 0.91
    loose = Tolerance(max_abs=1, agreement=1, margin=0)
    assert compare_outputs(own, want, got, loose)[1].differing == 64
    assert compare_outputs(SPEC, want, got, loose)[1].differing == 0


@given(st.integers(0, 64))
def test_fp16_tolerates_half_a_percent_of_decisions(flips: int) -> None:
    want, got = outputs(), outputs()
    want["explanations"][:] = 0.499
    got["explanations"][:] = 0.499
    got["explanations"].ravel()[:flips] = 0.501
    row = compare_outputs(SPEC, want, got, TOLERANCES[Precision.FP16])[1]
    assert row.differing == flips
    assert bool(row.problems) == (flips > 0.005 * 320)


# With the real artifacts ----------------------------------------------------------------------------------------


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
    monkeypatch.setattr(parity, "generate_images", lambda: generate_images(2))
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
