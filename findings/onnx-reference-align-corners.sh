#!/usr/bin/env bash
# ONNX's reference evaluator does not align the corners where a resize by a scale gives no whole number of pixels.
#
# Guess:   align_corners means what it says: the first pixel comes from the first and the last from the last.
# Happens: the evaluator divides by the length that the scale would give (15 x 1.5 = 22.5) instead of the one that the
#          picture has (22), so that the last pixel comes from before the last. ONNX Runtime and OpenVINO align it, as
#          PyTorch does. ONNX's own test data for this mode come from the evaluator and have the error. Sizes instead of
#          scales, or a whole product, are right.
# Matters: exporters write scales, and align_corners is what segmenters (DeepLab, PSPNet, U-Net's upsampling) have. Whoever
#          tests a runtime, a converter or an own kernel against the evaluator "corrects" what was right.
# Do:      hold golden values of resizing to a second source; write sizes.
#
# Seen on 2026-11-30, x86-64, Python 3.11, onnx 1.23.2, onnxruntime 1.31.1, openvino 2026.4.1 (a ramp; its last pixel):
#   15 columns by 1.5, of 14: evaluator 13.67, ONNX Runtime 14.00, OpenVINO 14.00
#   15 columns by 2.0, of 14: evaluator 14.00, ONNX Runtime 14.00, OpenVINO 14.00
#   4 columns by 0.6, of 3: evaluator 2.14, ONNX Runtime 3.00, OpenVINO 3.00
#   224 columns by 0.3, of 223: evaluator 222.33, ONNX Runtime 223.00, OpenVINO 223.00
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
from onnx.reference import ReferenceEvaluator

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("onnx", "onnxruntime", "openvino")))
short = {}
for columns, scale in ((15, 1.5), (15, 2.0), (4, 0.6), (224, 0.3)):
    x = np.arange(columns, dtype=np.float32).reshape(1, 1, 1, columns)
    resize = helper.make_node(
        "Resize", ["x", "", "scales"], ["y"], mode="linear", coordinate_transformation_mode="align_corners"
    )
    graph = helper.make_graph(
        [resize], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "c", "h", "w"])],
        [numpy_helper.from_array(np.array([1, 1, 1, scale], np.float32), "scales")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString()
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(data, b""), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    ends = [
        float(np.ravel(answer)[-1]) for answer in (
            ReferenceEvaluator(model).run(None, {"x": x})[0],
            ort.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0],
            compiled(x)[0],
        )
    ]
    print("{} columns by {}, of {}: evaluator {:.2f}, ONNX Runtime {:.2f}, OpenVINO {:.2f}".format(
        columns, scale, columns - 1, *ends))
    if max(abs(end - columns + 1) for end in ends[1:]) > 1e-3:
        sys.exit("changed: a runtime no longer aligns the last corner")
    short[columns, scale] = columns - 1 - ends[0]
if abs(short[15, 2.0]) > 1e-3:
    sys.exit("changed: the evaluator misses the corner at whole products, too")
if not min(short[case] for case in ((15, 1.5), (4, 0.6), (224, 0.3))) > 0.1:
    sys.exit("no longer seen: the evaluator misses the last corner")
PY
