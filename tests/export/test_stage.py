"""The main job, on the shipped checkpoint with the real converters."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.reference
import pytest
from PIL import Image

from imageqx_export.artifact import Format, Manifest, Precision
from imageqx_export.bundle.manifest import make_layout
from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.cli.options import parse_names
from imageqx_export.errors import CheckpointError, UnavailableError, UnknownNameError
from imageqx_export.export import stage
from imageqx_export.export.onnx import exporter as onnx_export
from imageqx_export.parity import stage as parity
from imageqx_export.parity.compare import TOLERANCES, Tolerance
from imageqx_export.quantize.recipe import read_recipe
from imageqx_export.runtimes import load_runtime
from imageqx_export.support.files import digest
from imageqx_export.support.folders import stage_folder
from tests.conftest import EXPORTED, Cli

NAMES = ["quality", "explanations", "attention"]
PRECISIONS = [Precision(name) for name in EXPORTED]


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


@pytest.mark.parametrize("precision", PRECISIONS)
def test_onnx_interface(exported: Path, precision: Precision) -> None:
    model = onnx.load(exported / f"imageqx_{precision}.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import if o.domain == ""] == [("", onnx_export.OPSET)]
    (image,) = model.graph.input
    assert image.name == "image"
    assert image.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert [d.dim_value for d in image.type.tensor_type.shape.dim] == [1, 224, 224, 3]
    assert [o.name for o in model.graph.output] == NAMES
    assert {o.type.tensor_type.elem_type for o in model.graph.output} == {onnx.TensorProto.FLOAT}
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata["spec"])["labels"] == ["lesion", "no_skin", "healthy_skin", "poor_quality"]
    assert metadata["precision"] == precision
    weights = {t.data_type for t in model.graph.initializer if np.prod(t.dims) > 1000}
    halves = {Precision.FP32: [], Precision.FP16: [onnx.TensorProto.FLOAT16], Precision.W8: [onnx.TensorProto.INT8]}
    assert weights - {onnx.TensorProto.FLOAT} == set(halves[precision])
    recipe = hashlib.sha256((exported / "quantization" / "imageqx_w8.json").read_bytes()).hexdigest()
    assert metadata.get("recipe_sha256") == (recipe if precision is Precision.W8 else None)


def test_onnx_fp16_rounds_the_weights_after_the_early_stages(exported: Path, checkpoint: Path) -> None:
    """The shipped network is calibrated, and so is what it gives with float16 weights."""
    path = exported / "imageqx_fp16.onnx"
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    stored = [t for t in onnx.load(path).graph.initializer if t.data_type in floats and t.name != "coldness"]
    held = {t.name: t for t in stored if t.dims}  # a scalar is the step of the pixels, not a weight
    early = {name for name in held if name.startswith("early.")}
    assert {tensor.data_type for name, tensor in held.items() if name not in early} == {onnx.TensorProto.FLOAT16}
    assert {held[name].data_type for name in early} == {onnx.TensorProto.FLOAT}
    sizes = {name: int(np.prod(tensor.dims)) for name, tensor in held.items()}
    assert sum(sizes[name] for name in early) < 0.02 * sum(sizes.values())
    image = np.array(Image.open(exported / "golden" / "00.png"))[None]  # a copy: torch wants to be able to write
    assert load_checkpoint(checkpoint)[0].temperatures is not None
    got, expected = load_runtime(path).run(image), load_runtime(checkpoint).run(image)
    for name in NAMES:
        assert got[name].dtype == np.float32
        error = float(np.abs(got[name] - expected[name]).max())
        assert 0 < error < 0.02 * max(1.0, float(expected[name].max()))


def test_nothing_of_this_machine_is_in_the_files(exported: Path) -> None:
    traces = [str(Path(__file__).parent.parent.parent).encode(), os.fsencode(Path.home()), b"site-packages", b".py"]
    for path in (p for p in exported.rglob("*") if p.is_file() and p.suffix != ".png"):
        content = path.read_bytes()
        assert [trace for trace in traces if trace in content] == [], path


def test_onnx_gives_what_the_reference_evaluator_gives(exported: Path) -> None:
    """Independent of ONNX Runtime and of PyTorch: ONNX's own evaluator, in NumPy."""
    golden = json.loads((exported / "golden" / "expected.json").read_text())
    image = np.asarray(Image.open(exported / "golden" / "00.png"))[None]
    model = onnx.load(exported / "imageqx_fp32.onnx")
    model.opset_import[0].version = 19  # the evaluator's first with DequantizeLinear, which is 18's but for new types
    evaluator = onnx.reference.ReferenceEvaluator(model)
    with np.errstate(all="ignore"):  # its sigmoid overflows on the way to a right answer
        values = evaluator.run(None, {"image": image})
    for name, value in zip(NAMES, values, strict=True):
        np.testing.assert_allclose(value[0], np.array(golden["00.png"][name]), atol=1e-4)


def test_tflite_interface(exported: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    for precision in PRECISIONS:
        path = exported / f"imageqx_{precision}.tflite"
        interpreter = Interpreter(str(path))
        assert interpreter.get_signature_list() == {"serving_default": {"inputs": ["image"], "outputs": sorted(NAMES)}}
        (image,) = interpreter.get_input_details()
        assert image["dtype"] is np.uint8
        assert image["shape"].tolist() == [1, 224, 224, 3]
        with zipfile.ZipFile(path) as archive:  # as Android's java.util.zip would
            assert archive.testzip() is None
            metadata = json.loads(archive.read("spec.json"))
        assert json.loads(metadata["spec"])["reasons"][0] == "bad_framing"
        assert metadata["precision"] == precision


def test_coreml_interface(exported: Path) -> None:
    from coremltools.proto import FeatureTypes_pb2, Model_pb2

    for precision in PRECISIONS:
        package = exported / f"imageqx_{precision}.mlpackage"
        model: Any = Model_pb2.Model.FromString((package / "Data/com.apple.CoreML/model.mlmodel").read_bytes())
        assert model.WhichOneof("Type") == "mlProgram"
        assert model.specificationVersion == 7  # iOS 16
        (image,) = model.description.input
        assert image.name == "image"
        assert (image.type.imageType.width, image.type.imageType.height) == (224, 224)
        assert image.type.imageType.colorSpace == FeatureTypes_pb2.ImageFeatureType.RGB
        assert [output.name for output in model.description.output] == NAMES
        metadata = model.description.metadata
        assert metadata.author == "imageqx-export"
        assert "Not a medical device" in metadata.shortDescription
        assert json.loads(metadata.userDefined["spec"])["hints"]["blurry"].startswith("Hold the phone still")
        assert metadata.userDefined["labels"] == "lesion,no_skin,healthy_skin,poor_quality"
        assert not [key for key in metadata.userDefined if "date" in key]


def test_golden_vectors_hold_for_another_runtime(exported: Path) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(exported / "imageqx_fp32.onnx", providers=["CPUExecutionProvider"])
    expected = json.loads((exported / "golden" / "expected.json").read_text())
    assert len(expected) == 12
    labels = set()
    for name, row in expected.items():
        image = np.asarray(Image.open(exported / "golden" / name))
        assert image.shape == (224, 224, 3)
        for output, value in zip(NAMES, session.run(NAMES, {"image": image[None]}), strict=True):
            np.testing.assert_allclose(value[0], np.array(row[output]), atol=1e-4)
        labels.add(int(np.argmax(row["quality"])))
    assert len(labels) >= 2, "twelve inputs that all get one label prove little"


@pytest.mark.parametrize("precision", ["w8", pytest.param("w8a8", marks=pytest.mark.long)])
def test_quantized_golden_vectors_are_the_quantized_networks(exported: Path, precision: str) -> None:
    from ai_edge_litert.interpreter import Interpreter

    floats = json.loads((exported / "golden" / "expected.json").read_text())
    run = Interpreter(str(exported / f"imageqx_{precision}.tflite")).get_signature_runner()
    expected = json.loads((exported / "golden" / f"expected_{precision}.json").read_text())
    assert list(expected) == list(floats)
    lost = 0.0
    for name, row in expected.items():
        got = run(image=np.asarray(Image.open(exported / "golden" / name))[None])
        for output in NAMES:
            np.testing.assert_allclose(got[output][0], np.array(row[output]), atol=1e-4)
            lost = max(lost, float(np.abs(np.subtract(row[output], floats[name][output])).max()))
    assert lost > 1e-2, "float32's would have passed"


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
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imageqx_export.export.coreml.exporter.LIBRARIES", {"no_such_library": "no-such-library"})
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
    exported: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process; those that are isolated read it for themselves."""
    calls: Counter[str] = Counter()

    def count(module: str, name: str) -> None:
        whole: Callable[[Path], Any] = getattr(importlib.import_module(module), name)

        def call(path: Path) -> Any:
            calls[name] += path == checkpoint
            return whole(path)

        monkeypatch.setattr(f"{module}.{name}", call)

    def copy(source: Path, model: str, files: dict[Any, Path], *others: object) -> None:
        for path in files.values():
            shutil.copy(exported / path.name, path)

    count("imageqx_export.checkpoint", "_read")
    for module in ("checkpoint", "export.write", "parity.stage"):
        count(f"imageqx_export.{module}", "digest")
    monkeypatch.setattr(stage, "convert_all", copy)
    config = stage.ExportConfig(checkpoint, tmp_path, formats=[Format.ONNX], precisions=[Precision.FP32])
    assert stage.export_checkpoint(config).passed
    assert calls == {"_read": 1, "digest": 1}
    calls.clear()
    assert parity.check(tmp_path / "imageqx", checkpoint).passed
    assert calls == {"_read": 1, "digest": 1}


def test_an_exports_own_folder_may_be_replaced_by_the_next(exported: Path) -> None:
    assert make_layout("imageqx").find_foreign(exported) == []


def test_artifacts_that_break_parity_are_not_published(
    exported: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
