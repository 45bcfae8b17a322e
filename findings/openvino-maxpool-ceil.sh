#!/usr/bin/env bash
# OpenVINO gives a max pool with ceil_mode one row and one column more than ONNX says, and fills them with -3.4e38.
#
# Guess:   ceil_mode rounds the number of windows up, and a window that would lie in the padding alone is dropped: ONNX
#          says so since opset 22, and PyTorch, where the attribute comes from, always did. AveragePool and MaxPool count
#          alike.
# Happens: OpenVINO's MaxPool keeps that window. It has no pixel to look at, so that a whole row and column hold the least
#          float32. Its AveragePool drops the window, as ONNX Runtime does for both. Where no window lies in the padding
#          alone (the 3 x 3 pools of ResNet) nothing differs.
# Matters: a 2 x 2 pool with padding 1, or a 1 x 1 pool that only takes every second pixel, is one row too long for some
#          picture sizes. A mean behind it is near -1e37, a softmax behind it is certain; with a fixed size behind it the
#          model is refused, at that picture size alone.
# Do:      pool without ceil_mode and pad by hand; run an odd and an even size.
#
# Seen on 2026-11-30, x86-64, Python 3.11, openvino 2026.4.1, onnxruntime 1.31.1, onnx 1.23.2:
#   MaxPool     2 x 2, padding 1, of 7 x 7: OpenVINO 5 x 5, ONNX Runtime 4 x 4; last row -3.4e+38; the rest differs by 0
#   MaxPool     1 x 1, padding 0, of 8 x 8: OpenVINO 5 x 5, ONNX Runtime 4 x 4; last row -3.4e+38; the rest differs by 0
#   MaxPool     3 x 3, padding 1, of 8 x 8: OpenVINO 5 x 5, ONNX Runtime 5 x 5; the rest differs by 0
#   AveragePool 2 x 2, padding 1, of 7 x 7: OpenVINO 4 x 4, ONNX Runtime 4 x 4; the rest differs by 0
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

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("openvino", "onnxruntime", "onnx")))
rng = np.random.default_rng(0)


def pools(kind, window, padding, side):
    """Return what OpenVINO and ONNX Runtime make of one pool with a stride of 2."""
    x = rng.normal(size=(1, 1, side, side)).astype(np.float32)
    pool = helper.make_node(
        kind, ["x"], ["y"], kernel_shape=[window] * 2, strides=[2, 2], pads=[padding] * 4, ceil_mode=1
    )
    graph = helper.make_graph(
        [pool], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "c", "h", "w"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString()
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(data, b""), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    return compiled(x)[0][0, 0], session.run(None, {"x": x})[0][0, 0]


longer = {}
for kind, window, padding, side in (
    ("MaxPool", 2, 1, 7), ("MaxPool", 1, 0, 8), ("MaxPool", 3, 1, 8), ("AveragePool", 2, 1, 7)
):
    found, right = pools(kind, window, padding, side)
    rows = len(right)
    longer[kind, window] = len(found) - rows
    last = f" last row {found[-1].max():.1e};" if longer[kind, window] else ""
    print(f"{kind:11} {window} x {window}, padding {padding}, of {side} x {side}: OpenVINO {len(found)} x {len(found)}, "
          f"ONNX Runtime {rows} x {rows};{last} the rest differs by {abs(found[:rows, :rows] - right).max():.0g}")
    if longer[kind, window] and not (found[-1] < -1e38).all():
        sys.exit("changed: the row too many holds something else than the least float32")
if longer["MaxPool", 3] or longer["AveragePool", 2]:
    sys.exit("changed: pools that agreed have other shapes as well")
if longer["MaxPool", 2] != 1 or longer["MaxPool", 1] != 1:
    sys.exit("no longer seen: OpenVINO's max pool with ceil_mode has a row too many")
PY
