#!/usr/bin/env bash
# onnxconverter-common's float16 conversion cuts constants off at 10,000, though float16 reaches 65,504.
#
# Guess:   a constant is changed if float16 cannot hold it; 50,176, the number of pixels of a 224 x 224 photo, can be
#          held exactly.
# Happens: everything beyond +-10,000 becomes +-10,000, and everything but zero under 1e-7 becomes 1e-7 (so a weight of
#          1e-9 grows a hundred times). A mean written as a sum divided by 50,176 comes out five times too large. A
#          Python warning is all that is said. onnxruntime's copy of the same function keeps 50,176.
# Matters: pixel counts, 16-bit ranges (65,535 / 257), and -30,000 as "never" in masks are such constants. The file
#          opens, runs, and is wrong; the doubled names (both packages have a float16 module with this function) hide
#          which was used.
# Do:      onnxruntime.transformers.float16, or max_finite_val=65504 and min_positive_val=5.96e-8.
#
# Seen on 2026-11-30, Python 3.11, onnxconverter-common 1.16.0, onnxruntime 1.31.1, onnx 1.23.2 (a grey photo of 100):
#   float32               sum / 50176 gives 100.0
#   onnxconverter-common  sum / 10000 gives 501.8
#   onnxruntime           sum / 50176 gives 100.0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps onnxconverter-common==1.16.0 \
    onnxruntime==1.31.1 onnx==1.23.2 numpy==2.4.6 protobuf==7.36.2 flatbuffers==25.12.19 packaging==26.4 \
    ml-dtypes==0.6.0 typing-extensions==4.16.0

venv/bin/python -W ignore - <<'PY'
import importlib.metadata
import sys

import numpy as np
import onnx
import onnxconverter_common.float16
import onnxruntime as ort
import onnxruntime.transformers.float16
from onnx import TensorProto, helper, numpy_helper

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("onnxconverter-common", "onnxruntime", "onnx")))
PIXELS = 224 * 224
photo = np.full((1, 1, 224, 224), 100, np.float32)


def made():
    graph = helper.make_graph(
        [helper.make_node("ReduceSum", ["x", "axes"], ["sum"], name="sum"),
         helper.make_node("Div", ["sum", "pixels"], ["y"], name="mean")], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, photo.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 1, 1])],
        [numpy_helper.from_array(np.array([2, 3]), "axes"),
         numpy_helper.from_array(np.array([PIXELS], np.float32), "pixels")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def mean(model):
    """Return the divisor that the file has, and the photo's mean by it (the sum itself taken in float32)."""
    divisor = next(numpy_helper.to_array(t) for t in model.graph.initializer if t.name == "pixels").item()
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return divisor, session.run(None, {"x": photo})[0].item()


keep = {"keep_io_types": True, "op_block_list": ["ReduceSum"]}
found = {
    "float32": mean(made()),
    "onnxconverter-common": mean(onnxconverter_common.float16.convert_float_to_float16(made(), **keep)),
    "onnxruntime": mean(onnxruntime.transformers.float16.convert_float_to_float16(made(), **keep)),
}
for name, (divisor, value) in found.items():
    print(f"{name:21} sum / {divisor:.0f} gives {value:.1f}")
if abs(found["float32"][1] - 100) > 0.1 or found["onnxruntime"][0] != PIXELS:
    sys.exit("changed: float32 or onnxruntime's converter is wrong as well")
if found["onnxconverter-common"][0] != 10000:
    sys.exit("no longer seen: onnxconverter-common cuts constants off at 10,000")
PY
