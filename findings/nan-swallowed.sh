#!/usr/bin/env bash
# A NaN inside a network does not reach its output: each runtime swallows it in another operator.
#
# Guess:   NaN spreads, so "no output is NaN" proves that nothing overflowed on the way.
# Happens: OpenVINO's ReLU and Clip make 0 of it. MaxPool drops it in ONNX Runtime, OpenVINO and LiteRT's built-in
#          kernels, and gives minus infinity in XNNPACK, though the other three values of the window are 1. Quantizing
#          it gives the lowest step, or the highest in XNNPACK. ONNX Runtime's and LiteRT's ReLU let it through.
# Matters: a float16 overflow (infinity minus infinity) ends as a plausible probability in one runtime, as NaN in the
#          next, and as the most certain verdict after a quantized layer. A check of outputs may see nothing.
# Do:      look at the intermediate values' ranges once (in float32), not at the outputs alone.
#
# Seen on 2026-11-30, x86-64, Python 3.11 (NaN among ones):
#   ReLU:     onnxruntime nan, openvino 0, LiteRT with XNNPACK nan, LiteRT without nan
#   Clip:     onnxruntime nan, openvino 0, LiteRT with XNNPACK nan, LiteRT without nan
#   MaxPool:  onnxruntime 1, openvino 1, LiteRT with XNNPACK -inf, LiteRT without 1
#   Quantize: onnxruntime -128, openvino -128, LiteRT with XNNPACK 127, LiteRT without -128
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps onnxruntime==1.31.1 onnx==1.23.2 \
    openvino==2026.4.1 openvino-telemetry==2025.2.0 ai-edge-litert==2.3.0 numpy==2.4.6 protobuf==7.36.2 \
    flatbuffers==25.12.19 packaging==26.4 ml-dtypes==0.6.0 typing-extensions==4.16.0 tqdm==4.70.1

TF_CPP_MIN_LOG_LEVEL=3 venv/bin/python - 2>&1 <<'PY' | { grep -v -e '^INFO' -e '^WARNING: All log' || true; }
import importlib.metadata
import math
import sys

import flatbuffers
import numpy as np
import onnxruntime as ort
import openvino
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from onnx import TensorProto, helper, numpy_helper

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("onnxruntime", "openvino", "ai-edge-litert")))
x = np.ones((1, 8, 4, 4), np.float32)
x[0, 0, 0, 0] = math.nan


def onnx_answers(node, kind=TensorProto.FLOAT, **constants):
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", kind, [None] * 4)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8).SerializeToString()
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(data), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    return {"onnxruntime": session.run(None, {"x": x})[0].flat[0], "openvino": compiled(x)[0].flat[0]}


def litert_answers(operation, options=None, result=(1, 4, 4, 8), quantized=False):
    source, target = schema.TensorT(), schema.TensorT()
    source.shape, source.type, source.buffer = [1, 4, 4, 8], schema.TensorType.FLOAT32, 0
    target.shape, target.type, target.buffer = list(result), schema.TensorType.FLOAT32, 0
    if quantized:
        target.type, target.quantization = schema.TensorType.INT8, schema.QuantizationParametersT()
        target.quantization.scale, target.quantization.zeroPoint = [0.1], [3]
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0], [1]
    if options is not None:
        operator.builtinOptionsType, operator.builtinOptions = options
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = operation
    code.version = 1
    graph = schema.SubGraphT()
    graph.tensors, graph.inputs, graph.outputs, graph.operators = [source, target], [0], [1], [operator]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    found = {}
    for name, kernels in (("LiteRT with XNNPACK", OpResolverType.AUTO),
                          ("LiteRT without", OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)):
        interpreter = Interpreter(model_content=bytes(builder.Output()), experimental_op_resolver_type=kernels)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x.transpose(0, 2, 3, 1).copy())
        interpreter.invoke()
        found[name] = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).flat[0]
    return found


pool = schema.Pool2DOptionsT()
pool.strideW = pool.strideH = pool.filterWidth = pool.filterHeight = 2
pool.padding = schema.Padding.VALID
operators, pools = schema.BuiltinOperator, schema.BuiltinOptions
seen = {
    "ReLU": onnx_answers(helper.make_node("Relu", ["x"], ["y"])) | litert_answers(operators.RELU),
    "Clip": onnx_answers(helper.make_node("Clip", ["x", "low", "high"], ["y"]), low=np.float32(0), high=np.float32(6))
    | litert_answers(operators.RELU6),
    "MaxPool": onnx_answers(helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2]))
    | litert_answers(operators.MAX_POOL_2D, (pools.Pool2DOptions, pool), (1, 2, 2, 8)),
    "Quantize": onnx_answers(helper.make_node("QuantizeLinear", ["x", "step", "zero"], ["y"]), TensorProto.INT8,
                             step=np.float32(0.1), zero=np.int8(3))
    | litert_answers(operators.QUANTIZE, (pools.QuantizeOptions, schema.QuantizeOptionsT()), quantized=True),
}
for name, answers in seen.items():
    print(f"{name + ':':9} " + ", ".join(f"{runtime} {float(value):g}" for runtime, value in answers.items()))
runtimes = ("onnxruntime", "openvino", "LiteRT with XNNPACK", "LiteRT without")
expected = {
    "ReLU": (math.nan, 0, math.nan, math.nan),
    "Clip": (math.nan, 0, math.nan, math.nan),
    "MaxPool": (1, 1, -math.inf, 1),
    "Quantize": (-128, -128, 127, -128),
}
for name, values in expected.items():
    if not np.array_equal([float(seen[name][runtime]) for runtime in runtimes], values, equal_nan=True):
        sys.exit(f"no longer seen: {name} makes {values} of NaN in {runtimes}")
PY
