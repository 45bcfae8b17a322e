#!/usr/bin/env bash
# OpenCV knows one kind of SAME padding: 4.12 pads SAME_LOWER as SAME_UPPER, and 5.0 the other way round.
#
# Guess:   SAME_UPPER puts the odd pixel of padding behind the picture (TensorFlow's "SAME"), SAME_LOWER in front. A
#          reader that does not know one of them says so.
# Happens: cv2.dnn 4.12.0 puts it behind for both, 5.0.0 in front for both. There is an odd pixel for every even side
#          with an odd kernel and a stride of 2, so with OpenCV 5 every down-sampling layer of a network that came from
#          TensorFlow or Keras is shifted by a pixel. Nothing is logged. With the same padding written out in numbers
#          both are right.
# Matters: MobileNet and EfficientNet have five such layers. The network still works, by a few points of accuracy
#          worse, and the export is blamed.
# Do:      write pads out when exporting (most converters can), or compare one output with ONNX Runtime's.
#
# Seen on 2026-11-30, x86-64, Python 3.11, onnxruntime 1.31.1, onnx 1.23.2:
#   cv2 4.12.0:
#   Conv        SAME_UPPER up to 0.00 off, SAME_LOWER 8.52, pads [0, 0, 1, 1] 0.00
#   MaxPool     SAME_UPPER up to 0.00 off, SAME_LOWER 2.64, pads [0, 0, 1, 1] 0.00
#   AveragePool SAME_UPPER up to 0.00 off, SAME_LOWER 1.27, pads [0, 0, 1, 1] 0.00
#   cv2 5.0.0:
#   Conv        SAME_UPPER up to 8.52 off, SAME_LOWER 0.00, pads [0, 0, 1, 1] 0.00
#   MaxPool     SAME_UPPER up to 2.64 off, SAME_LOWER 0.00, pads [0, 0, 1, 1] 0.00
#   AveragePool SAME_UPPER up to 1.27 off, SAME_LOWER 0.00, pads [0, 0, 1, 1] 0.00
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
pip() { venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$@"; }
pip onnxruntime==1.31.1 onnx==1.23.2 numpy==2.4.6 protobuf==7.36.2 flatbuffers==25.12.19 packaging==26.4 \
    ml-dtypes==0.6.0 typing-extensions==4.16.0
pip --target older opencv-python-headless==4.12.0.88
pip --target newer opencv-python-headless==5.0.0.93

cat > same.py <<'PY'
import importlib.metadata
import sys

import cv2
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

print(f"cv2 {cv2.__version__}:", "onnxruntime", ort.__version__, "onnx", importlib.metadata.version("onnx"))
rng = np.random.default_rng(0)
x = rng.normal(0, 1, (1, 4, 16, 16)).astype(np.float32)
weight = rng.normal(0, 0.3, (4, 4, 3, 3)).astype(np.float32)


def off(op, **padding):
    """Return the greatest difference between OpenCV's and ONNX Runtime's answers."""
    attributes = padding | {"strides": [2, 2], "kernel_shape": [3, 3]}
    inputs, constants = (["x", "w"], [numpy_helper.from_array(weight, "w")]) if op == "Conv" else (["x"], [])
    graph = helper.make_graph(
        [helper.make_node(op, inputs, ["y"], **attributes)], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 8, 8])], constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "model.onnx")
    net = cv2.dnn.readNetFromONNX("model.onnx")
    net.setInput(x)
    runtime = ort.InferenceSession("model.onnx", providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
    answer = net.forward()
    assert answer.shape == runtime.shape, (answer.shape, runtime.shape)
    return float(abs(answer - runtime).max())


wrong = sys.argv[1]
for op in ("Conv", "MaxPool", "AveragePool"):
    found = {kind: off(op, auto_pad=kind) for kind in ("SAME_UPPER", "SAME_LOWER")}
    written = off(op, pads=[0, 0, 1, 1])
    print(f"{op:11} SAME_UPPER up to {found['SAME_UPPER']:.2f} off, SAME_LOWER {found['SAME_LOWER']:.2f}, "
          f"pads [0, 0, 1, 1] {written:.2f}")
    if found.pop(wrong) < 0.5 or max(written, *found.values()) > 1e-4:
        sys.exit(f"no longer seen: cv2 {cv2.__version__} pads {wrong}, and nothing else, on the wrong side")
PY
PYTHONPATH=older venv/bin/python same.py SAME_LOWER
PYTHONPATH=newer venv/bin/python same.py SAME_UPPER
