#!/usr/bin/env bash
# ONNX Runtime's bilinear Resize of bytes cuts fractions off: pictures become half a level darker.
#
# Guess:   Resize (linear) of uint8 gives what Resize of the same numbers in float32 gives, rounded to the nearest
#          byte.
# Happens: it gives them rounded down. Of a photo's pixels nearly half are one level lower, the mean falls by 0.46 to
#          0.50 levels, whether it is made larger or smaller. With antialias=1, another code path, bytes are rounded.
# Matters: a graph that takes the camera's bytes and resizes them itself (to save the app the work) is not the graph
#          that was trained: after the usual division by a standard deviation of 0.225 the shift is 0.008 for every
#          pixel, the same in all of them. In a quantized graph every bilinear upsampling loses half a step.
# Do:      cast to float before Resize, or antialias=1 with exclude_outside=1 (see onnx-resize-antialias-border.sh).
#
# Seen on 2026-11-30, Python 3.11, onnxruntime 1.31.1, onnx 1.23.2:
#   to 100 x 140: mean -0.464 levels, 46.4% of the pixels one lower, 0.0% higher; cut off: 0.00 to 0.94
#   to  40 x  60: mean -0.495 levels, 49.5% of the pixels one lower, 0.0% higher; cut off: 0.00 to 1.00
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps onnxruntime==1.31.1 onnx==1.23.2 \
    numpy==2.4.6 protobuf==7.36.2 flatbuffers==25.12.19 packaging==26.4 ml-dtypes==0.6.0 typing-extensions==4.16.0

venv/bin/python - <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

print("onnxruntime", ort.__version__, "onnx", onnx.__version__)
photo = np.random.default_rng(0).integers(0, 256, (1, 3, 50, 70)).astype(np.uint8)


def resized(kind, size):
    graph = helper.make_graph(
        [helper.make_node("Resize", ["x", "", "", "size"], ["y"], mode="linear")], "g",
        [helper.make_tensor_value_info("x", kind, photo.shape)],
        [helper.make_tensor_value_info("y", kind, [1, 3, *size])],
        [numpy_helper.from_array(np.array([1, 3, *size]), "size")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    session = ort.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    x = photo if kind == TensorProto.UINT8 else photo.astype(np.float32)
    return session.run(None, {"x": x})[0]


for size in ((100, 140), (40, 60)):
    whole = resized(TensorProto.FLOAT, size)
    bytes_ = resized(TensorProto.UINT8, size).astype(int)
    step = bytes_ - np.rint(whole)
    cut = whole - bytes_
    print(f"to {size[0]:3} x {size[1]:3}: mean {step.mean():.3f} levels, {np.mean(step == -1):.1%} of the pixels one "
          f"lower, {np.mean(step > 0):.1%} higher; cut off: {cut.min():.2f} to {cut.max():.2f}")
    if step.mean() > -0.4 or cut.min() < -0.01 or not 0.9 < cut.max() < 1.01:
        sys.exit("no longer seen: Resize of bytes rounds down")
PY
