#!/usr/bin/env bash
# OpenVINO shifts a transposed convolution by a pixel where the file gives output_shape and SAME_UPPER.
#
# Guess:   output_shape says how large the picture becomes, SAME_UPPER that what is cut off in excess is cut off behind.
#          ONNX writes the formula out, and OpenVINO reads SAME_UPPER alone as it is meant.
# Happens: with output_shape as well, OpenVINO cuts off in front: every pixel comes out one place aside, the same as with
#          SAME_LOWER. ONNX Runtime and the transposed convolution by hand agree. The shape is right, nothing is logged.
# Matters: doubling a map by a 3 x 3 kernel with stride 2 is the usual decoder of a segmenter or an autoencoder, and
#          TensorFlow's form of it has a size and "SAME". The mask lies a pixel aside of the photo, in OpenVINO alone.
# Do:      write pads in numbers (pads=[0, 0, 1, 1]); that is right everywhere.
#
# Seen on 2026-11-30, x86-64, Python 3.11, openvino 2026.4.1, onnxruntime 1.31.1, onnx 1.23.2 (difference from the
# transposed convolution by hand; of the same, moved by one pixel):
#   SAME_UPPER, output_shape:    OpenVINO 5.2 (moved by one: 0.0), ONNX Runtime 0.0
#   SAME_UPPER, no output_shape: OpenVINO 0.0 (moved by one: 5.2), ONNX Runtime 0.0
#   pads in numbers:             OpenVINO 0.0 (moved by one: 5.2), ONNX Runtime 0.0
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
from onnx import TensorProto, helper, numpy_helper

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("openvino", "onnxruntime", "onnx")))
rng = np.random.default_rng(0)
x = rng.normal(size=(1, 1, 6, 6)).astype(np.float32)
weight = rng.normal(size=(1, 1, 3, 3)).astype(np.float32)

full = np.zeros((13, 13))
for row in range(6):
    for column in range(6):
        full[2 * row : 2 * row + 3, 2 * column : 2 * column + 3] += x[0, 0, row, column] * weight[0, 0]
behind, in_front = full[:12, :12], full[1:, 1:]


def answers(**attributes):
    """Return what OpenVINO and ONNX Runtime make of one transposed convolution with a stride of 2."""
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], kernel_shape=[3, 3], **attributes)
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 12, 12])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString()
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(data, b""), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    return compiled(x)[0][0, 0], session.run(None, {"x": x})[0][0, 0]


forms = {
    "SAME_UPPER, output_shape": {"auto_pad": "SAME_UPPER", "output_shape": [12, 12]},
    "SAME_UPPER, no output_shape": {"auto_pad": "SAME_UPPER"},
    "pads in numbers": {"pads": [0, 0, 1, 1]},
}
seen = {}
for form, attributes in forms.items():
    found, right = answers(**attributes)
    seen[form] = [float(abs(a - b).max()) for a, b in ((found, behind), (found, in_front), (right, behind))]
    print("{:28} OpenVINO {:.1f} (moved by one: {:.1f}), ONNX Runtime {:.1f}".format(form + ":", *seen[form]))
moved = seen.pop("SAME_UPPER, output_shape")
if any(found > 1e-4 or right > 1e-4 for found, _, right in seen.values()) or moved[2] > 1e-4:
    sys.exit("changed: forms that were right are wrong as well")
if moved[0] < 1 or moved[1] > 1e-4:
    sys.exit("no longer seen: OpenVINO cuts off in front where SAME_UPPER means behind")
PY
