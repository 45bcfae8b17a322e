#!/usr/bin/env bash
# OpenVINO reads a TFLite file's nearest-neighbour resize as if half_pixel_centers were not set.
#
# Guess:   RESIZE_NEAREST_NEIGHBOR with half_pixel_centers takes row floor((out + 0.5) * in / out_size), as TensorFlow
#          and LiteRT do; a reader of .tflite files says so if it cannot.
# Happens: OpenVINO takes floor(out * in / out_size). Of 16 rows made 24 a third are other ones, of 16 made 7 all are.
#          Enlarging by two comes out alike both ways, which hides it. Its bilinear resizes of the same file format are
#          right.
# Matters: TensorFlow 2's image resize asks for half-pixel centres. A file that is right in LiteRT is off by a pixel on
#          an Intel machine, in float too, where one would look for rounding.
# Do:      whole factors, or bilinear, in a file that OpenVINO reads.
#
# Seen on 2026-11-30, x86-64, Python 3.11, openvino 2026.4.1, ai-edge-litert 2.3.0:
#   16 rows to 24, half-pixel centres: other rows at 33%
#   16 rows to  7, half-pixel centres: other rows at 100% (OpenVINO 0 2 4 6 9 11 13, LiteRT 1 3 5 8 10 12 14)
#   16 rows to 32, half-pixel centres: other rows at 0%
#   16 rows to 24, plain: other rows at 0%
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps openvino==2026.4.1 \
    openvino-telemetry==2025.2.0 ai-edge-litert==2.3.0 numpy==2.4.6 flatbuffers==25.12.19 protobuf==7.36.2 \
    tqdm==4.70.1 typing-extensions==4.16.0

TF_CPP_MIN_LOG_LEVEL=3 venv/bin/python - 2>&1 <<'PY' | { grep -v -e '^INFO' -e '^WARNING: All log' || true; }
import importlib.metadata
import sys

import flatbuffers
import numpy as np
import openvino
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("openvino", "ai-edge-litert")))
ROWS = 16


def tensor(name, shape, kind, buffer=0):
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name, list(shape), kind, buffer
    return made


def resize_model(rows, centres):
    size = schema.BufferT()
    size.data = np.frombuffer(np.array([rows, 1], np.int32).tobytes(), np.uint8)
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1], [2]
    operator.builtinOptionsType = schema.BuiltinOptions.ResizeNearestNeighborOptions
    operator.builtinOptions = schema.ResizeNearestNeighborOptionsT()
    operator.builtinOptions.halfPixelCenters = centres
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RESIZE_NEAREST_NEIGHBOR
    code.version = 3
    graph = schema.SubGraphT()
    graph.tensors = [
        tensor("x", (1, ROWS, 1, 1), schema.TensorType.FLOAT32),
        tensor("size", (2,), schema.TensorType.INT32, buffer=1),
        tensor("y", (1, rows, 1, 1), schema.TensorType.FLOAT32),
    ]
    graph.inputs, graph.outputs, graph.operators, graph.name = [0], [2], [operator], "main"
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    model.buffers = [schema.BufferT(), size]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    with open("resize.tflite", "wb") as file:
        file.write(builder.Output())


x = np.arange(ROWS, dtype=np.float32).reshape(1, ROWS, 1, 1)
other = {}
for rows, centres in ((24, True), (7, True), (32, True), (24, False)):
    resize_model(rows, centres)
    interpreter = Interpreter("resize.tflite")
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    litert = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).ravel().astype(int)
    core = openvino.Core()
    compiled = core.compile_model(core.read_model("resize.tflite"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled(x)[0].ravel().astype(int)
    exact = np.floor((np.arange(rows) + (0.5 if centres else 0)) * ROWS / rows).astype(int)
    assert np.array_equal(litert, exact), "LiteRT takes other rows than the definition"
    other[rows, centres] = float(np.mean(found != exact))
    if not np.array_equal(found, np.arange(rows) * ROWS // rows):
        sys.exit("no longer seen: OpenVINO takes the plain form's rows")
    form = "half-pixel centres" if centres else "plain"
    print(f"16 rows to {rows:2}, {form}: other rows at {other[rows, centres]:.0%}"
          + (f" (OpenVINO {' '.join(map(str, found))}, LiteRT {' '.join(map(str, exact))})" if rows == 7 else ""))
if other[32, True] or other[24, False]:
    sys.exit("changed: whole factors or the plain form are wrong as well")
if not (other[24, True] > 0.1 and other[7, True] > 0.5):
    sys.exit("no longer seen: OpenVINO takes other rows than LiteRT with half-pixel centres")
PY
