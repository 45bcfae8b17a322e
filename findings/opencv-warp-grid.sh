#!/usr/bin/env bash
# OpenCV 4.13 turns and shifts pictures on a grid of 1/32 pixel; 5.0 does so exactly: up to four levels apart.
#
# Guess:   warpAffine, warpPerspective and remap with bilinear interpolation are the textbook's formula, for float32
#          pictures to the last digits; a newer release does the same.
# Happens: 4.13 rounds each sample's position to 1/32 pixel, for float32 as well. Of noise, a turn by 3 degrees is up to 4.2
#          levels off and 0.9 on average, and a shift by less than 1/64 pixel does nothing at all. 5.0 is right to half a
#          level in bytes and to a thousandth in float32. The documentation of neither speaks of it.
# Matters: training augments by such turns. Golden pixels of 4.x fail in 5.0, an own GPU or phone kernel that is right
#          fails against 4.x, and a derivative by small shifts is a staircase: registration gets stuck on the grid.
# Do:      tolerances of 4 levels where both releases are used; torch's grid_sample or scipy where a part of a pixel
#          counts.
#
# Seen on 2026-11-30, x86-64, Python 3.11 (noise of 0 to 255; largest difference from the formula, and mean):
#   opencv 4.13.0: turn by 3 degrees: float32 up to 3.9 (0.8), uint8 up to 4.2 (0.9); shift by 0.015: moves 0.00 levels
#   opencv 5.0.0: turn by 3 degrees: float32 up to 0.0 (0.0), uint8 up to 0.5 (0.3); shift by 0.015: moves 1.29 levels
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
pip() { venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$@"; }
pip numpy==2.4.6
pip --target old opencv-python-headless==4.13.0.92
pip --target new opencv-python-headless==5.0.0.93

cat >warp.py <<'PY'
import json

import cv2
import numpy as np

noise = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
rows, columns = np.mgrid[8:56, 8:56].astype(float)


def formula(matrix):
    """Return the bilinear samples in float64."""
    x = matrix[0, 0] * columns + matrix[0, 1] * rows + matrix[0, 2]
    y = matrix[1, 0] * columns + matrix[1, 1] * rows + matrix[1, 2]
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, low = x - left, y - top
    pixel = noise.astype(float)
    above = pixel[top, left] * (1 - right) + pixel[top, left + 1] * right
    below = pixel[top + 1, left] * (1 - right) + pixel[top + 1, left + 1] * right
    return above * (1 - low) + below * low


def warp(picture, matrix):
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, matrix, (64, 64), flags=flags)[8:56, 8:56].astype(float)


turn = cv2.getRotationMatrix2D((31.5, 31.5), 3, 1)
shift = np.array([[1, 0, 0.015], [0, 1, 0]], float)
answer = {"version": cv2.__version__}
for kind in ("float32", "uint8"):
    apart = abs(warp(noise.astype(kind), turn) - formula(turn))
    answer[kind] = float(apart.max()), float(apart.mean())
answer["moved"] = float(abs(warp(noise.astype("float32"), shift) - noise[8:56, 8:56]).mean())
print(json.dumps(answer))
PY
PYTHONPATH=old venv/bin/python warp.py >old.json
PYTHONPATH=new venv/bin/python warp.py >new.json
venv/bin/python - <<'PY'
import json
import sys

answers = [json.load(open(name)) for name in ("old.json", "new.json")]
for answer in answers:
    print("opencv {}: turn by 3 degrees: float32 up to {:.1f} ({:.1f}), uint8 up to {:.1f} ({:.1f}); shift by 0.015: moves "
          "{:.2f} levels".format(answer["version"], *answer["float32"], *answer["uint8"], answer["moved"]))
old, new = answers
if new["float32"][0] > 0.05 or new["uint8"][0] > 0.55 or new["moved"] < 0.5:
    sys.exit("changed: 5.0 does otherwise than the formula")
if old["float32"][0] < 2 or old["moved"] > 0:
    sys.exit("no longer seen: 4.13 samples on a grid of 1/32 pixel")
PY
