#!/usr/bin/env bash
# A Cast from float to bytes wraps around in ONNX Runtime, stops at 0 and 255 in LiteRT, and in LiteRT's int8 it
# depends on the release.
#
# Guess:   300 becomes 255 and -1 becomes 0, as every image library does it; or else all runtimes leave it alike to C.
# Happens: uint8: ONNX Runtime gives 300.7 -> 44, 256 -> 0, -1.2 -> 255; LiteRT 255, 255, 0. int8: LiteRT 1.4.0 wraps
#          as ONNX Runtime does, LiteRT 2.3.0 stops at -128 and 127. (ONNX calls the value undefined.)
# Matters: a graph that sharpens, resizes cubically or converts colours overshoots 0 to 255 by a little at every edge
#          and then casts to bytes: white becomes black, only at edges, in one of two exports of one network.
# Do:      Clip before every Cast to an integer type.
#
# Seen on 2026-11-30, x86-64, Python 3.11 (-1.2, 255.4, 256, 300.7):
#   onnxruntime 1.31.1       uint8 255 255 0 44      int8 -1 -1 0 44
#   ai-edge-litert 1.4.0     uint8 0 255 255 255     int8 -1 -1 0 44
#   ai-edge-litert 2.3.0     uint8 0 255 255 255     int8 -1 127 127 127
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
[ "$(uname -m)" = x86_64 ] || { echo "this was seen on x86-64; C leaves it to the processor" >&2; exit 2; }
python3 -m venv venv
pip() { venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$@"; }
pip onnxruntime==1.31.1 onnx==1.23.2 numpy==2.4.6 protobuf==7.36.2 flatbuffers==25.12.19 packaging==26.4 \
    ml-dtypes==0.6.0 typing-extensions==4.16.0 tqdm==4.70.1
pip --target older ai-edge-litert==1.4.0
pip --target newer ai-edge-litert==2.3.0

quiet() { TF_CPP_MIN_LOG_LEVEL=3 "$@" 2>&1 | { grep -v -e '^INFO' -e '^WARNING: All log' || true; }; }
cat > values.py <<'PY'
import sys

import numpy as np

VALUES = np.array([-1.2, 255.4, 256, 300.7], np.float32)


def judge(name, found, expected):
    print(f"{name:24} " + "  ".join(f"{kind + ' ' + ' '.join(map(str, found[kind])):22}" for kind in found).rstrip())
    if found != expected:
        sys.exit(f"no longer seen: {name} gave {expected}")
PY
quiet venv/bin/python - <<'PY'
import sys

sys.path.insert(0, ".")
import onnxruntime as ort
from onnx import TensorProto, helper
from values import VALUES, judge

found = {}
for name, kind in (("uint8", TensorProto.UINT8), ("int8", TensorProto.INT8)):
    graph = helper.make_graph(
        [helper.make_node("Cast", ["x"], ["y"], to=kind)], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])], [helper.make_tensor_value_info("y", kind, [4])],
    )
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8).SerializeToString()
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    found[name] = session.run(None, {"x": VALUES})[0].tolist()
judge(f"onnxruntime {ort.__version__}", found, {"uint8": [255, 255, 0, 44], "int8": [-1, -1, 0, 44]})
PY
cat > litert.py <<'PY'
import importlib.metadata
import json
import sys

import flatbuffers
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from values import VALUES, judge

found = {}
for name, kind in (("uint8", schema.TensorType.UINT8), ("int8", schema.TensorType.INT8)):
    source, target = schema.TensorT(), schema.TensorT()
    for made, its in ((source, schema.TensorType.FLOAT32), (target, kind)):
        made.shape, made.type, made.buffer = [4], its, 0
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0], [1]
    operator.builtinOptionsType = schema.BuiltinOptions.CastOptions
    operator.builtinOptions = schema.CastOptionsT()
    operator.builtinOptions.inDataType, operator.builtinOptions.outDataType = schema.TensorType.FLOAT32, kind
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CAST
    code.version = 1
    graph = schema.SubGraphT()
    graph.tensors, graph.inputs, graph.outputs, graph.operators = [source, target], [0], [1], [operator]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    interpreter = Interpreter(model_content=bytes(builder.Output()), num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], VALUES)
    interpreter.invoke()
    found[name] = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).tolist()
judge(f"ai-edge-litert {importlib.metadata.version('ai-edge-litert')}", found, json.loads(sys.argv[1]))
PY
PYTHONPATH=older quiet venv/bin/python litert.py '{"uint8": [0, 255, 255, 255], "int8": [-1, -1, 0, 44]}'
PYTHONPATH=newer quiet venv/bin/python litert.py '{"uint8": [0, 255, 255, 255], "int8": [-1, 127, 127, 127]}'
