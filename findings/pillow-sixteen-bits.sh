#!/usr/bin/env bash
# Pillow turns a grey PNG of 16 bits white where it makes 8 bits of it; a coloured one of 16 bits is scaled.
#
# Guess:   convert("L") and convert("RGB") give the picture in 8 bits, as for every other mode: 32,768 of 65,535 becomes 128.
# Happens: a grey PNG opens as "I;16", and what is above 255 is cut off: of a ramp over all values 99.6 % are 255, and the
#          rest is the darkest 0.4 %, spread over all levels. The same depth in colour is scaled while it is read (the upper
#          byte), so that a test with a coloured file passes. OpenCV scales both. Nothing is raised or warned of.
# Matters: X-rays, depth maps, microscopes and scanners write grey PNG of 16 bits, and convert("RGB") is the first line of
#          most loaders. A network then sees a white picture with some specks, for a part of the data set, and is trained.
# Do:      where mode begins with "I", divide by 257 in numpy before anything else; look at the share of 255.
#
# Seen on 2026-11-30, x86-64, Python 3.11 (a ramp from 0 to 65,535; 8 bits of the middle, share of 255):
#   Pillow 13.0.0: grey, opened as I;16, convert("L"): middle 255, white 99.6%
#   Pillow 13.0.0: grey, opened as I;16, convert("RGB"): middle 255, white 99.6%
#   Pillow 13.0.0: colour, opened as RGB, convert("RGB"): middle 128, white 0.4%
#   OpenCV 5.0.0: grey: middle 128, white 0.4%
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps pillow==13.0.0 numpy==2.4.6 \
    opencv-python-headless==5.0.0.93

venv/bin/python -W error - <<'PY'
import io
import struct
import sys
import zlib

import cv2
import numpy as np
import PIL
from PIL import Image


def png(pixels):
    """Return a PNG of 16 bits a sample, grey or RGB."""
    rows, columns = pixels.shape[:2]
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 16, 2 if pixels.ndim == 3 else 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines)), (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


ramp = np.arange(65536).reshape(256, 256)
grey, colour = png(ramp), png(np.stack([ramp] * 3, axis=-1))


def look(name, values):
    channel = np.asarray(values).reshape(256, 256, -1)[..., 0]
    middle, white = int(channel[128, 0]), float((channel == 255).mean())
    print(f"{name}: middle {middle}, white {white:.1%}")
    return middle, white > 0.5


found = {}
for kind, data, mode in (("grey", grey, "L"), ("grey", grey, "RGB"), ("colour", colour, "RGB")):
    picture = Image.open(io.BytesIO(data))
    name = f'Pillow {PIL.__version__}: {kind}, opened as {picture.mode}, convert("{mode}")'
    found[kind, mode] = look(name, picture.convert(mode))
other = look(f"OpenCV {cv2.__version__}: grey", cv2.imdecode(np.frombuffer(grey, np.uint8), cv2.IMREAD_GRAYSCALE))
if found["colour", "RGB"] != (128, False) or other != (128, False):
    sys.exit("changed: what was scaled is cut off as well")
if found["grey", "L"] != (255, True) or found["grey", "RGB"] != (255, True):
    sys.exit("no longer seen: Pillow cuts grey of 16 bits off at 255")
PY
