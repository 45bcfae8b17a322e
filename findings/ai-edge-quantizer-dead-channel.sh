#!/usr/bin/env bash
# ai-edge-quantizer turns the bias of a dead channel into -2147483648, whatever the bias was.
#
# Guess:   a channel whose weights have died (pruning leaves zeros, weight decay 1e-8 and below, and folding a batch
#          normalisation into them leaves its offset as bias) still puts out its bias. It costs one step at most.
# Happens: the channel's scale is its greatest weight divided by 127 (of zeros: a very small number), the bias is
#          divided by that scale and the input's, is beyond 32 bits, and the cast gives the least integer, for positive
#          biases too. The channel then puts out about 0 instead of 3. All that is said is numpy's RuntimeWarning from
#          the cast.
# Matters: one such channel per block is enough to shift a network; "this layer does not quantize" is the usual
#          verdict. ONNX Runtime's quantize_static widens the scale instead, for int8 weights.
# Do:      give every channel a least scale, |bias| / (2^31 * input scale), or replace dead channels' weights by one
#          small number that keeps it, before quantizing.
#
# Seen on 2026-11-30, x86-64, Python 3.11:
#   ai-edge-quantizer 0.10.0 ai-edge-litert 2.3.0
#   living channel: bias 3 becomes      379767; puts out  3.00 on average instead of 3.00
#   tiny   channel: bias 3 becomes -2147483648; puts out  0.00 on average instead of 3.00
#   zero   channel: bias 3 becomes -2147483648; puts out  0.00 on average instead of 3.00
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps ai-edge-quantizer==0.10.0 \
    ai-edge-litert==2.3.0 numpy==2.4.6 scipy==1.17.1 immutabledict==4.3.1 absl-py==2.5.1 ml-dtypes==0.6.0 \
    litert-lm-builder==0.18.1 flatbuffers==25.12.19 protobuf==7.36.2 tqdm==4.70.1 typing-extensions==4.16.0

TF_CPP_MIN_LOG_LEVEL=3 venv/bin/python -W ignore - 2>&1 <<'PY' | { grep -v -e '^INFO' -e '^WARNING: All log' || true; }
import contextlib
import importlib.metadata
import io
import sys

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import quantizer, recipe

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("ai-edge-quantizer", "ai-edge-litert")))


def tensor(name, shape, buffer=0):
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name, list(shape), schema.TensorType.FLOAT32, buffer
    return made


def constant(values):
    made = schema.BufferT()
    made.data = np.frombuffer(values.astype(np.float32).tobytes(), np.uint8)
    return made


def named(name, index):
    made = schema.TensorMapT()
    made.name, made.tensorIndex = name, index
    return made


def convolution(weight, bias):
    outputs, inputs = weight.shape[0], weight.shape[3]
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1, 2], [3]
    operator.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    options = operator.builtinOptions = schema.Conv2DOptionsT()
    options.strideW = options.strideH = options.dilationWFactor = options.dilationHFactor = 1
    options.padding = schema.Padding.VALID
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
    code.version = 1
    graph = schema.SubGraphT()
    graph.tensors = [tensor("x", (1, 16, 16, inputs)), tensor("w", weight.shape, 1), tensor("b", bias.shape, 2),
                     tensor("y", (1, 16, 16, outputs))]
    graph.inputs, graph.outputs, graph.operators = [0], [3], [operator]
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs, signature.outputs = [named("x", 0)], [named("y", 3)]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs, model.signatureDefs = 3, [code], [graph], [signature]
    model.buffers = [schema.BufferT(), constant(weight), constant(bias)]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def quantized(model, samples):
    tool = quantizer.Quantizer(bytearray(model))
    tool.load_quantization_recipe(recipe.static_wi8_ai8())
    with contextlib.redirect_stdout(io.StringIO()):
        ranges = tool.calibrate({"serving_default": [{"x": sample} for sample in samples]})
        return ranges, bytes(tool.quantize(ranges).quantized_model)


rng = np.random.default_rng(0)
weight, bias = rng.normal(0, 0.2, (8, 1, 1, 3)), np.full(8, 3.0)
weight[1] *= 1e-7
weight[2] = 0
model = convolution(weight, bias)
photos = [rng.uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32) for _ in range(16)]
_, file = quantized(model, photos)
interpreter = Interpreter(model_content=file, num_threads=1)
interpreter.allocate_tensors()
details = {detail["name"]: detail for detail in interpreter.get_tensor_details()}
scale, zero = details["x"]["quantization"]
interpreter.set_tensor(details["x"]["index"], np.clip(np.rint(photos[0] / scale) + zero, -128, 127).astype(np.int8))
interpreter.invoke()
scale, zero = details["y"]["quantization"]
answer = (interpreter.get_tensor(details["y"]["index"]).astype(float) - zero) * scale
integers = interpreter.get_tensor(details["b"]["index"])
exact = photos[0].astype(float) @ weight[:, 0, 0].T + bias
error = abs(answer - exact).max((0, 1, 2))
for name, channel in (("living", 0), ("tiny", 1), ("zero", 2)):
    print(f"{name:6} channel: bias 3 becomes {integers[channel]:11}; puts out {answer[..., channel].mean():5.2f} "
          f"on average instead of {exact[..., channel].mean():.2f}")
if not ((integers[1:3] == -(2**31)).all() and error[1:3].min() > 2.5):
    sys.exit("no longer seen: the bias of a dead channel is lost")
if np.delete(error, [1, 2]).max() > 0.1:
    sys.exit("changed: living channels are wrong as well")
PY
