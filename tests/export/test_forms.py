"""Files that take other than one photo of bytes: the same answers, and a ModelSpec that is true of the file."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from imageqx_export.artifact import Checkpoint, Format, Precision
from imageqx_export.bundle.manifest import make_layout, name_artifact
from imageqx_export.decisions import refuse_undecidable
from imageqx_export.export.form import take_form
from imageqx_export.input_form import DEFAULT_FORM, InputForm, InputKind, read_form
from imageqx_export.lint.stage import lint_files
from imageqx_export.model_spec import ModelSpec, TensorSpec
from imageqx_export.quantize.model import QuantizedModel
from imageqx_export.quantize.plan import make_w8_recipe, make_w8a8_recipe
from imageqx_export.runtimes import load_runtime
from imageqx_export.runtimes.torch import TorchRuntime
from tests.networks.toy import SIZE, SPEC, Toy, toy

PRECISIONS = (Precision.FP32, Precision.W8, Precision.W8A8)
OTHERS = [
    ("onnx", InputForm(kind=InputKind.FLOAT32_NCHW, batch=None)),
    ("tflite", InputForm(kind=InputKind.FLOAT32_NCHW, batch=4)),
    ("coreml", InputForm(kind=InputKind.FLOAT32_NCHW, batch=4)),
    ("onnx", InputForm(batch=None)),
    ("onnx", InputForm(kind=InputKind.FLOAT32_NHWC, batch=4)),
    ("tflite", InputForm(kind=InputKind.FLOAT32_NHWC)),
    ("tflite", InputForm(batch=4)),
    ("coreml", InputForm(kind=InputKind.FLOAT32_NHWC)),
]
CASES = OTHERS[:1] + [pytest.param(*case, marks=pytest.mark.long) for case in OTHERS[1:]]


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (256, SIZE.height, SIZE.width, 3), np.uint8)


@pytest.fixture(scope="module")
def quantized(pixels: NDArray[np.uint8]) -> dict[Precision, QuantizedModel]:
    network = toy()
    w8a8 = make_w8a8_recipe(network, "ab" * 32, pixels, "noise", narrowed=0)
    return {
        Precision.W8: QuantizedModel(network, make_w8_recipe(network, "ab" * 32)),
        Precision.W8A8: QuantizedModel(network, w8a8),
    }


def write(
    network: Toy, form: InputForm, format: str, quantized: dict[Precision, QuantizedModel], folder: Path
) -> dict[Precision, Path]:
    exporter = importlib.import_module(f"imageqx_export.export.{format}.exporter")
    checkpoint = take_form(Checkpoint(path=folder / "toy.safetensors", sha256="ab" * 32, spec=SPEC), form)
    suffix = {"onnx": ".onnx", "tflite": ".tflite", "coreml": ".mlpackage"}[format]
    paths = {precision: folder / f"toy_{precision}{form.suffix}{suffix}" for precision in PRECISIONS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converters warn of their own insides
        exporter.write(network, checkpoint, paths, quantized)
    return paths


@pytest.mark.parametrize(("format", "form"), CASES, ids=lambda value: getattr(value, "suffix", value))
def test_a_file_of_another_form_says_the_same_and_what_it_takes(
    tmp_path: Path,
    pixels: NDArray[np.uint8],
    quantized: dict[Precision, QuantizedModel],
    format: str,
    form: InputForm,
) -> None:
    network = toy()
    floats = TorchRuntime(network, SPEC).run(pixels[:6])
    for precision, path in write(network, form, format, quantized, tmp_path).items():
        runtime = load_runtime(path)
        refuse_undecidable(runtime.spec, runtime.signature, path)
        own = runtime.spec.model_copy(update={"min_runtime": {}})  # of a Core ML package the iOS
        assert read_form(own) == form and own == form.describe(SPEC)
        assert [one.shape for one in runtime.signature] == [one.shape for one in runtime.spec.outputs]
        want = floats if precision is Precision.FP32 else quantized[precision].run(pixels[:6])
        for name, values in runtime.run(pixels[:6]).items():  # of which the second batch of four is not full
            limit = 1e-5 if format != "coreml" or precision is Precision.FP32 else 5e-3
            assert values.shape == want[name].shape and np.abs(values - want[name]).max() <= limit, (path.name, name)


def read_every_pixel(pixels: NDArray[np.uint8]) -> tuple[Toy, dict[Precision, QuantizedModel]]:
    """Return a toy whose first convolution has a stride of 1, as VGG16's."""
    network = toy()
    stem = network.features.get_submodule("0.0")
    assert isinstance(stem, torch.nn.Conv2d)
    stem.stride = (1, 1)
    w8a8 = make_w8a8_recipe(network, "ab" * 32, pixels, "noise", narrowed=0)
    return network, {
        Precision.W8: QuantizedModel(network, make_w8_recipe(network, "ab" * 32)),
        Precision.W8A8: QuantizedModel(network, w8a8),
    }


@pytest.mark.long
@pytest.mark.parametrize("form", [DEFAULT_FORM, InputForm(kind=InputKind.FLOAT32_NHWC)], ids=lambda form: form.suffix)
def test_integers_whose_pixels_are_framed_in_float_take_what_their_form_says(
    tmp_path: Path, pixels: NDArray[np.uint8], form: InputForm
) -> None:
    """No pixels are paired at a stride of 1, so that no QUANTIZE follows the bytes, and they enter by DEQUANTIZE."""
    network, quantized = read_every_pixel(pixels)
    paths = write(network, form, "tflite", quantized, tmp_path)
    assert lint_files(list(paths.values())).passed
    found = load_runtime(paths[Precision.W8A8]).run(pixels[:6])
    for name, want in quantized[Precision.W8A8].run(pixels[:6]).items():
        assert np.abs(found[name] - want).max() <= 1e-5, name


def test_a_frame_that_lies_above_and_below_is_repeated_once(tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    """A first convolution of stride 1 reads the same constant on both sides of the picture."""
    import onnx

    network, quantized = read_every_pixel(pixels)
    floats = TorchRuntime(network, SPEC).run(pixels[:6])
    for precision, path in write(network, InputForm(batch=None), "onnx", quantized, tmp_path).items():
        expanded = [node.input[0] for node in onnx.load(path).graph.node if node.op_type == "Expand"]
        assert len(expanded) == len(set(expanded)) == (2 if precision is Precision.W8A8 else 0), precision
        want = floats if precision is Precision.FP32 else quantized[precision].run(pixels[:6])
        for name, values in load_runtime(path).run(pixels[:6]).items():
            assert np.abs(values - want[name]).max() <= 1e-5, (precision, name)


def test_a_constant_may_stand_twice_in_one_concat() -> None:
    """As float32 graphs of others may have it: both places get the one that is repeated."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 32, 48, 3))
    framed = helper.make_tensor_value_info("framed", TensorProto.FLOAT, (1, 34, 48, 3))
    row = numpy_helper.from_array(np.full((1, 1, 48, 3), 7, np.float32), "row")
    node = helper.make_node("Concat", ["row", "image", "row"], ["framed"], axis=1)
    graph = helper.make_graph([node], "framed", [image], [framed], [row])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    output = TensorSpec(name="framed", shape=(1, 34, 48, 3), dtype="float32")
    form = InputForm(batch=None)
    spec = form.describe(SPEC.model_copy(update={"outputs": (output,)}))
    importlib.import_module("imageqx_export.export.onnx.entry").take_form(model, form, spec, integers=False)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    photos = np.zeros((3, 32, 48, 3), np.float32)
    (found,) = session.run(None, {"image": photos})
    assert np.array_equal(found, np.pad(photos, ((0, 0), (1, 1), (0, 0), (0, 0)), constant_values=7))


def test_a_file_takes_what_its_spec_says_and_nothing_else(tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    """The library alone, fed by hand as torchvision's users would: the same answer; bytes and the old shape refused."""
    import onnxruntime

    form = InputForm(kind=InputKind.FLOAT32_NCHW, batch=None)
    exporter = importlib.import_module("imageqx_export.export.onnx.exporter")
    checkpoint = take_form(Checkpoint(path=tmp_path / "toy.safetensors", sha256="ab" * 32, spec=SPEC), form)
    path = tmp_path / "toy.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exporter.write(toy(), checkpoint, {Precision.FP32: path}, {})
    session = onnxruntime.InferenceSession(path)
    (fed,) = session.get_inputs()
    assert (fed.type, fed.shape) == ("tensor(float)", ["batch", 3, SIZE.height, SIZE.width])
    want = TorchRuntime(toy(), SPEC).run(pixels[:5])["good"]
    tensor = pixels[:5].transpose(0, 3, 1, 2).astype(np.float32) / 255
    assert np.abs(session.run(["good"], {"image": tensor})[0] - want).max() < 1e-5
    assert np.abs(session.run(["good"], {"image": tensor * 255})[0] - want).max() > 0.01, "the range is of the file"
    with pytest.raises(Exception, match="Unexpected input data type"):
        session.run(["good"], {"image": pixels[:5]})


def test_one_photo_of_bytes_changes_nothing() -> None:
    assert InputForm().describe(SPEC) is SPEC
    assert "range" not in SPEC.model_dump_json()
    assert name_artifact(SPEC, *_kind()) == "toy_fp32.onnx"
    assert ModelSpec.model_validate_json(SPEC.model_dump_json()) == SPEC


def test_names_tell_forms_apart_and_belong_to_an_export(tmp_path: Path) -> None:
    names = {name_artifact(form.describe(SPEC), *_kind()) for _, form in OTHERS}
    assert len(names) == len({form for _, form in OTHERS})
    assert "toy_fp32_float32-nchw_dynamic.onnx" in names
    layout = make_layout("toy")
    for name in names:
        (tmp_path / name).touch()
    assert layout.find_foreign(tmp_path) == []
    (tmp_path / "toy_fp32_float64-nchw.onnx").touch()
    assert layout.find_foreign(tmp_path) == ["toy_fp32_float64-nchw.onnx"]


@pytest.mark.parametrize(
    ("shape", "dtype", "span"),
    [
        ((0, 32, 48, 3), "uint8", None),
        ((1, 3, 32, 48), "uint8", None),
        ((1, 32, 48, 3), "float32", None),
        ((1, 32, 48, 3), "float32", (-1.0, 1.0)),
        ((1, 32, 48, 3), "uint8", (0.0, 1.0)),
        ((2000, 32, 48, 3), "uint8", None),
    ],
)
def test_an_input_that_no_export_writes_is_refused(
    shape: tuple[int, ...], dtype: str, span: tuple[float, float] | None
) -> None:
    image = TensorSpec.model_validate({"name": "image", "shape": shape, "dtype": dtype, "range": span})
    with pytest.raises(ValueError, match=dtype):
        read_form(SPEC.model_copy(update={"inputs": (image,)}))


def test_what_a_format_has_not_is_said_with_what_to_do() -> None:
    load = importlib.import_module
    onnx, tflite, coreml = (load(f"imageqx_export.export.{name}.exporter") for name in ("onnx", "tflite", "coreml"))
    assert onnx.explain_refused(InputForm(batch=None), toy()) is None
    assert "name it" in tflite.explain_refused(InputForm(batch=None), toy())
    assert "float32-nchw" in coreml.explain_refused(InputForm(batch=4), toy())
    assert tflite.explain_refused(InputForm(batch=4), toy()) is None


def _kind() -> tuple[Format, Precision]:
    return Format.ONNX, Precision.FP32
