#!/usr/bin/env bash
# The same int8 file gives other integers with XNNPACK than with TFLite's built-in kernels, which round twice.
#
# Guess:   an int8 product is defined by TFLite's quantization specification: an integer product, one factor, one rounding.
#          Optimized, reference and delegated kernels of one release agree to the bit, and that is what int8 is for.
# Happens: the built-in kernels, optimized and reference alike, multiply by a 32-bit fixed-point factor with one rounding and
#          shift with a second one, so that a value up to 2^-(shift+1) below a half goes up; XNNPACK rounds once. Of a MUL's
#          products 0.6 or 6 % are one step apart, by the factor's size. Convolutions do the same.
# Matters: some steps early in a network move probabilities by 0.1 at the end of ours. TensorFlow Lite 2.14 leaves int8 to
#          the built-in kernels, LiteRT gives it to XNNPACK: another release, or one setting, is another network.
# Do:      say for an int8 file which kernels it was judged on, and refuse the others; a reference that rounds once is
#          XNNPACK's and ONNX Runtime's.
#
# Seen on 2026-11-30, x86-64, Python 3.11:
#   ai-edge-litert 2.3.0, default: factor 0.0082: rounded once; 0.00% of the products one step off
#   ai-edge-litert 2.3.0, built-in: factor 0.0082: rounded twice; 0.62% of the products one step off
#   ai-edge-litert 2.3.0, reference: factor 0.0082: rounded twice; 0.62% of the products one step off
#   ai-edge-litert 2.3.0, default: factor 0.0874: rounded once; 0.00% of the products one step off
#   ai-edge-litert 2.3.0, built-in: factor 0.0874: rounded twice; 6.14% of the products one step off
#   ai-edge-litert 2.3.0, reference: factor 0.0874: rounded twice; 6.14% of the products one step off
#   tflite-runtime 2.14.0, default: factor 0.0082: rounded twice; 0.62% of the products one step off   (Python 3.11 alone)
#   tflite-runtime 2.14.0, default: factor 0.0874: rounded twice; 6.14% of the products one step off   (likewise)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
pip() { venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$@"; }
pip --target common numpy==2.4.6 flatbuffers==25.12.19 protobuf==7.36.2 tqdm==4.70.1 typing-extensions==4.16.0 backports.strenum==1.2.8
pip --target new ai-edge-litert==2.3.0

cat > make.py <<'PY'
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

for number, scale in enumerate((1.7321, 0.1618)):
    graph, model = schema.SubGraphT(), schema.ModelT()
    graph.tensors = []
    # No factor is a ratio of small numbers, so that no product is a tie.
    for step in (0.1, 0.1414, scale):
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer = [1, 255, 255, 1], schema.TensorType.INT8, 0
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = np.array([step], np.float32), [0]
        graph.tensors.append(tensor)
    multiply, code = schema.OperatorT(), schema.OperatorCodeT()
    multiply.inputs, multiply.outputs = [0, 1], [2]
    multiply.builtinOptionsType, multiply.builtinOptions = schema.BuiltinOptions.MulOptions, schema.MulOptionsT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.MUL
    code.version = 2
    graph.operators, graph.inputs, graph.outputs = [multiply], [0, 1], [2]
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    with open(f"multiply{number}.tflite", "wb") as file:
        file.write(builder.Output())
PY
cat > run.py <<'PY'
import sys

import numpy as np

try:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
except ImportError:
    from tflite_runtime.interpreter import Interpreter, OpResolverType

release, *names = sys.argv[1:]
KERNELS = {
    "default": OpResolverType.AUTO,
    "built-in": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "reference": OpResolverType.BUILTIN_REF,
}
grid = np.arange(-127, 128, dtype=np.int8)
one, other = (np.ascontiguousarray(side)[None, ..., None] for side in np.meshgrid(grid, grid))
product = (one.astype(np.int64) * other).ravel()


def twice(factor: float) -> np.ndarray:
    """A factor in [1/2, 1) of 31 bits, rounded; then a shift, rounded away from zero."""
    fraction, exponent = np.frexp(factor)
    scaled = np.abs(product) * int(np.rint(fraction * 2**31))
    first = (scaled + 2**30) >> 31  # no product is a tie there
    return np.sign(product) * ((first + (1 << (-exponent - 1))) >> -exponent)


for number in (0, 1):
    for name in names:
        interpreter = Interpreter(f"multiply{number}.tflite", experimental_op_resolver_type=KERNELS[name], num_threads=1)
        interpreter.allocate_tensors()
        steps = [detail["quantization"][0] for detail in interpreter.get_tensor_details()[:3]]
        factor = float(np.float32(steps[0])) * float(np.float32(steps[1])) / float(np.float32(steps[2]))
        once = np.clip(np.rint(product * factor), -128, 127)
        rounded = {"once": once, "twice": np.clip(twice(factor), -128, 127)}
        for detail, value in zip(interpreter.get_input_details(), (one, other)):
            interpreter.set_tensor(detail["index"], value)
        interpreter.invoke()
        got = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).ravel()
        inside = np.abs(once) < 127
        kind = next((kind for kind, values in rounded.items() if np.array_equal(got, values)), "otherwise")
        apart = np.mean((got != once)[inside])
        print(f"{release}, {name}: factor {factor:.4f}: rounded {kind}; {apart:.2%} of the products one step off")
        wanted = "once" if name == "default" and release.startswith("ai-edge-litert") else "twice"
        if kind != wanted or (wanted == "twice") != (apart > 0.001) or np.abs(got - once).max() > 1:
            sys.exit(f"no longer seen in {release}, {name}: rounded {wanted}")
PY
quiet() { TF_CPP_MIN_LOG_LEVEL=3 "$@" 2>&1 | { grep -v -e '^INFO' -e '^WARNING: All log' || true; }; }
PYTHONPATH=common:new venv/bin/python make.py
PYTHONPATH=common:new quiet venv/bin/python run.py "ai-edge-litert 2.3.0" default built-in reference
if venv/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
    pip --target old tflite-runtime==2.14.0 numpy==1.26.4
    PYTHONPATH=old quiet venv/bin/python run.py "tflite-runtime 2.14.0" default
fi
