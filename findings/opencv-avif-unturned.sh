#!/usr/bin/env bash
# OpenCV shows an AVIF as it is stored, on its side, where it turns JPEG, PNG and WebP as their EXIF data say.
#
# Guess:   imread turns a photo upright, in whatever container it comes: IMREAD_COLOR says so, and
#          IMREAD_IGNORE_ORIENTATION is there to ask for the other.
# Happens: an AVIF's own rotation, "irot" in its ISO container, is not looked at: a photo that was taken upright comes
#          out lying. Pillow, which wrote it, follows it. JPEG, PNG and WebP of the same picture are turned.
# Matters: phones and sites convert photos to AVIF, and keep the pixels as the sensor has them. Networks get them on
#          their side, and boxes that were drawn in a browser lie elsewhere.
# Do:      open AVIF with Pillow and ImageOps.exif_transpose, or convert the pixels when the file is made.
#
# Seen on 2026-11-30, x86-64, Python 3.11 (a picture of 60 × 40, to be turned by 90°; its red corner must be upper right):
#   cv2 4.13.0 and 5.0.0: jpg, png, webp 40 x 60, red upper right; avif 60 x 40, red upper left
#   Pillow 13.0.0: all four 40 x 60, red upper right
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
import PIL
from PIL import Image, ImageOps

pixels = np.full((40, 60, 3), 128, np.uint8)
pixels[:20, :20] = (255, 0, 0)  # the upper left corner of what is stored
exif = Image.Exif()
exif[274] = 6  # stored rows are columns from the right: the corner belongs upper right


def describe(picture):
    """Return width and height, and which corner is red, of RGB pixels."""
    height, width = picture.shape[:2]
    corners = {"upper left": picture[2, 2], "upper right": picture[2, -3], "lower left": picture[-3, 2]}
    red = next((name for name, pixel in corners.items() if int(pixel[0]) - int(pixel[1]) > 100), "none")
    return f"{width} x {height}, red {red}"


UPRIGHT, STORED = "40 x 60, red upper right", "60 x 40, red upper left"
found = {}
for kind in ("jpg", "png", "webp", "avif"):
    Image.fromarray(pixels).save(f"a.{kind}", exif=exif, quality=95)
    shown = describe(np.asarray(ImageOps.exif_transpose(Image.open(f"a.{kind}")).convert("RGB")))
    found[kind] = describe(cv2.imread(f"a.{kind}")[..., ::-1])
    print(f"{kind:4}: cv2 {cv2.__version__} {found[kind]}; Pillow {PIL.__version__} {shown}")
    if shown != UPRIGHT:
        sys.exit("changed: Pillow does not turn it either")
if b"irot" not in np.fromfile("a.avif", np.uint8).tobytes():
    sys.exit("changed: the AVIF has no rotation of its own")
if any(found[kind] != UPRIGHT for kind in ("jpg", "png", "webp")):
    sys.exit("changed: OpenCV does not turn the others either")
if found["avif"] != STORED:
    sys.exit("no longer seen: an AVIF stays as it is stored")
PY
PYTHONPATH=older venv/bin/python -W error turned.py
PYTHONPATH=newer venv/bin/python -W error turned.py
