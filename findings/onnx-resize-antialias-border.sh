#!/usr/bin/env bash
# ONNX's antialiased Resize is Pillow's, except along the border of the picture, unless exclude_outside=1 is said too.
#
# Guess:   Resize(mode="linear", antialias=1), which was modelled on Pillow, gives Pillow's bytes for uint8.
# Happens: inside it does, bit for bit but for one pixel in 800 of noise that is one off. The outermost row and column
#          on each side differ: the standard lets the filter reach beyond the picture and repeats the edge pixels
#          there, and Pillow cuts the filter off and weighs what is left. On noise that is up to 14 levels, on a smooth
#          picture 1. With exclude_outside=1 the border agrees as well. The attribute's text speaks of cubic
#          interpolation's weights; its name says nothing of antialiasing.
# Matters: a graph that resizes for itself is checked on a few photos, whose middle agrees; one that judges a photo's
#          framing looks at the border.
# Do:      exclude_outside=1 beside antialias=1 wherever training resized with Pillow or torchvision.
#
# Seen on 2026-11-30, Python 3.11, onnxruntime 1.31.1, onnx 1.23.2, Pillow 13.0.0 (500 x 700 pixels to 224 x 224):
#   noise,  antialias alone:  border up to 14 levels off, inside up to 1 (0.13% of the pixels)
#   noise,  exclude_outside:  border up to 1 levels off, inside up to 1 (0.13% of the pixels)
#   smooth, antialias alone:  border up to 1 levels off, inside up to 0 (0.00% of the pixels)
#   smooth, exclude_outside:  border up to 0 levels off, inside up to 0 (0.00% of the pixels)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps onnxruntime==1.31.1 onnx==1.23.2 \
    pillow==13.0.0 numpy==2.4.6 protobuf==7.36.2 flatbuffers==25.12.19 packaging==26.4 ml-dtypes==0.6.0 \
    typing-extensions==4.16.0

venv/bin/python - <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime as ort
import PIL
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

print("onnxruntime", ort.__version__, "onnx", onnx.__version__, "Pillow", PIL.__version__)
rows, columns = np.mgrid[:500, :700]
smooth = np.stack([128 + 100 * np.sin(columns / 17 + rows / 40), 128 + 90 * np.cos(rows / 23), columns * 255 / 700], -1)
pictures = {
    "noise": np.random.default_rng(0).integers(0, 256, (500, 700, 3)).astype(np.uint8),
    "smooth": np.clip(np.rint(smooth), 0, 255).astype(np.uint8),
}


def resized(picture, **attributes):
    graph = helper.make_graph(
        [helper.make_node("Resize", ["x", "", "", "size"], ["y"], mode="linear", antialias=1, **attributes)], "g",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 3, 500, 700])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [1, 3, 224, 224])],
        [numpy_helper.from_array(np.array([1, 3, 224, 224]), "size")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    session = ort.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": picture.transpose(2, 0, 1)[None]})[0][0].transpose(1, 2, 0).astype(int)


off = {}
for name, picture in pictures.items():
    pillow = np.asarray(Image.fromarray(picture).resize((224, 224), Image.Resampling.BILINEAR)).astype(int)
    for how, attributes in (("antialias alone", {}), ("exclude_outside", {"exclude_outside": 1})):
        difference = abs(resized(picture, **attributes) - pillow)
        inside = difference[1:-1, 1:-1]
        edge = difference.copy()
        edge[1:-1, 1:-1] = 0
        off[name, how] = int(edge.max()), int(inside.max())
        print(f"{name + ',':7} {how}:  border up to {edge.max()} levels off, inside up to {inside.max()} "
              f"({np.mean(inside > 0):.2%} of the pixels)")
if max(inside for _, inside in off.values()) > 1 or max(off[name, "exclude_outside"][0] for name in pictures) > 1:
    sys.exit("changed: with exclude_outside, or away from the border, Resize is not Pillow's any more")
if off["noise", "antialias alone"][0] < 5 or off["smooth", "antialias alone"][0] < 1:
    sys.exit("no longer seen: the border of an antialiased Resize differs from Pillow's")
PY
