#!/usr/bin/env bash
# onnx's version converter makes a softmax over channels one over channels and all pixels when it converts downwards.
#
# Guess:   convert_version(model, 12), for a runtime or a compiler that knows no opset 13, keeps the meaning or refuses: it
#          knows that Softmax changed there, for it inserts Flatten and Reshape when it converts upwards.
# Happens: it keeps the node and its axis. Until opset 12, axis=1 means "this axis and all behind it": a segmenter's five
#          probabilities of a pixel no longer add up to 1, but those of all 64 pixels together do. Where axis is the last one
#          nothing changes, so that classifiers pass.
# Matters: the largest label of each pixel stays the largest, and thresholds (0.5) are never reached: an empty mask.
#          Checker, shape inference and runtime take the file.
# Do:      Transpose, Softmax over the last axis, Transpose back, before converting; add up the probabilities after.
#
# Seen on 2026-11-30, x86-64, Python 3.11, onnx 1.23.2, onnxruntime 1.31.1 (5 labels of 8 x 8 pixels):
#   opset 13: a pixel's probabilities add up to 1.000, the largest is 0.82
#   opset 12: a pixel's probabilities add up to 0.016, the largest is 0.04
#   a classifier (axis=-1): largest difference 0
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
from onnx import TensorProto, helper, version_converter

print("onnx", onnx.__version__, "onnxruntime", ort.__version__)
rng = np.random.default_rng(0)


def model(shape, axis):
    graph = helper.make_graph(
        [helper.make_node("Softmax", ["x"], ["y"], axis=axis)], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    return made


def both(shape, axis):
    """Return the answer of the file as it is (opset 13) and converted (opset 12)."""
    made = model(shape, axis)
    older = version_converter.convert_version(made, 12)
    onnx.checker.check_model(older, full_check=True)
    assert older.opset_import[0].version == 12
    x = rng.normal(size=shape).astype(np.float32)
    return [
        ort.InferenceSession(file.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
        for file in (made, older)
    ]


newer, older = both([1, 5, 8, 8], 1)
sums = [float(answer.sum(axis=1).mean()) for answer in (newer, older)]
for opset, total, answer in ((13, sums[0], newer), (12, sums[1], older)):
    print(f"opset {opset}: a pixel's probabilities add up to {total:.3f}, the largest is {answer.max():.2f}")
apart = float(np.subtract(*both([4, 5], -1)).__abs__().max())
print(f"a classifier (axis=-1): largest difference {apart:.0g}")
if apart > 1e-6 or abs(sums[0] - 1) > 1e-4:
    sys.exit("changed: files that were right are wrong as well")
if abs(sums[1] - 1 / 64) > 1e-4:
    sys.exit("no longer seen: the converted softmax goes over all pixels")
PY
