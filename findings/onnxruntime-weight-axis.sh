#!/usr/bin/env bash
# ONNX Runtime's optimizer reads the scales of a quantized weight along the axis that it expects, whatever the model
# says.
#
# Guess:   DequantizeLinear(weight, scales, axis=1) before a Conv scales input channels, as the standard says. The
#          optimizer fuses what its integer kernel can do (one scale per output channel) and leaves the rest in float.
# Happens: with uint8 activations, Conv with axis=1 and MatMul with axis=0 (a scale per row) are fused like the other
#          axis. Where both sides have the same length, the answer is wrong without a word, by up to 89 of 255 steps;
#          where they differ, a model that runs unoptimized is refused when it is run. With optimizations off both are
#          right, and Gemm is.
# Matters: axis=1 is DequantizeLinear's default. A writer of QDQ files who forgets axis=0 at a square convolution sees
#          what was meant in optimized sessions, and what the file says in every other: unoptimized ones, other
#          runtimes, the reference. And scales per input channel, which equalization methods give, come out wrong.
# Do:      a scale per output channel only, axis written out; compare optimized and unoptimized sessions once.
#
# Seen on 2026-11-30, x86-64, Python 3.11, onnxruntime 1.31.1, onnx 1.23.2:
#   Conv   axis=0: optimizer off 0, on 0 steps from the exact answer; QLinearConv
#   Conv   axis=1: optimizer off 0, on 89 steps from the exact answer; QLinearConv
#   Conv   axis=1, 12 outputs of 8 inputs: optimizer off runs, on is refused
#   MatMul axis=1: optimizer off 0, on 0 steps from the exact answer; QLinearMatMul
#   MatMul axis=0: optimizer off 0, on 78 steps from the exact answer; QLinearMatMul
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
rng = np.random.default_rng(0)
N = 8
weight = rng.integers(-127, 128, (N, N)).astype(np.int8)
scales = rng.uniform(0.001, 0.01, N).astype(np.float32)
pixels = rng.integers(0, 256, (64, N)).astype(np.uint8)
IN, OUT, ZERO = np.float32(0.05), np.float32(0.1), np.uint8(120)


def model(op, axis, outputs=N):
    conv = op == "Conv"
    shape = (outputs, N, 1, 1) if conv else (N, N)
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "in", "zero"], ["xf"]),
        helper.make_node("DequantizeLinear", ["w", "scales"], ["wf"], axis=axis),
        helper.make_node(op, ["xf", "wf"], ["yf"]),
        helper.make_node("QuantizeLinear", ["yf", "out", "zero"], ["y"]),
    ]
    constants = {"w": np.resize(weight, shape), "scales": scales, "in": IN, "out": OUT, "zero": ZERO}
    dims = [64, N, 1, 1] if conv else [64, N]
    result = [64, outputs, *dims[2:]]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.UINT8, dims)],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, result)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    return made.SerializeToString(), dims


def run(data, dims, level):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = level
    options.optimized_model_filepath = "optimized.onnx"
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    answer = session.run(None, {"x": pixels.reshape(dims)})[0].reshape(64, -1)
    return answer.astype(int), {node.op_type for node in onnx.load("optimized.onnx").graph.node}


def exact(op, axis):
    real = weight * (scales[:, None] if axis == 0 else scales[None, :]).astype(float)
    product = (pixels.astype(float) - 120) * 0.05 @ (real.T if op == "Conv" else real)
    return np.clip(np.rint(product / 0.1) + 120, 0, 255)


seen = {}
for op, axis in (("Conv", 0), ("Conv", 1), ("MatMul", 1), ("MatMul", 0)):
    data, dims = model(op, axis)
    off, _ = run(data, dims, ort.GraphOptimizationLevel.ORT_DISABLE_ALL)
    on, kinds = run(data, dims, ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
    wrong = [int(abs(answer - exact(op, axis)).max()) for answer in (off, on)]
    fused = ", ".join(sorted(kind for kind in kinds if kind.startswith("QLinear"))) or "float"
    print(f"{op:6} axis={axis}: optimizer off {wrong[0]}, on {wrong[1]} steps from the exact answer; {fused}")
    seen[op, axis] = wrong
    if (op, axis) == ("Conv", 1):
        data, dims = model(op, axis, outputs=12)
        run(data, dims, ort.GraphOptimizationLevel.ORT_DISABLE_ALL)
        try:
            run(data, dims, ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
        except Exception as error:
            assert "filter scale shape invalid" in str(error), error
            print("Conv   axis=1, 12 outputs of 8 inputs: optimizer off runs, on is refused")
        else:
            sys.exit("no longer seen: 12 outputs of 8 inputs run in an optimized session")
right = all(off <= 1 for off, _ in seen.values()) and seen["Conv", 0][1] <= 1 and seen["MatMul", 1][1] <= 1
if not right or seen["Conv", 1][1] < 20 or seen["MatMul", 0][1] < 20:
    sys.exit("no longer seen: the optimizer ignores along which axis a weight is scaled")
PY
