#!/usr/bin/env bash
# OpenVINO divides the last windows of an average pool with ceil_mode by pixels that are not there.
#
# Guess:   count_include_pad=1 counts the padding that was asked for, and nothing beyond it: where ceil_mode lets a window
#          hang over the padded picture, the sum is divided by the cells inside, as in PyTorch.
# Happens: OpenVINO divides by the whole window. Of a 3 x 3 pool with padding 1 and stride 2, the last row and column
#          come out two thirds as large as they are, and the corner four ninths. ONNX Runtime, ONNX's own evaluator and a
#          mean by hand agree with each other. With count_include_pad=0, or where no window hangs over, OpenVINO is right.
# Matters: count_include_pad is the default of PyTorch's AvgPool2d. The shape is right, and a photo whose sides are
#          odd at that layer is right everywhere: the test at one size passes.
# Do:      count_include_pad=False, or no ceil_mode; try an odd and an even side.
#
# Seen on 2026-11-30, x86-64, Python 3.11, openvino 2026.4.1, onnxruntime 1.31.1, onnx 1.23.2 (what comes out, as a share
# of the mean):
#   8 x 8, padding counted: OpenVINO last row 0.67, corner 0.44, inside 1.00; ONNX Runtime 1.00, 1.00, 1.00
#   7 x 7, padding counted: OpenVINO last row 1.00, corner 1.00, inside 1.00; ONNX Runtime 1.00, 1.00, 1.00
#   8 x 8, padding ignored: OpenVINO last row 1.00, corner 1.00, inside 1.00; ONNX Runtime 1.00, 1.00, 1.00
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps openvino==2026.4.1 \
    openvino-telemetry==2025.2.0 onnxruntime==1.31.1 onnx==1.23.2 numpy==2.4.6 protobuf==7.36.2 \
    flatbuffers==25.12.19 packaging==26.4 ml-dtypes==0.6.0 tqdm==4.70.1 typing-extensions==4.16.0

venv/bin/python - <<'PY'
import importlib.metadata
import sys

import numpy as np
import onnx
import onnxruntime as ort
import openvino
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("openvino", "onnxruntime", "onnx")))
rng = np.random.default_rng(0)


def by_hand(x, counted):
    """Return the mean of 3 x 3 windows, stride 2, over the picture with one pixel of padding, and none beyond."""
    padded = np.pad(x, 1)
    inside = np.ones_like(padded) if counted else np.pad(np.ones_like(x), 1)
    sides = range(0, len(x) + 1, 2)
    return np.array([
        [padded[i : i + 3, j : j + 3].sum() / inside[i : i + 3, j : j + 3].sum() for j in sides] for i in sides
    ])


def shares(side, counted):
    """Return OpenVINO's and ONNX Runtime's answers, divided by the mean."""
    x = rng.uniform(1, 2, size=(1, 1, side, side)).astype(np.float32)
    pool = helper.make_node(
        "AveragePool", ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, ceil_mode=1,
        count_include_pad=int(counted),
    )
    graph = helper.make_graph(
        [pool], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "c", "h", "w"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    mean = by_hand(x[0, 0], counted)
    reference = ReferenceEvaluator(model).run(None, {"x": x})[0][0, 0]
    assert np.allclose(reference, mean, atol=1e-5), "ONNX's evaluator does otherwise than the mean by hand"
    data = model.SerializeToString()
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(data, b""), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    return compiled(x)[0][0, 0] / mean, session.run(None, {"x": x})[0][0, 0] / mean


seen = {}
for side, counted in ((8, True), (7, True), (8, False)):
    views = [
        (float(share[-1, 1]), float(share[-1, -1]), float(share[1, 1])) for share in shares(side, counted)
    ]
    seen[side, counted] = np.array(views)
    found, right = ([f"{value:.2f}" for value in view] for view in views)
    print(f"{side} x {side}, padding {'counted' if counted else 'ignored'}: OpenVINO last row {found[0]}, corner "
          f"{found[1]}, inside {found[2]}; ONNX Runtime {', '.join(right)}")
if not all(np.allclose(seen[case], 1, atol=1e-4) for case in ((7, True), (8, False))):
    sys.exit("changed: pools that were right are wrong as well")
if not np.allclose(seen[8, True][0], [2 / 3, 4 / 9, 1], atol=1e-4) or not np.allclose(seen[8, True][1], 1, atol=1e-4):
    sys.exit("no longer seen: OpenVINO divides by cells beyond the padding")
PY
