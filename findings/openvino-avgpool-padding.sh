#!/usr/bin/env bash
# OpenVINO pads a quantized average pool with the integer 0, which is not the value 0.
#
# Guess:   AveragePool between DequantizeLinear and QuantizeLinear averages real numbers; padding that counts
#          (count_include_pad=1) is 0.0, however the pool is computed.
# Happens: the pool is fused to integers, and what is padded is the integer 0: with a zero point of 120 and a step of
#          0.05, it counts as -6.0. All pixels at the border are wrong, up to 67 of 255 steps below; inside it is
#          right. A zero point of 0 is right, and so are convolutions, and pools that do not count the padding.
# Matters: count_include_pad is the default of PyTorch's AvgPool2d, so Inception's pools with padding have it. Ranges
#          that begin below zero (leaky activations, SiLU, a pool before a ReLU) have such zero points.
# Do:      count_include_pad=False, or a Pad of its own before the pool.
#
# Seen on 2026-11-30, x86-64, Python 3.11, openvino 2026.4.1, onnxruntime 1.31.1, onnx 1.23.2 (in steps):
#   zero point 120, padding counted: OpenVINO up to 67.1 off, inside 0.4; ONNX Runtime 0.4
#   zero point 120, padding ignored: OpenVINO up to 0.5 off, inside 0.4; ONNX Runtime 0.5
#   zero point   0, padding counted: OpenVINO up to 0.4 off, inside 0.4; ONNX Runtime 0.4
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps openvino==2026.4.1 \
    openvino-telemetry==2025.2.0 onnxruntime==1.31.1 onnx==1.23.2 numpy==2.4.6 protobuf==7.36.2 \
    flatbuffers==25.12.19 packaging==26.4 ml-dtypes==0.6.0 typing-extensions==4.16.0

venv/bin/python - <<'PY'
import importlib.metadata
import sys

import numpy as np
import onnx
import onnxruntime as ort
import openvino
from onnx import TensorProto, helper, numpy_helper

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("openvino", "onnxruntime", "onnx")))
x = np.random.default_rng(0).integers(0, 256, (1, 8, 16, 16)).astype(np.uint8)


def made(zero, counted):
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "step", "zero"], ["a"]),
        helper.make_node("AveragePool", ["a"], ["b"], kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=counted),
        helper.make_node("QuantizeLinear", ["b", "step", "zero"], ["y"]),
    ]
    constants = {"step": np.float32(0.05), "zero": np.uint8(zero)}
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.UINT8, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, x.shape)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def exact(zero, counted):
    padded = np.pad(x.astype(float) - zero, ((0, 0), (0, 0), (1, 1), (1, 1)))
    total = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3)).sum((4, 5))
    rows = np.array([2, *[3] * 14, 2])
    return np.clip(total / (9 if counted else np.outer(rows, rows)) + zero, 0, 255)


worst = {}
for zero, counted in ((120, 1), (120, 0), (0, 1)):
    data = made(zero, counted)
    core = openvino.Core()
    answer = core.compile_model(core.read_model(data), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(x)[0].astype(float)
    runtime = ort.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0].astype(float)
    off, inner = abs(answer - exact(zero, counted)), (..., slice(1, -1), slice(1, -1))
    worst[zero, counted] = off.max(), off[inner].max(), abs(runtime - exact(zero, counted)).max()
    print(f"zero point {zero:3}, padding {'counted' if counted else 'ignored'}: OpenVINO up to {off.max():.1f} off, "
          f"inside {off[inner].max():.1f}; ONNX Runtime {worst[zero, counted][2]:.1f}")
if any(runtime > 1 or inside > 1 for _, inside, runtime in worst.values()) or max(worst[120, 0][0], worst[0, 1][0]) > 1:
    sys.exit("changed: pools without counted padding, or of zero point 0, are wrong as well")
if worst[120, 1][0] < 20:
    sys.exit("no longer seen: counted padding of a quantized average pool is the integer 0")
PY
