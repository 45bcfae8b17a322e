#!/usr/bin/env bash
# OpenCV's INTER_NEAREST_EXACT takes other pixels in 5.0 than in 4.13, and only 5.0's are Pillow's.
#
# Guess:   the mode is described as bit-exact, and as giving what nearest neighbour gives in Pillow: the same pixels in
#          every release, and Pillow's.
# Happens: where a sample's centre falls on the border of two pixels, 4.13 decides otherwise than Pillow, and 5.0 as
#          Pillow does. Of 480 columns made 300 that is 28, of 640 made 224 it is 20: on random values 9 % of the
#          columns come from the neighbour. Large photos with no simple ratio (4032 to 224) are not touched. Pillow
#          itself decides half of these ties to the left and half to the right: it adds up positions in binary
#          fractions.
# Matters: nearest neighbour is for masks and label maps, where a neighbour's value is another class. A mask resized
#          with one release is not the mask of the next, at the very sizes that cameras and networks have (640, 480, 224).
# Do:      resize masks by indices computed in integers, ((2 * i + 1) * n) // (2 * m).
#
# Seen on 2026-11-30, x86-64, Python 3.11 (columns other than Pillow 13.0.0's):
#   opencv 4.13.0: 640 to 224: 20, 640 to 200: 12, 480 to 300: 28, 4032 to 224: 0
#   opencv 5.0.0: 640 to 224: 0, 640 to 200: 0, 480 to 300: 0, 4032 to 224: 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
pip() { venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$@"; }
pip numpy==2.4.6 pillow==13.0.0
pip --target old opencv-python-headless==4.13.0.92
pip --target new opencv-python-headless==5.0.0.93

cat > count.py <<'PY'
import json
import sys

import cv2
import numpy as np
from PIL import Image

differing = {}
for wide, narrow in ((640, 224), (640, 200), (480, 300), (4032, 224)):
    columns = np.arange(wide, dtype=np.float32)[None]
    opencv = cv2.resize(columns, (narrow, 1), interpolation=cv2.INTER_NEAREST_EXACT)
    pillow = np.asarray(Image.fromarray(columns).resize((narrow, 1), Image.Resampling.NEAREST))
    differing[f"{wide} to {narrow}"] = int(np.count_nonzero(opencv != pillow))
print(f"opencv {cv2.__version__}: " + ", ".join(f"{sizes}: {count}" for sizes, count in differing.items()))
expected = json.loads(sys.argv[1])
if list(differing.values()) != expected:
    sys.exit(f"no longer seen: {expected} columns other than Pillow's")
PY
PYTHONPATH=old venv/bin/python count.py "[20, 12, 28, 0]"
PYTHONPATH=new venv/bin/python count.py "[0, 0, 0, 0]"
