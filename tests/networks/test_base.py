"""The stages know a Network, not ImageQX: a toy with other pixels and outputs goes through quantization and ONNX."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from imageqx_export.artifact import Checkpoint, Precision
from imageqx_export.quantize.model import QuantizedModel
from imageqx_export.quantize.plan import make_w8_recipe, make_w8a8_recipe
from imageqx_export.runtimes import onnx as onnx_runtime
from imageqx_export.runtimes.torch import TorchRuntime
from tests.networks.toy import SIZE, SPEC, toy


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (256, SIZE.height, SIZE.width, 3), np.uint8)


@pytest.mark.parametrize("precision", Precision)
def test_a_network_of_another_kind_is_exported_and_agrees(
    tmp_path: Path, pixels: NDArray[np.uint8], precision: Precision
) -> None:
    from imageqx_export.export.onnx import exporter

    network = toy()
    checkpoint = Checkpoint(path=tmp_path / "toy.safetensors", sha256="ab" * 32, spec=SPEC)
    quantized: dict[Precision, QuantizedModel] = {}
    if precision is Precision.W8:
        quantized[precision] = QuantizedModel(network, make_w8_recipe(network, checkpoint.sha256))
    if precision is Precision.W8A8:
        recipe = make_w8a8_recipe(network, checkpoint.sha256, pixels, "noise", narrowed=0)
        quantized[precision] = QuantizedModel(network, recipe)
    path = tmp_path / f"toy_{precision}.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter warns of its own insides
        exporter.write(network, checkpoint, {precision: path}, quantized)
    got = onnx_runtime.load(path).run(pixels[:8])["good"]
    floats = TorchRuntime(network, SPEC).run(pixels[:8])["good"]
    want = quantized[precision].run(pixels[:8])["good"] if quantized else floats
    limit = 5e-3 if precision is Precision.FP16 else 1e-5
    assert np.abs(got - want).max() <= limit
    assert np.abs(want - floats).max() < 0.05 and floats.std() > 0.005


def test_what_was_folded_is_put_back() -> None:
    network = toy()
    graph = network.fold("NHWC")
    changed = {name: value + 1 for name, value in graph.named_parameters() if not name.startswith("head")}
    network.unfold(changed)
    again = dict(network.fold("NHWC").named_parameters())
    assert changed and all(bool((again[name] == value).all()) for name, value in changed.items())
