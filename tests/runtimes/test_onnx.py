"""ONNX Runtime's integer sums: exact on every processor, or asked to be. Valgrind's processor has AVX2 and no VNNI."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from imageqx_export.runtimes import onnx

ENTRY = {"session.x64quantprecision": "1"}


def test_the_probe_is_what_onnx_writes() -> None:
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [1, 1])],
        [numpy_helper.from_array(np.full((4, 1), 127, np.int8), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="")
    assert model.SerializeToString(deterministic=True) == onnx._PROBE


def test_asked_for_it_sums_are_exact_here() -> None:
    options = onnxruntime.SessionOptions()
    for key, value in (onnx.choose_session_config() or ENTRY).items():
        options.add_session_config_entry(key, value)
    session = onnxruntime.InferenceSession(onnx._PROBE, options)
    (found,) = session.run(None, {"x": np.full((1, 4), 255, np.uint8)})
    assert found.item() == 129540


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_a_processor_that_clips_is_found_out_and_asked() -> None:
    code = """
import numpy, onnxruntime
from imageqx_export.runtimes import onnx
config = onnx.choose_session_config()
for entries in ({}, config):
    options = onnxruntime.SessionOptions()
    for key, value in entries.items():
        options.add_session_config_entry(key, value)
    session = onnxruntime.InferenceSession(onnx._PROBE, options)
    print(session.run(None, {"x": numpy.full((1, 4), 255, numpy.uint8)})[0].item())
print(config)
"""
    ran = subprocess.run(
        ["valgrind", "--tool=none", "-q", sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines() == ["65534", "129540", str(ENTRY)], ran.stderr
