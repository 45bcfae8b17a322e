#!/usr/bin/env bash
# LiteRT 1.1.2 to 1.3.0 do not open a file with float16 depthwise weights, which the older tflite-runtime 2.14.0 runs.
#
# Guess:   a file whose operators and versions a runtime knows opens in it, or the delegate leaves what it cannot take to
#          the built-in kernels; where a convolution's float16 weights are taken, a depthwise one's are too.
# Happens: XNNPACK, on by default, takes DEQUANTIZE + CONV_2D but says yes to DEQUANTIZE + DEPTHWISE_CONV_2D first and
#          fails in preparing it: allocate_tensors raises, and nothing falls back. Without the delegate the same file is
#          right in the same release. 2.14.0, from before, and 1.4.0, from after, run it.
# Matters: float16 weights are TFLite's usual way to halve a file, and every mobile network has depthwise convolutions: an
#          app that goes from 2.14 to one of these releases no longer opens a model that it has shipped.
# Do:      name a minimum of 1.4.0, or keep depthwise weights in float32 (they are few).
#
# Seen on 2026-11-30, x86-64, Python 3.11 (relative error against numpy):
#   tflite-runtime 2.14.0: convolution 3e-07; depthwise 9e-08; depthwise without XNNPACK 9e-08
#   ai-edge-litert 1.1.2: convolution 3e-07; depthwise refused; depthwise without XNNPACK 9e-08
#   ai-edge-litert 1.3.0: convolution 3e-07; depthwise refused; depthwise without XNNPACK 9e-08
#   ai-edge-litert 1.4.0: convolution 3e-07; depthwise 9e-08; depthwise without XNNPACK 9e-08
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
pip() { venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$@"; }
pip --target common numpy==2.4.6 flatbuffers==25.12.19 protobuf==7.36.2 tqdm==4.70.1 typing-extensions==4.16.0 backports.strenum==1.2.8
for version in 1.1.2 1.3.0 1.4.0; do pip --target "litert-$version" ai-edge-litert==$version; done
pip --target old tflite-runtime==2.14.0 numpy==1.26.4

cat > make.py <<'PY'
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

KINDS, OPERATORS, OPTIONS = schema.TensorType, schema.BuiltinOperator, schema.BuiltinOptions


def write(name: str, shape: tuple[int, ...], code: int, options: int, settings: object) -> None:
    weights = np.random.default_rng(0).normal(size=shape).astype(np.float16)
    np.save(f"{name}.npy", weights)
    filters = max(shape[0], shape[3])
    tensors = []
    stored = schema.BufferT()
    stored.data = np.frombuffer(weights.tobytes(), np.uint8)
    zeros = schema.BufferT()
    zeros.data = np.zeros(4 * filters, np.uint8)
    for sizes, kind, buffer in (
        ((1, 16, 16, 8), KINDS.FLOAT32, 0),
        (shape, KINDS.FLOAT16, 1),
        (shape, KINDS.FLOAT32, 0),
        ((filters,), KINDS.FLOAT32, 2),
        ((1, 16, 16, filters), KINDS.FLOAT32, 0),
    ):
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer = list(sizes), kind, buffer
        tensors.append(tensor)
    steps = []
    for index, (inputs, output, kind, made) in enumerate(
        (([1], 2, OPTIONS.DequantizeOptions, schema.DequantizeOptionsT()), ([0, 2, 3], 4, options, settings))
    ):
        step = schema.OperatorT()
        step.opcodeIndex, step.inputs, step.outputs = index, inputs, [output]
        step.builtinOptionsType, step.builtinOptions = kind, made
        steps.append(step)
    codes = []
    for operator, version in ((OPERATORS.DEQUANTIZE, 3), (code, 1)):
        entry = schema.OperatorCodeT()
        entry.builtinCode = entry.deprecatedBuiltinCode = operator
        entry.version = version
        codes.append(entry)
    graph = schema.SubGraphT()
    graph.tensors, graph.inputs, graph.outputs, graph.operators = tensors, [0], [4], steps
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, codes, [graph]
    model.buffers = [schema.BufferT(), stored, zeros]
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    with open(f"{name}.tflite", "wb") as file:
        file.write(builder.Output())


for settings in (plain := schema.Conv2DOptionsT(), deep := schema.DepthwiseConv2DOptionsT()):
    settings.strideW = settings.strideH = settings.dilationWFactor = settings.dilationHFactor = 1
    settings.padding = schema.Padding.SAME
deep.depthMultiplier = 1
write("convolution", (16, 3, 3, 8), OPERATORS.CONV_2D, OPTIONS.Conv2DOptions, plain)
write("depthwise", (1, 3, 3, 8), OPERATORS.DEPTHWISE_CONV_2D, OPTIONS.DepthwiseConv2DOptions, deep)
PY
cat > run.py <<'PY'
import sys

import numpy as np

try:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
except ImportError:
    from tflite_runtime.interpreter import Interpreter, OpResolverType

release, refused = sys.argv[1], sys.argv[2] == "refused"
x = np.random.default_rng(1).uniform(-1, 1, (1, 16, 16, 8)).astype(np.float32)
padded = np.pad(x[0].astype(float), ((1, 1), (1, 1), (0, 0)))


def run(name: str, kernels: OpResolverType) -> str:
    weights = np.load(f"{name}.npy").astype(float)
    windows = [(padded[i : i + 16, j : j + 16], weights[:, i, j]) for i in range(3) for j in range(3)]
    right = sum(pixels * w[0] if name == "depthwise" else pixels @ w.T for pixels, w in windows)
    try:
        interpreter = Interpreter(f"{name}.tflite", experimental_op_resolver_type=kernels, num_threads=1)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError):
        return "refused"
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    error = np.abs(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0] - right).max()
    return f"{error / np.abs(right).max():.0e}"


found = {
    "convolution": run("convolution", OpResolverType.AUTO),
    "depthwise": run("depthwise", OpResolverType.AUTO),
    "depthwise without XNNPACK": run("depthwise", OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES),
}
print(f"{release}: " + "; ".join(f"{name} {what}" for name, what in found.items()))
right = [name for name, what in found.items() if what != "refused" and float(what) < 1e-5]
wanted = [name for name in found if not (refused and name == "depthwise")]
sys.exit(0 if right == wanted else f"no longer seen in {release}: {found}")
PY
quiet() { TF_CPP_MIN_LOG_LEVEL=3 "$@" 2>&1 | { grep -v -e '^INFO' -e '^WARNING: All log' || true; }; }
PYTHONPATH=common:litert-1.4.0 venv/bin/python make.py
PYTHONPATH=old quiet venv/bin/python run.py "tflite-runtime 2.14.0" right
PYTHONPATH=common:litert-1.1.2 quiet venv/bin/python run.py "ai-edge-litert 1.1.2" refused
PYTHONPATH=common:litert-1.3.0 quiet venv/bin/python run.py "ai-edge-litert 1.3.0" refused
PYTHONPATH=common:litert-1.4.0 quiet venv/bin/python run.py "ai-edge-litert 1.4.0" right
