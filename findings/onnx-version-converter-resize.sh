#!/usr/bin/env bash
# onnx's version converter moves the grid of an old Resize or Upsample by up to half a pixel.
#
# Guess:   converting a file from opset 10 to 18 keeps its meaning; that is all a version converter is for.
# Happens: up to opset 10 Resize and Upsample sample at out / scale; from 11 on the file says how, and half_pixel is
#          meant if it does not. The converter writes none of it, so every linear or non-integer resize of an older
#          file samples elsewhere: values of standard deviation 1 move by up to 4.5. Nearest at whole factors stays
#          right. The checker, shape inference and the runtime accept both files.
# Matters: detectors and segmenters exported years ago come with opset 9 or 10 and are converted to be quantized or to
#          run on a newer runtime; everything upsampled is half a pixel off, and accuracy falls "by quantization".
# Do:      write coordinate_transformation_mode="asymmetric" (and nearest_mode="floor") into each Resize afterwards.
#
# Seen on 2026-11-30, Python 3.11, onnx 1.23.2, onnxruntime 1.31.1:
#   Upsample-9 linear x 2: converted to opset 18 values move by up to 1.94; with asymmetric and floor written in: 0.00
#   Resize-10 linear x 2: converted to opset 18 values move by up to 1.94; with asymmetric and floor written in: 0.00
#   Resize-10 nearest x 1.7: converted to opset 18 values move by up to 4.53; with asymmetric and floor written in: 0.00
#   Upsample-9 nearest x 2: converted to opset 18 values move by up to 0.00; with asymmetric and floor written in: 0.00
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
from onnx import TensorProto, helper, numpy_helper, version_converter

print("onnx", onnx.__version__, "onnxruntime", ort.__version__)
x = np.random.default_rng(0).normal(0, 1, (1, 4, 9, 10)).astype(np.float32)


def made(op, opset, mode, factor):
    graph = helper.make_graph(
        [helper.make_node(op, ["x", "scales"], ["y"], mode=mode)], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, "rows", "columns"])],
        [numpy_helper.from_array(np.array([1, 1, factor, factor], np.float32), "scales")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=5)
    onnx.checker.check_model(model, full_check=True)
    return model


def run(model):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


moved = {}
cases = ("Upsample", 9, "linear", 2), ("Resize", 10, "linear", 2), ("Resize", 10, "nearest", 1.7)
for op, opset, mode, factor in (*cases, ("Upsample", 9, "nearest", 2)):
    old = made(op, opset, mode, factor)
    new = version_converter.convert_version(old, 18)
    onnx.checker.check_model(new, full_check=True)
    converted = run(new)
    (resize,) = (node for node in new.graph.node if node.op_type == "Resize")
    resize.attribute.extend([helper.make_attribute("coordinate_transformation_mode", "asymmetric"),
                             helper.make_attribute("nearest_mode", "floor")])
    moved[op, mode] = float(abs(converted - run(old)).max())
    mended = float(abs(run(new) - run(old)).max())
    print(f"{op}-{opset} {mode} x {factor}: converted to opset 18 values move by up to {moved[op, mode]:.2f}; "
          f"with asymmetric and floor written in: {mended:.2f}")
    if mended > 1e-5:
        sys.exit("changed: writing the attributes in does not mend the file")
if moved["Upsample", "nearest"] > 1e-5:
    sys.exit("changed: nearest at a whole factor moves as well")
if min(moved["Upsample", "linear"], moved["Resize", "linear"], moved["Resize", "nearest"]) < 0.5:
    sys.exit("no longer seen: the version converter moves an old Resize's grid")
PY
