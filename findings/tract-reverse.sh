#!/usr/bin/env bash
# tract runs an LSTM, GRU or RNN of direction "reverse" otherwise than ONNX says; "bidirectional" is right.
#
# Guess:   a runtime that gets both directions of a bidirectional layer right gets the reverse one alone right.
# Happens: it reads the sequence from the beginning, as if direction were "forward": Y is the forward layer's to the last
#          digits. Nothing is refused or logged.
# Matters: PyTorch exports bidirectional layers, so that a first test passes; a layer that reads backwards alone (line and
#          text recognizers, Keras' go_backwards) gives plausible numbers of the right shape.
# Do:      reverse the sequence with Slice (steps -1) before and after a forward layer, or use "bidirectional" and take
#          its second half.
#
# Seen on 2026-11-30, x86-64, Python 3.11, tract 0.23.9, onnxruntime 1.31.1, onnx 1.23.2 (difference from ONNX Runtime):
#   LSTM forward 0e+00, bidirectional 0e+00, reverse 0.5; from the forward layer's answer 0e+00
#   GRU forward 1e-07, bidirectional 2e-07, reverse 0.7; from the forward layer's answer 1e-07
#   RNN forward 3e-07, bidirectional 4e-07, reverse 1.9; from the forward layer's answer 3e-07
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps tract==0.23.9 onnxruntime==1.31.1 \
    onnx==1.23.2 numpy==2.4.6 protobuf==7.36.2 flatbuffers==25.12.19 packaging==26.4 ml-dtypes==0.6.0 \
    typing-extensions==4.16.0

venv/bin/python - <<'PY'
import importlib.metadata
import sys

import numpy as np
import onnx
import onnxruntime as ort
import tract
from onnx import TensorProto, helper, numpy_helper

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("tract", "onnxruntime", "onnx")))
STEPS, BATCH, FEATURES, HIDDEN = 6, 2, 3, 5
rng = np.random.default_rng(0)
x = rng.normal(size=(STEPS, BATCH, FEATURES)).astype(np.float32)


def answers(kind, gates, direction):
    """Return Y of one recurrent layer in tract and in ONNX Runtime."""
    both = 2 if direction == "bidirectional" else 1
    values = np.random.default_rng(1)
    shapes = {"W": (both, gates * HIDDEN, FEATURES), "R": (both, gates * HIDDEN, HIDDEN), "B": (both, 2 * gates * HIDDEN)}
    weights = {name: values.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    node = helper.make_node(kind, ["x", "W", "R", "B"], ["y"], hidden_size=HIDDEN, direction=direction)
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [STEPS, both, BATCH, HIDDEN])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "layer.onnx")
    loaded = tract.onnx().load("layer.onnx")
    loaded.set_input_fact(0, f"{STEPS},{BATCH},{FEATURES},f32")
    found = loaded.into_model().into_runnable().run([x])[0].to_numpy()
    return found, ort.InferenceSession("layer.onnx", providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


for kind, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
    found = {direction: answers(kind, gates, direction) for direction in ("forward", "bidirectional", "reverse")}
    apart = {direction: float(abs(a - b).max()) for direction, (a, b) in found.items()}
    forward = float(abs(found["reverse"][0] - found["forward"][1]).max())
    print(f"{kind} forward {apart['forward']:.0e}, bidirectional {apart['bidirectional']:.0e}, reverse "
          f"{apart['reverse']:.1f}; from the forward layer's answer {forward:.0e}")
    if max(apart["forward"], apart["bidirectional"]) > 1e-4:
        sys.exit(f"changed: {kind} is wrong in another direction, too")
    if apart["reverse"] < 0.1 or forward > 1e-4:
        sys.exit(f"no longer seen: {kind} of direction reverse is run forward")
PY
