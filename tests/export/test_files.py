"""What is in the exported files: their interfaces, their weights and their golden outputs, by other readers."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.reference
import pytest
from PIL import Image

from imageqx_export.artifact import Precision
from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.export.onnx import exporter as onnx_export
from imageqx_export.runtimes import load_runtime
from tests.conftest import EXPORTED

NAMES = ["quality", "explanations", "attention"]
PRECISIONS = [Precision(name) for name in EXPORTED]


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
        # coremltools puts a map of torch.export's debug handles, 126 kB, beside a program that came from there.
        listed = {
            item["path"] for item in json.loads((package / "Manifest.json").read_text())["itemInfoEntries"].values()
        }
        assert listed == {"com.apple.CoreML/model.mlmodel", "com.apple.CoreML/weights"}
        files = {str(file.relative_to(package)) for file in package.rglob("*") if file.is_file()}
        assert files == {
            "Manifest.json",
            *(f"Data/com.apple.CoreML/{n}" for n in ("model.mlmodel", "weights/weight.bin")),
        }
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
