#!/usr/bin/env bash
# Halves are quantized to the even step by LiteRT's fast kernels, and away from zero by its reference kernels and older
# releases.
#
# Guess:   QUANTIZE from float32 is one multiplication and one rounding; the same file gives the same integers in every
#          kernel and release. Rounding differs in convolutions, where accumulators are rescaled, not here.
# Happens: of values that lie halfway between two steps, half come out one step apart: LiteRT 2.3.0 rounds to the even
#          step with XNNPACK and its built-in kernels (as ONNX's QuantizeLinear must), away from zero in its reference
#          kernels; tflite-runtime 2.14.0 always does.
# Matters: halves are no accident at a network's entrance: bytes that are scaled by a power of two, or the mean of two
#          bytes, lie on them exactly. There the integers of two releases differ in a quarter of the pixels.
# Do:      an entrance whose step is the byte itself (QUANTIZE from uint8), or steps that no input can halve.
#
# Seen on 2026-11-30, x86-64, Python 3.11 (bytes divided by two, quantized with a step of one):
#   ai-edge-litert 2.3.0: XNNPACK  0.5 1.5 2.5 3.5 become 0 2 2 4
#   ai-edge-litert 2.3.0: built-in 0.5 1.5 2.5 3.5 become 0 2 2 4
#   ai-edge-litert 2.3.0: reference 0.5 1.5 2.5 3.5 become 1 2 3 4; 25% of 256 bytes other than XNNPACK
#   tflite-runtime 2.14.0: XNNPACK 0.5 1.5 2.5 3.5 become 1 2 3 4   (this line on Python 3.11 alone)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
pip() { venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$@"; }
pip ai-edge-litert==2.3.0 numpy==2.4.6 flatbuffers==25.12.19 protobuf==7.36.2 tqdm==4.70.1 typing-extensions==4.16.0

quiet() { TF_CPP_MIN_LOG_LEVEL=3 "$@" 2>&1 | { grep -v -e '^INFO' -e '^WARNING: All log' || true; }; }
quiet venv/bin/python - <<'PY'
import importlib.metadata
import sys

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

KERNELS = {
    "XNNPACK": OpResolverType.AUTO,
    "built-in": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "reference": OpResolverType.BUILTIN_REF,
}
source, target = schema.TensorT(), schema.TensorT()
for made, kind in ((source, schema.TensorType.FLOAT32), (target, schema.TensorType.INT8)):
    made.shape, made.type, made.buffer = [1, 16, 16, 1], kind, 0
target.quantization = schema.QuantizationParametersT()
target.quantization.scale, target.quantization.zeroPoint = [1.0], [0]
operator = schema.OperatorT()
operator.inputs, operator.outputs = [0], [1]
operator.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
operator.builtinOptions = schema.QuantizeOptionsT()
code = schema.OperatorCodeT()
code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
code.version = 1
graph = schema.SubGraphT()
graph.tensors, graph.inputs, graph.outputs, graph.operators = [source, target], [0], [1], [operator]
model = schema.ModelT()
model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
builder = flatbuffers.Builder(1024)
builder.Finish(model.Pack(builder), b"TFL3")
with open("quantize.tflite", "wb") as file:
    file.write(builder.Output())

halved = (np.arange(256, dtype=np.float32) / 2).reshape(1, 16, 16, 1)
found = {}
for name, kernels in KERNELS.items():
    interpreter = Interpreter("quantize.tflite", experimental_op_resolver_type=kernels, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], halved)
    interpreter.invoke()
    found[name] = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).ravel()
    text = f"0.5 1.5 2.5 3.5 become {' '.join(map(str, found[name][1:8:2]))}"
    if name == "reference":
        text += f"; {np.mean(found[name] != found['XNNPACK']):.0%} of 256 bytes other than XNNPACK"
    print(f"ai-edge-litert {importlib.metadata.version('ai-edge-litert')}: {name} {text}")
even, away = np.rint(halved).ravel(), np.floor(halved + 0.5).ravel()
if not all(np.array_equal(found[name], np.clip(even, -128, 127)) for name in ("XNNPACK", "built-in")):
    sys.exit("no longer seen: LiteRT's fast kernels round halves to the even step")
if not np.array_equal(found["reference"], np.clip(away, -128, 127)):
    sys.exit("no longer seen: LiteRT's reference kernels round halves away from zero")
PY

if venv/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
    pip --target older tflite-runtime==2.14.0 numpy==1.26.4
    PYTHONPATH=older quiet venv/bin/python - <<'PY'
import sys

import numpy as np
from tflite_runtime import __version__
from tflite_runtime.interpreter import Interpreter

interpreter = Interpreter("quantize.tflite", num_threads=1)
interpreter.allocate_tensors()
halved = (np.arange(256, dtype=np.float32) / 2).reshape(1, 16, 16, 1)
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], halved)
interpreter.invoke()
found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).ravel()
print(f"tflite-runtime {__version__}: XNNPACK 0.5 1.5 2.5 3.5 become {' '.join(map(str, found[1:8:2]))}")
if not np.array_equal(found, np.clip(np.floor(halved + 0.5).ravel(), -128, 127)):
    sys.exit("no longer seen: tflite-runtime 2.14 rounds halves away from zero")
PY
fi
