#!/usr/bin/env bash
# A dense layer of int8 weights and float32 activations puts out its bias alone in tflite-runtime 2.14.0.
#
# Guess:   ai-edge-quantizer's dynamic recipe (int8 weights with a scale per channel, all else float32) runs wherever its
#          operator's version is known, and a runtime that cannot do it refuses the file. Convolutions do run.
# Happens: 2.14.0, the last tflite-runtime, opens the file, runs it with and without XNNPACK, and gives the bias: the
#          product with the weights is missing. It knows one scale for a whole dense layer, and reads zero for the scale of
#          one that has many. LiteRT 2.3.0 is right to two percent. Convolutions and depthwise ones of the same recipe are
#          right in both.
# Matters: the dense layer is the classifier's last. Every photo gets the same probabilities, those of the bias, on the
#          phones and boards that still have the old runtime; the converter's own check, in the new one, is passed.
# Do:      name the oldest runtime a file was judged on, and run one photo in it; two photos must differ.
#
# Seen on 2026-11-30, x86-64, Python 3.11 (64 inputs, 4 outputs, bias 1 2 3 4):
#   ai-edge-litert 2.3.0: two inputs: -2.7 4.7 7.3 4.5; 4.1 2.8 0.8 2.4; error of the product 0.02
#   tflite-runtime 2.14.0: two inputs: 1.0 2.0 3.0 4.0; 1.0 2.0 3.0 4.0; error of the product 1.00
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
pip() { venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$@"; }
pip ai-edge-quantizer==0.10.0 ai-edge-litert==2.3.0 numpy==2.4.6 scipy==1.17.1 immutabledict==4.3.1 absl-py==2.5.1 \
    ml-dtypes==0.6.0 litert-lm-builder==0.18.1 flatbuffers==25.12.19 protobuf==7.36.2 tqdm==4.70.1 \
    typing-extensions==4.16.0
pip --target old tflite-runtime==2.14.0 numpy==1.26.4

cat >make.py <<'PY'
import contextlib
import importlib.metadata
import io

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_quantizer import quantizer, recipe

print("ai-edge-quantizer", importlib.metadata.version("ai-edge-quantizer"))


def tensor(name, shape, buffer=0):
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name, list(shape), schema.TensorType.FLOAT32, buffer
    return made


def constant(values):
    made = schema.BufferT()
    made.data = np.frombuffer(values.astype(np.float32).tobytes(), np.uint8)
    return made


def dense(weight, bias):
    outputs, inputs = weight.shape
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1, 2], [3]
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = schema.FullyConnectedOptionsT()
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = 1
    graph = schema.SubGraphT()
    graph.tensors = [tensor("x", (1, inputs)), tensor("w", weight.shape, 1), tensor("b", bias.shape, 2),
                     tensor("y", (1, outputs))]
    graph.inputs, graph.outputs, graph.operators = [0], [3], [operator]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    model.buffers = [schema.BufferT(), constant(weight), constant(bias)]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


rng = np.random.default_rng(0)
weight, bias = rng.normal(0, 0.5, (4, 64)).astype(np.float32), np.arange(1, 5, dtype=np.float32)
tool = quantizer.Quantizer(bytearray(dense(weight, bias)))
tool.load_quantization_recipe(recipe.dynamic_wi8_afp32())
with contextlib.redirect_stdout(io.StringIO()), open("dense.tflite", "wb") as file:
    file.write(tool.quantize().quantized_model)
inputs = rng.normal(0, 1, (2, 64)).astype(np.float32)
np.savez("case.npz", inputs=inputs, bias=bias, right=inputs @ weight.T + bias)
PY
cat >run.py <<'PY'
import importlib.metadata
import sys

import numpy as np

package, error = sys.argv[1], float(sys.argv[2])
if package == "tflite-runtime":
    from tflite_runtime import interpreter as runtime
else:
    from ai_edge_litert import interpreter as runtime
case = np.load("case.npz")
for kernels in (runtime.OpResolverType.AUTO, runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES):
    interpreter = runtime.Interpreter("dense.tflite", experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    answers = []
    for values in case["inputs"]:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values[None])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0].copy())
    product = case["right"] - case["bias"]
    apart = float(abs(np.array(answers) - case["right"]).max() / abs(product).max())
    print(f"{package} {importlib.metadata.version(package)}: two inputs: "
          + "; ".join(" ".join(f"{value:.1f}" for value in answer) for answer in answers)
          + f"; error of the product {apart:.2f}")
    if not error - 0.05 < apart < error + 0.05:
        sys.exit(f"no longer seen: {package} gives an error of {error}")
PY
quiet() { TF_CPP_MIN_LOG_LEVEL=3 "$@" 2>&1 | { grep -v -e '^INFO' -e '^WARNING: All log' || true; }; }
quiet venv/bin/python -W ignore make.py
quiet venv/bin/python run.py ai-edge-litert 0
PYTHONPATH=old quiet venv/bin/python run.py tflite-runtime 1
