#!/usr/bin/env bash
# OpenCV's imread gives nothing for a TIFF whose orientation lies it on its side; imdecode reads the same bytes.
#
# Guess:   the tag Orientation of a TIFF is honoured or ignored, by every function and for every value.
# Happens: imread of 4.13.0 and 5.0.0 returns None for the values 5 to 8, of which rows and columns change places, unless
#          the picture is square; the log speaks of an "internal imread issue". With 1 to 4 it reads, and imdecode with
#          all of them.
# Matters: scanners, microscopes and phones' raw converters write such tags. A loop that skips what imread cannot read,
#          as many do, loses every photo that was taken upright, and no other.
# Do:      cv2.imdecode(np.fromfile(path, np.uint8), flags) instead of cv2.imread(path, flags).
#
# Seen on 2026-11-30, x86-64, Python 3.11 (width × height of a picture of 60 × 40):
#   cv2 4.13.0 and 5.0.0, orientation 1: imread 60 x 40, imdecode 60 x 40
#   cv2 4.13.0 and 5.0.0, orientation 3: imread 60 x 40, imdecode 60 x 40
#   cv2 4.13.0 and 5.0.0, orientation 5, 6, 7, 8: imread nothing, imdecode 40 x 60
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
pip() { venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$@"; }
pip pillow==13.0.0 numpy==2.4.6
pip --target older opencv-python-headless==4.13.0.92
pip --target newer opencv-python-headless==5.0.0.93

cat > turned.py <<'PY'
import sys

import cv2
import numpy as np
from PIL import Image, TiffImagePlugin

KINDS = (1, 3, 5, 6, 7, 8)
pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


def size(picture):
    return "nothing" if picture is None else "{1} x {0}".format(*picture.shape)


def write(name, pixels, kind):
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[274] = kind
    Image.fromarray(pixels).save(name, tiffinfo=info)


found = {}
for kind in KINDS:
    write("a.tiff", pixels, kind)
    whole = cv2.imdecode(np.fromfile("a.tiff", np.uint8), cv2.IMREAD_COLOR)
    found[kind] = cv2.imread("a.tiff") is not None
    print(f"cv2 {cv2.__version__}, orientation {kind}: imread {size(cv2.imread('a.tiff'))}, imdecode {size(whole)}")
    if whole is None or whole.shape[:2] != ((60, 40) if kind >= 5 else (40, 60)):
        sys.exit("changed: imdecode does not read it as it should be seen either")
write("square.tiff", pixels[:, :40], 6)
square = cv2.imread("square.tiff") is not None
expected = {kind: kind < 5 for kind in KINDS}
if found != expected or not square:
    sys.exit("no longer seen, or otherwise: imread of a TIFF that lies on its side")
PY
export OPENCV_LOG_LEVEL=SILENT
PYTHONPATH=older venv/bin/python -W error turned.py
PYTHONPATH=newer venv/bin/python -W error turned.py
