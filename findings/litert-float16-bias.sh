#!/usr/bin/env bash
# LiteRT 1.4.0 to 2.1.6 leave a convolution of float16 weights out of XNNPACK where its bias is float32, as it usually is.
#
# Guess:   float16 weights with a DEQUANTIZE are the documented way to halve a file, and XNNPACK takes them as it takes
#          float32 ones. Biases are few and may stay float32: quantizers write them so.
# Happens: 1.3.0 delegates such a convolution; 1.4.0 and 2.1.6 run it with the built-in kernel, without a word, and do
#          delegate it once the bias is float16 with a DEQUANTIZE, too; 2.3.0 delegates both. A network falls into as many
#          pieces as it has products, and pays for each change of hands.
# Matters: nothing fails and every number is right, so that an app that moves to one of these releases only gets slower.
# Do:      write weight and bias alike.
#
# Seen on 2026-11-30, x86-64, Python 3.11:
#   ai-edge-litert 1.3.0: bias in float32: delegated, error 1e-06
#   ai-edge-litert 1.3.0: bias in float16: delegated, error 1e-06
#   ai-edge-litert 1.4.0: bias in float32: not delegated, error 8e-07
#   ai-edge-litert 1.4.0: bias in float16: delegated, error 6e-07
#   ai-edge-litert 2.1.6: bias in float32: not delegated, error 8e-07
#   ai-edge-litert 2.1.6: bias in float16: delegated, error 1e-06
#   ai-edge-litert 2.3.0: bias in float32: delegated, error 1e-06
#   ai-edge-litert 2.3.0: bias in float16: delegated, error 1e-06
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
pip() { venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$@"; }
pip --target common numpy==2.4.6 flatbuffers==25.12.19 protobuf==7.36.2 tqdm==4.70.1 typing-extensions==4.16.0 backports.strenum==1.2.8
for version in 1.3.0 1.4.0 2.1.6 2.3.0; do pip --target "litert-$version" ai-edge-litert==$version; done

cat > make.py <<'PY'
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

KINDS, OPERATORS, OPTIONS = schema.TensorType, schema.BuiltinOperator, schema.BuiltinOptions
rng = np.random.default_rng(0)
weights, biases = rng.normal(size=(8, 1, 1, 16)).astype(np.float16), rng.normal(size=8).astype(np.float16)
np.savez("numbers.npz", weights=weights.reshape(8, 16).astype(float), biases=biases.astype(float))


def write(name: str, halved: bool) -> None:
    graph, model = schema.SubGraphT(), schema.ModelT()
    model.version, model.buffers, model.subgraphs = 3, [schema.BufferT()], [graph]
    graph.tensors, graph.operators = [], []

    def tensor(shape: tuple[int, ...], kind: int, data: np.ndarray | None = None) -> int:
        made = schema.TensorT()
        made.shape, made.type, made.buffer = list(shape), kind, 0
        if data is not None:
            stored = schema.BufferT()
            stored.data = np.frombuffer(data.tobytes(), np.uint8)
            model.buffers.append(stored)
            made.buffer = len(model.buffers) - 1
        graph.tensors.append(made)
        return len(graph.tensors) - 1

    def step(code: int, inputs: list[int], output: int, options: int = 0, settings: object = None) -> None:
        made = schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = code, inputs, [output]
        made.builtinOptionsType, made.builtinOptions = options, settings
        graph.operators.append(made)

    def unpack(data: np.ndarray) -> int:
        made = tensor(data.shape, KINDS.FLOAT32)
        step(0, [tensor(data.shape, KINDS.FLOAT16, data)], made)
        return made

    image, out = tensor((1, 8, 8, 16), KINDS.FLOAT32), tensor((1, 8, 8, 8), KINDS.FLOAT32)
    weight = unpack(weights)
    bias = unpack(biases) if halved else tensor((8,), KINDS.FLOAT32, biases.astype(np.float32))
    settings = schema.Conv2DOptionsT()
    settings.padding = schema.Padding.VALID
    settings.strideW = settings.strideH = settings.dilationWFactor = settings.dilationHFactor = 1
    step(1, [image, weight, bias], out, OPTIONS.Conv2DOptions, settings)
    model.operatorCodes = []
    for operator, version in ((OPERATORS.DEQUANTIZE, 3), (OPERATORS.CONV_2D, 1)):
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = operator
        code.version = version
        model.operatorCodes.append(code)
    graph.inputs, graph.outputs = [image], [out]
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    with open(f"{name}.tflite", "wb") as file:
        file.write(builder.Output())


write("float32", False)
write("float16", True)
PY
cat > run.py <<'PY'
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

release, wanted = sys.argv[1], {"float32": sys.argv[2] == "delegated", "float16": True}
numbers = np.load("numbers.npz")
x = np.random.default_rng(1).uniform(-1, 1, (1, 8, 8, 16)).astype(np.float32)
right = x[0].astype(float) @ numbers["weights"].T + numbers["biases"]
found = {}
for name in wanted:
    interpreter = Interpreter(f"{name}.tflite", num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    error = np.abs(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0] - right).max()
    # The interpreter's own list of what it executes; there is no public one.
    found[name] = any(one["op_name"] == "DELEGATE" for one in interpreter._get_ops_details())
    print(f"ai-edge-litert {release}: bias in {name}: {'delegated' if found[name] else 'not delegated'}, error {error:.0e}")
    if error > 1e-5:
        sys.exit(f"no longer seen in {release}: every number is right")
if found != wanted:
    sys.exit(f"no longer seen in {release}: delegated {found}")
PY
quiet() { TF_CPP_MIN_LOG_LEVEL=3 "$@" 2>&1 | { grep -v -e '^INFO' -e '^WARNING: All log' || true; }; }
PYTHONPATH=common:litert-2.3.0 venv/bin/python make.py
for pair in 1.3.0:delegated 1.4.0:left 2.1.6:left 2.3.0:delegated; do
    PYTHONPATH=common:litert-${pair%:*} quiet venv/bin/python run.py "${pair%:*}" "${pair#*:}"
done
