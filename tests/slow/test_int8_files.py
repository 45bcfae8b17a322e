"""w8a8 of the shipped checkpoint: what the files hold, and what ONNX Runtime makes of it; ``make test-int8``."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from imageqx_export.artifact import Format, Precision
from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.data.images import generate_images
from imageqx_export.export.convert import convert
from imageqx_export.export.onnx import exporter as onnx_export
from imageqx_export.export.tflite import flatbuffer
from imageqx_export.quantize import plan
from imageqx_export.quantize.model import QuantizedModel
from imageqx_export.quantize.recipe import Recipe, read_recipe
from imageqx_export.quantize.weights import load_quantized_network
from imageqx_export.runtimes import load_runtime
from imageqx_export.runtimes.onnx import count_optimised_operations
from imageqx_export.support.files import digest
from imageqx_export.support.processes import quiet, run_isolated

CONVOLUTIONS = 82  # with attention's
GOAL = 4.9e6
LARGE = ("early.stages.1", "early.stages.2", "early.stages.3")  # blocks whose pictures have 28 × 28 pixels or more
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*LeafSpec:FutureWarning",
    "ignore:.*isinstance.treespec:FutureWarning",
    "ignore:Exporting a model while it is in training mode",  # a captured graph has no mode
)


@pytest.fixture(scope="module", params=["shipped", "nothing constant"])
def recipe(checkpoint: Path, request: pytest.FixtureRequest) -> Recipe:
    """Return the shipped recipe, and one whose excitations are all computed, as another checkpoint's may be."""
    if request.param == "shipped":
        return read_recipe(checkpoint.with_suffix(".w8a8.json"))
    held, network = load_checkpoint(checkpoint)
    pixels = generate_images(8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "CALIBRATION_IMAGES", len(pixels))
        return plan.make_w8a8_recipe(network, held.sha256, pixels, "painted", varying=0, narrowed=0)


def wide_gates(recipe: Recipe) -> int:
    """Return how many blocks with a large picture compute their excitations."""
    constant = {row.module for row in recipe.excitations}
    computed = [row.tensor.partition(".scale_activation")[0] for row in recipe.activations if "scale_" in row.tensor]
    assert len(computed) + len(constant) == 16 and not constant & set(computed)
    return sum(path.startswith(LARGE) for path in computed)


@pytest.fixture(scope="module")
def model(checkpoint: Path, recipe: Recipe) -> QuantizedModel:
    return QuantizedModel(load_quantized_network(recipe, checkpoint, load_checkpoint(checkpoint)[1]), recipe)


def agree(path: Path, model: QuantizedModel) -> None:
    """Check that a file gives the quantized network's integers: only the float heads differ, in float32's last digits.

    One rounding that goes the other way, anywhere, would show as 1e-3 or more.
    """
    pixels = generate_images(4)
    with quiet():
        got = load_runtime(path).run(pixels)
    for name, want in model.run(pixels).items():
        assert np.abs(got[name] - want).max() < 1e-5 * max(1, np.abs(want).max()), name
        assert np.abs(got[name][::-1] - want).mean() > 0.01, "the photos are all alike: the test proves nothing"


def test_onnx_runtime_computes_every_int8_convolution_with_integers(
    checkpoint: Path, recipe: Recipe, model: QuantizedModel, tmp_path: Path
) -> None:
    held = load_checkpoint(checkpoint)[0]
    with quiet():
        converted = onnx_export.convert(model.graph(), held)
    path, signed = tmp_path / "u8.onnx", tmp_path / "s8.onnx"
    file = copy.deepcopy(converted)
    onnx_export.arrange_integers(file)
    file.metadata_props.add(key="spec", value=held.spec.model_dump_json())
    onnx.save(file, path)
    onnx_export.arrange_integers(converted, signed=True)
    onnx.save(converted, signed)
    found, others = count_optimised_operations(path), count_optimised_operations(signed)
    constant = len(recipe.excitations)
    assert found["QLinearConv"] == len(recipe.weights) == CONVOLUTIONS - 1 - 2 * constant
    assert found["Conv"] == 1, "attention's"
    assert found["QLinearSigmoid"] == sum(row.tensor.endswith(":sigmoid") for row in recipe.activations)
    assert found["QLinearMul"] == sum(":mul" in row.tensor for row in recipe.activations) + wide_gates(recipe)
    assert (found["QuantizeLinear"], found["Cast"]) == (1, 0), "the pooled features'; pixels are integers already"
    assert others["QLinearConv"] < found["QLinearConv"] / 2, "on this machine int8 activations would do as well"
    assert path.stat().st_size <= GOAL
    agree(path, model)
    if constant:
        agree_without_vnni(path, model, tmp_path)


def agree_without_vnni(path: Path, model: QuantizedModel, folder: Path) -> None:
    """Check the same on valgrind's processor, which has AVX2 alone, and that it would be wrong if nobody asked."""
    code = """
import sys, numpy
from pathlib import Path
from imageqx_export.runtimes import onnx
path, pixels, out = sys.argv[1:]
found = [onnx.load(Path(path)).run(numpy.load(pixels))["quality"]]
onnx.choose_session_config = dict
found.append(onnx.load(Path(path)).run(numpy.load(pixels))["quality"])
numpy.save(out, numpy.stack(found))
"""
    pixels, out = folder / "pixels.npy", folder / "out.npy"
    np.save(pixels, generate_images(2))
    valgrind = ["valgrind", "--tool=none", "-q"]
    subprocess.run([*valgrind, sys.executable, "-c", code, str(path), str(pixels), str(out)], check=True)
    asked, bare = np.load(out)
    want = model.run(np.load(pixels))["quality"]
    assert np.abs(asked - want).max() < 1e-5
    assert np.abs(bare - want).max() > 1e-3, "nothing clips here: the test proves nothing"


def test_tflite_computes_with_integers_from_the_pixels_to_the_heads(
    checkpoint: Path, recipe: Recipe, model: QuantizedModel, tmp_path: Path
) -> None:
    from ai_edge_litert import schema_py_generated as schema

    path = tmp_path / "imageqx_w8a8.tflite"
    recipes = {Precision.W8A8: recipe}
    run_isolated(convert, Format.TFLITE, checkpoint, "imageqx", digest(checkpoint), {Precision.W8A8: path}, recipes)
    assert path.stat().st_size <= GOAL
    file = flatbuffer.read(path.read_bytes())
    (graph,) = file.subgraphs
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    kinds = [names[file.operatorCodes[operator.opcodeIndex].builtinCode] for operator in graph.operators]
    counts = Counter(kinds)
    # One where the pixels become int8; one for the pooled features and one for attention's.
    assert (counts["QUANTIZE"], counts["DEQUANTIZE"]) == (1, 2)
    integers = [
        graph.tensors[operator.inputs[1]].type == schema.TensorType.INT8
        for operator, kind in zip(graph.operators, kinds, strict=True)
        if kind in ("CONV_2D", "DEPTHWISE_CONV_2D")
    ]
    assert integers.count(True) == len(recipe.weights)
    wide = [o for o, kind in zip(graph.operators, kinds, strict=True) if kind == "MUL" and is_wide(graph, o)]
    assert len(wide) == wide_gates(recipe) and (recipe.excitations or len(wide) == 5)
    agree(path, model)


def is_wide(graph: Any, operator: Any) -> bool:
    """Whether a product repeats a factor a channel over a row of pixels."""
    shapes = [list(graph.tensors[index].shape) for index in (*operator.inputs, *operator.outputs)]
    return shapes[0][:3] == [1, 1, 1] and shapes[1] == shapes[2] and shapes[2][:2] == [1, 1] and shapes[2][2] >= 28
