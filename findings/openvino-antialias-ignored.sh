#!/usr/bin/env bash
# OpenVINO reads antialias=1 of an ONNX Resize, keeps it in its graph, and does not antialias.
#
# Guess:   an attribute that a reader does not carry out is refused; one that it carries in its own graph is carried
#          out.
# Happens: the Interpolate operation says antialias: True, and the CPU computes the plain bilinear samples, the same to
#          the last bit as without the attribute. Of noise that is made half as large the pixels are 15 levels off on
#          average; ONNX Runtime and Pillow agree about what they should be. OpenVINO's own preprocessing
#          (RESIZE_BILINEAR_PILLOW) does antialias, with the same library.
# Matters: a graph that takes the whole photo and shrinks it sees aliased pictures on Intel machines only: hair, pores
#          and grain turn into a pattern, and sharp photos get sharper. Nothing is logged.
# Do:      take Resize out of the graph for OpenVINO and use its preprocessing, or compare one photo before shipping.
#
# Seen on 2026-11-30, x86-64, Python 3.11, openvino 2026.4.1, onnxruntime 1.31.1, onnx 1.23.2, Pillow 13.0.0:
#   ONNX Runtime with antialias: 0.3 levels from Pillow on average
#   OpenVINO with antialias (True in its graph): 15.4 levels from Pillow on average, 0.0 from itself without
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps openvino==2026.4.1 \
    openvino-telemetry==2025.2.0 onnxruntime==1.31.1 onnx==1.23.2 pillow==13.0.0 numpy==2.4.6 protobuf==7.36.2 \
    flatbuffers==25.12.19 packaging==26.4 ml-dtypes==0.6.0 typing-extensions==4.16.0

venv/bin/python - <<'PY'
import importlib.metadata
import sys

import numpy as np
import onnx
import onnxruntime as ort
import openvino
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("openvino", "onnxruntime", "onnx", "pillow")))
photo = np.random.default_rng(0).integers(0, 256, (100, 120, 3)).astype(np.uint8)
x = photo.transpose(2, 0, 1)[None].astype(np.float32)
SIZE = (50, 60)


def made(antialias):
    graph = helper.make_graph(
        [helper.make_node("Resize", ["x", "", "", "size"], ["y"], mode="linear", antialias=antialias)], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, *SIZE])],
        [numpy_helper.from_array(np.array([1, 3, *SIZE]), "size")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def by_openvino(data):
    core = openvino.Core()
    model = core.read_model(data)
    kept = [op.get_attributes()["antialias"] for op in model.get_ops() if op.get_type_name() == "Interpolate"]
    return core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(x)[0], kept


def by_onnxruntime(data):
    return ort.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


plain, _ = by_openvino(made(0))
smooth, kept = by_openvino(made(1))
runtime = by_onnxruntime(made(1))
pillow = np.asarray(Image.fromarray(photo).resize(SIZE[::-1], Image.Resampling.BILINEAR), float)
pillow = pillow.transpose(2, 0, 1)[None]
inner = (..., slice(1, -1), slice(1, -1))
off = float(abs(smooth - pillow)[inner].mean())
print(f"ONNX Runtime with antialias: {abs(runtime - pillow)[inner].mean():.1f} levels from Pillow on average")
print(f"OpenVINO with antialias ({kept[0]} in its graph): {off:.1f} levels from Pillow on average, "
      f"{abs(smooth - plain).max():.1f} from itself without")
if abs(runtime - pillow)[inner].mean() > 1 or abs(by_onnxruntime(made(0)) - plain).max() > 0.01:
    sys.exit("changed: ONNX Runtime is not Pillow's any more, or OpenVINO's plain samples are others than its")
if kept != [True] or off < 5 or not np.array_equal(smooth, plain):
    sys.exit("no longer seen: OpenVINO ignores an ONNX Resize's antialias")
PY
