#!/usr/bin/env bash
# LiteRT's CompiledModel takes an array of another type or of fewer elements for its input, and reads its raw bytes.
#
# Guess:   writing a photo of bytes to the input of a float32 network is refused (the Interpreter of the same package
#          says "Got value of type UINT8 but expected type FLOAT32") or converted; half a photo is refused.
# Happens: TensorBuffer.write copies as many bytes as the array has, if they fit. Bytes, float16 and int32 are read as
#          float32 bit patterns, and what the array does not reach keeps the photo before it. Only too many bytes are
#          refused. read() likewise: any type, and as few elements as asked for.
# Matters: a photo from Pillow is uint8, and a quarter of the bytes of the float input: the answer is a plausible
#          probability of nonsense and of three quarters of the last person's photo. The step from the Interpreter to
#          CompiledModel, which LiteRT recommends, loses the check without a word.
# Do:      compare dtype and shape with get_input_tensor_details() before each write.
#
# Seen on 2026-11-30, x86-64, Python 3.11 (a network of one ReLU, 1 x 16 x 16 x 3 float32):
#   ai-edge-litert 2.3.0 CompiledModel: uint8 accepted, 0 of 768 right, 576 are the photo before
#   ai-edge-litert 2.3.0 CompiledModel: the first of 16 rows accepted, 720 are the photo before
#   ai-edge-litert 2.3.0 Interpreter: uint8 refused; the first of 16 rows refused
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
pip() { venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$@"; }
pip ai-edge-litert==2.3.0 numpy==2.4.6 flatbuffers==25.12.19 protobuf==7.36.2 tqdm==4.70.1 typing-extensions==4.16.0 ml-dtypes==0.6.0

quiet() { TF_CPP_MIN_LOG_LEVEL=3 "$@" 2>&1 | { grep -v -e '^INFO' -e '^WARNING' -e '^└' || true; }; }
quiet venv/bin/python - <<'PY'
import importlib.metadata
import sys

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.interpreter import Interpreter

SHAPE = [1, 16, 16, 3]
source, target = schema.TensorT(), schema.TensorT()
for made, name in ((source, b"photo"), (target, b"answer")):
    made.shape, made.type, made.buffer, made.name = SHAPE, schema.TensorType.FLOAT32, 0, name
operator = schema.OperatorT()
operator.inputs, operator.outputs = [0], [1]
code = schema.OperatorCodeT()
code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RELU
code.version = 1
graph = schema.SubGraphT()
graph.tensors, graph.inputs, graph.outputs, graph.operators = [source, target], [0], [1], [operator]
model = schema.ModelT()
model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
builder = flatbuffers.Builder(1024)
builder.Finish(model.Pack(builder), b"TFL3")
with open("relu.tflite", "wb") as file:
    file.write(builder.Output())

version = importlib.metadata.version("ai-edge-litert")
photo = np.random.default_rng(0).integers(1, 256, SHAPE, dtype=np.uint8)
BEFORE = 7.5  # every pixel of the photo before, a value that no byte has
cases = {"uint8": photo, "the first of 16 rows": photo[:, :1].astype(np.float32)}

compiled = CompiledModel.from_file("relu.tflite")
inputs, outputs = compiled.create_input_buffers(0), compiled.create_output_buffers(0)
left = {}
for name, array in cases.items():
    inputs[0].write(np.full(SHAPE, BEFORE, np.float32))
    try:
        inputs[0].write(array)
    except (RuntimeError, ValueError) as error:
        sys.exit(f"no longer seen: CompiledModel accepts {name} ({error})")
    compiled.run_by_index(0, inputs, outputs)
    answer = outputs[0].read(photo.size, np.float32).reshape(SHAPE)
    left[name] = int(np.count_nonzero(answer == BEFORE))
    right = int(np.count_nonzero(answer == photo))
    print(f"ai-edge-litert {version} CompiledModel: {name} accepted, {right} of {photo.size} right, "
          f"{left[name]} are the photo before")

interpreter = Interpreter("relu.tflite")
interpreter.allocate_tensors()
for name, array in cases.items():
    try:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], array)
    except ValueError as error:
        print(f"ai-edge-litert {version} Interpreter: {name} refused: {str(error).split(': ', 1)[1][:60]}")
    else:
        sys.exit(f"no longer seen: the Interpreter refuses {name}")
if left != {"uint8": photo.size * 3 // 4, "the first of 16 rows": photo.size * 15 // 16}:
    sys.exit("no longer seen: the rest of the buffer keeps the photo before")
PY
