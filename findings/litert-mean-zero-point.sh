#!/usr/bin/env bash
# The mean of int8 numbers depends on where their zero point lies: −9.49999 is rounded to −10, and 16.5 to 17 or to 16.
#
# Guess:   zero points are integers and are taken off in integers, as they are in a convolution; the same real numbers, in the
#          same step, have the same mean, whatever the zero point is.
# Happens: XNNPACK adds up the bytes as they are, multiplies the sum, and only then takes both zero points off, in float32: the
#          number that is rounded is small, but its error is that of a number some hundreds large. Of the means of 14 × 14
#          numbers below, 8 sums of 14,768 and 1 of 28,504 are another integer than with zero point 0, and none is with 0.
# Matters: one step in a squeeze-and-excitation moves a whole channel; after thirty layers a probability had moved by 0.035.
# Do:      choose steps at which no sum lies on a half or so near it: one of a few neighbouring float16 numbers has none.
#
# Seen on 2026-11-30, x86-64, Python 3.11, ai-edge-litert 2.3.0:
#   step 0.04934692 to 0.015625, zero points -122, -91: 8 of 14,768 sums are another integer; the first: -16.500000 gives -17
#   step 0.02412415 to 0.015625, zero points -116, -78: 1 of 28,504 sums are another integer; the first: -9.499990 gives -10
#   step 0.04934692 to 0.015625, zero points 0, 0: 0 of 15,949 sums are another integer
#   step 0.02412415 to 0.015625, zero points 0, 0: 0 of 32,626 sums are another integer
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps numpy==2.4.6 flatbuffers==25.12.19 protobuf==7.36.2 \
	tqdm==4.70.1 typing-extensions==4.16.0 backports.strenum==1.2.8 ai-edge-litert==2.3.0

cat > run.py <<'PY'
import math

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

SIDE = 14
COUNT = SIDE * SIDE


def mean_file(shape, quantization):
    """A file of one MEAN over rows and columns."""
    model, graph, mean, code = schema.ModelT(), schema.SubGraphT(), schema.OperatorT(), schema.OperatorCodeT()
    axes = schema.BufferT()
    axes.data = np.array([1, 2], np.int32).view(np.uint8)
    graph.tensors = []
    for number, size in enumerate((shape, (1, 1, 1, shape[3]), (2,))):
        tensor = schema.TensorT()
        tensor.shape, tensor.buffer = list(size), int(number == 2)
        tensor.type = schema.TensorType.INT32 if number == 2 else schema.TensorType.INT8
        if number < 2:
            step, zero = quantization[number]
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = np.array([step], np.float32), [zero]
        graph.tensors.append(tensor)
    mean.inputs, mean.outputs = [0, 2], [1]
    mean.builtinOptionsType, mean.builtinOptions = schema.BuiltinOptions.ReducerOptions, schema.ReducerOptionsT()
    mean.builtinOptions.keepDims = True
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.MEAN
    code.version = 2
    graph.operators, graph.inputs, graph.outputs = [mean], [0], [1]
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT(), axes]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def compare(before, after, zero, last):
    """Every sum whose mean is not clipped: the integers, and how many are not the exact quotient's."""
    factor = float(np.float32(before)) / after / COUNT
    low = max((-128 - zero) * COUNT, math.ceil((-129 - last) / factor))
    high = min((127 - zero) * COUNT, math.floor((128 - last) / factor))
    sums = np.arange(low, high + 1)
    quotient, rest = np.divmod(sums, COUNT)
    pixels = (quotient + zero + (np.arange(COUNT)[:, None] < rest)).astype(np.int8).reshape(1, SIDE, SIDE, -1)
    assert ((pixels.astype(np.int64) - zero).sum((0, 1, 2)) == sums).all()
    interpreter = Interpreter(
        model_content=mean_file(pixels.shape, ((before, zero), (after, last))), num_threads=1
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(0, pixels)
    interpreter.invoke()
    assert "DELEGATE" in [row["op_name"] for row in interpreter._get_ops_details()]
    found = interpreter.get_tensor(1).astype(np.int64).ravel()
    once = np.clip(np.rint(sums.astype(np.float32) * np.float32(factor)) + last, -128, 127).astype(np.int64)
    other = np.flatnonzero(found != once)
    first = f"; the first: {sums[other[0]] * factor:.6f} gives {found[other[0]] - last}" if len(other) else ""
    print(f"step {before:.8f} to {after}, zero points {zero}, {last}: {len(other)} of {len(sums):,} sums are another integer{first}")
    return len(other)


far = [compare(float(np.float16(step)), 2**-6, *zeros) for step, zeros in ((0.049346924, (-122, -91)), (0.024124146, (-116, -78)))]
near = [compare(float(np.float16(step)), 2**-6, 0, 0) for step in (0.049346924, 0.024124146)]
if not (all(far) and not any(near)):
    raise SystemExit("no longer: a mean's integers do not depend on the zero point, or otherwise")
PY
venv/bin/python run.py 2> /dev/null
