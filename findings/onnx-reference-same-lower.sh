#!/usr/bin/env bash
# ONNX's reference evaluator pools with auto_pad=SAME_LOWER otherwise than the standard, and otherwise than itself.
#
# Guess:   onnx.reference is the standard in Python: slow, and right; a runtime that differs is wrong.
# Happens: MaxPool with SAME_LOWER and a stride of 2 puts no padding before the picture: of 14 rows it gives 7 other
#          ones than the standard's (up to 1.4 off on normal values), of 15 rows it gives 7 where 8 are due. onnx's own
#          shape inference, its AveragePool with the same attributes, ONNX Runtime and a numpy pool with the padding in
#          front agree.
# Matters: the reference evaluator is what golden values of converters come from. Files converted from TensorFlow and
#          Caffe have SAME_LOWER.
# Do:      write pads out, and hold golden values to a second source.
#
# Seen on 2026-11-30, Python 3.11, onnx 1.23.2, onnxruntime 1.31.1:
#   MaxPool of 14 rows: shape inference 7, onnxruntime 7 (as by hand), reference 7, up to 1.42 off
#   MaxPool of 15 rows: shape inference 8, onnxruntime 8 (as by hand), reference 7
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
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

print("onnx", onnx.__version__, "onnxruntime", ort.__version__)


def answers(op, side):
    graph = helper.make_graph(
        [helper.make_node(op, ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_LOWER")], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, side, side])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, "rows", "columns"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    x = np.random.default_rng(0).normal(size=(1, 1, side, side)).astype(np.float32)
    inferred = onnx.shape_inference.infer_shapes(model).graph.output[0].type.tensor_type.shape.dim[2].dim_value
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    runtime, reference = session.run(None, {"x": x})[0], ReferenceEvaluator(model).run(None, {"x": x})[0]
    return x[0, 0], inferred, runtime[0, 0], reference[0, 0]


def by_hand(x, rows):
    """Return MaxPool 3 x 3 by 2, where what is padded goes in front."""
    total = (rows - 1) * 2 + 3 - len(x)
    front = total - total // 2
    padded = np.pad(x, (front, total - front), constant_values=-np.inf)
    return np.lib.stride_tricks.sliding_window_view(padded, (3, 3))[::2, ::2].max((2, 3))


off = {}
for side in (14, 15):
    x, inferred, runtime, reference = answers("MaxPool", side)
    assert np.array_equal(by_hand(x, inferred), runtime), "ONNX Runtime pools SAME_LOWER in another way than by hand"
    same = reference.shape == runtime.shape
    off[side] = abs(reference - runtime).max() if same else None
    print(f"MaxPool of {side} rows: shape inference {inferred}, onnxruntime {len(runtime)} (as by hand), reference "
          f"{len(reference)}" + (f", up to {off[side]:.2f} off" if same else ""))
    _, _, runtime, reference = answers("AveragePool", side)
    assert np.allclose(reference, runtime, atol=1e-6), "the reference's AveragePool differs as well"
if off[15] is not None or not off[14]:
    sys.exit("no longer seen: the reference's MaxPool takes SAME_LOWER otherwise than the standard")
PY
