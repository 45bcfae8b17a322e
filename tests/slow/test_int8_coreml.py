"""What the quantized Core ML files hold, read with coremltools' own loader; ``make test-int8``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imageqx_export.artifact import Format, Outputs, Pixels, Precision
from imageqx_export.checkpoint import load_checkpoint
from imageqx_export.data.images import generate_images
from imageqx_export.export.convert import convert
from imageqx_export.export.coreml import exporter as coreml
from imageqx_export.quantize.model import QuantizedModel
from imageqx_export.quantize.recipe import read_recipe
from imageqx_export.quantize.weights import load_quantized_network
from imageqx_export.runtimes import load_runtime
from imageqx_export.runtimes.mil import runtime as mil
from imageqx_export.support.files import digest
from imageqx_export.support.processes import run_isolated

MODELS = Path(__file__).parent.parent.parent / "models"
WEIGHTED = ("conv", "linear")
MODEL = "Data/com.apple.CoreML/model.mlmodel"


@pytest.fixture(scope="module")
def quantized() -> dict[Precision, QuantizedModel]:
    """Give what the exporters were given."""
    checkpoint = MODELS / "imageqx.safetensors"
    network = load_checkpoint(checkpoint)[1]
    recipes = {p: read_recipe(MODELS / f"imageqx.{p}.json") for p in (Precision.W8, Precision.W8A8)}
    return {p: QuantizedModel(load_quantized_network(r, checkpoint, network), r) for p, r in recipes.items()}


@pytest.fixture(scope="module")
def packages(quantized: dict[Precision, QuantizedModel], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    paths = {precision: package(folder, precision) for precision in quantized}
    recipes = {precision: model.recipe for precision, model in quantized.items()}
    checkpoint = MODELS / "imageqx.safetensors"
    run_isolated(convert, Format.COREML, checkpoint, "imageqx", digest(checkpoint), paths, recipes)
    return folder


def package(folder: Path, precision: Precision) -> Path:
    return folder / f"imageqx_{precision}.mlpackage"


def operations(path: Path) -> list[Any]:
    """Load a package into MIL as coremltools does; constants left out."""
    program, _ = mil._read(path)
    return [op for op in program.functions["main"].operations if op.op_type != "const"]


def kind(var: Any) -> str:
    return str(var.op.op_type) if var.op is not None else "input"


@pytest.mark.parametrize("precision", [Precision.W8, Precision.W8A8])
def test_weights_are_the_integers_and_scales_that_quantization_chose(
    packages: Path, quantized: dict[Precision, QuantizedModel], precision: Precision
) -> None:
    """One by one, in the graph's order; a scale is the same number where the arithmetic is float16."""
    stored = [op for op in operations(package(packages, precision)) if op.op_type == "constexpr_affine_dequantize"]
    weights = quantized[precision].weights()
    assert len(stored) == len(weights) >= 50
    for op, weight in zip(stored, weights, strict=True):
        np.testing.assert_array_equal(op.quantized_data.val, weight.integers, err_msg=weight.tensor)
        np.testing.assert_array_equal(op.scale.val.astype(np.float32), weight.scales, err_msg=weight.tensor)
        assert not op.zero_point.val.any() and op.axis.val == 0


def test_every_convolution_reads_integers_and_gives_integers(
    packages: Path, quantized: dict[Precision, QuantizedModel]
) -> None:
    """But for those that the recipe names as float: Core ML fuses dequantize, convolution and quantize to one."""
    recipe = quantized[Precision.W8A8].recipe
    ops = operations(package(packages, Precision.W8A8))
    fused, floats = 0, 0
    for op in (op for op in ops if op.op_type in WEIGHTED):
        after = {child.op_type for child in op.outputs[0].child_ops}
        if kind(op.x) == "dequantize" and kind(op.weight) == "constexpr_affine_dequantize" and after == {"quantize"}:
            fused += 1
        else:
            floats += 1
            assert kind(op.weight) == "const", f"{op.name}: int8 weights between floats"
    assert fused == len(recipe.weights)
    assert floats == sum(row.tensor.split(":")[1] in WEIGHTED for row in recipe.floats)


def test_activations_have_the_recipes_scales(packages: Path, quantized: dict[Precision, QuantizedModel]) -> None:
    """Exactly; coremltools writes a zero point of −128 as uint8 without one, and rescales both sides of a sum."""
    recipe = quantized[Precision.W8A8].recipe
    ops = operations(package(packages, Precision.W8A8))
    held: Counter[tuple[float, int]] = Counter()
    for op in ops:
        if op.op_type == "quantize" and kind(op.input) != "add":
            zero = 0 if op.zero_point is None else int(op.zero_point.val)
            held[(float(op.scale.val), zero - 128 if op.output_dtype.val == "uint8" else zero)] += 1
    wanted = Counter((row.scale, row.zero_point) for row in recipe.activations if ":add" not in row.tensor)
    assert held == wanted
    assert not [op.name for op in ops if op.op_type == "quantize" and kind(op.input) == "dequantize"]


def test_the_file_gives_the_quantized_networks_answers(
    packages: Path, quantized: dict[Precision, QuantizedModel]
) -> None:
    """Integers for integers; what is left is the heads' float16."""
    pixels = generate_images(4)
    got = run_isolated(outputs, package(packages, Precision.W8A8), pixels)
    for name, want in quantized[Precision.W8A8].run(pixels).items():
        assert 0 < np.abs(got[name] - want).max() < 2e-3 * max(1, np.abs(want).max()), name


def outputs(path: Path, pixels: Pixels) -> Outputs:
    return load_runtime(path).run(pixels)


def test_what_a_phone_must_run(packages: Path) -> None:
    """Weights need iOS 16, integers throughout iOS 17; the metadata say how Core ML computes."""
    from coremltools.proto import Model_pb2

    for precision, version in ((Precision.W8, 7), (Precision.W8A8, 8)):
        model: Any = Model_pb2.Model.FromString((package(packages, precision) / MODEL).read_bytes())
        assert model.specificationVersion == version
        assert model.description.metadata.userDefined["arithmetic"] == coreml.ARITHMETIC
        root = package(packages, precision)
        files = {str(f.relative_to(root)) for f in root.rglob("*") if f.is_file()}
        assert files == {"Manifest.json", MODEL, "Data/com.apple.CoreML/weights/weight.bin"}
