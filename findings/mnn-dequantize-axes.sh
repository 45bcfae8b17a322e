#!/usr/bin/env bash
# MNN's ONNX converter swaps the first two axes of what DequantizeLinear gives.
#
# Guess:   DequantizeLinear with a scalar scale and zero point is (x - zero) * scale, of x's shape; the attribute axis has
#          no meaning then, as ONNX says. A converter says so if it cannot.
# Happens: uint8 [1,4,5,3] comes out as [4,1,5,3]: the axis's default, 1, is moved to the front and not back again. The
#          converter says "Converted Success!" and ends with 0.
# Matters: a picture that enters by DequantizeLinear, as accelerators take bytes, becomes a batch of its rows, and every
#          output has another shape.
# Do:      give MNN a file whose input is float.
#
# Seen on 2026-11-30, x86-64, Python 3.11, MNN 3.6.1, onnx 1.23.2:
#   Converted Success! exit code 0
#   the file says [1, 4, 5, 3], MNN gives [4, 1, 5, 3]
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps MNN==3.6.1 numpy==2.4.6 onnx==1.23.2 \
    protobuf==7.36.2 ml-dtypes==0.5.4 typing-extensions==4.16.0
# The converter calls pip by itself.
export PIP_NO_INDEX=1 PIP_REQUIRE_VIRTUALENV=1

venv/bin/python - <<'PY'
import importlib.metadata
import subprocess
import sys

import MNN
import numpy as np
import onnx
from onnx import TensorProto, helper

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("MNN", "onnx")))
SHAPE = [1, 4, 5, 3]
scale = helper.make_tensor("scale", TensorProto.FLOAT, [], [0.5])
zero = helper.make_tensor("zero", TensorProto.UINT8, [], [0])
graph = helper.make_graph(
    [helper.make_node("DequantizeLinear", ["x", "scale", "zero"], ["y"])],
    "g",
    [helper.make_tensor_value_info("x", TensorProto.UINT8, SHAPE)],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, SHAPE)],
    [scale, zero],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
onnx.checker.check_model(model, full_check=True)
onnx.save(model, "a.onnx")
program = "import sys; from MNN.tools.mnnconvert import main; sys.exit(main())"
command = [sys.executable, "-c", program, "-f", "ONNX", "--modelFile", "a.onnx", "--MNNModel", "a.mnn", "--bizCode", "x"]
done = subprocess.run(command, capture_output=True, text=True)
said = "Converted Success!" if "Converted Success!" in done.stdout + done.stderr else "no success"
print(said, "exit code", done.returncode)
net = MNN.nn.load_module_from_file("a.mnn", ["x"], ["y"])
x = np.arange(60, dtype=np.uint8).reshape(SHAPE)
(y,) = net.forward([MNN.expr.const(x, SHAPE, MNN.expr.NCHW, MNN.expr.uint8)])
got = list(y.shape)
print(f"the file says {SHAPE}, MNN gives {got}")
if got == SHAPE or done.returncode:
    sys.exit("MNN keeps DequantizeLinear's shape, or refuses it, now")
PY
