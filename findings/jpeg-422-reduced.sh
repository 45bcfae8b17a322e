#!/usr/bin/env bash
# Decoded at a reduced size, a 4:2:2 JPEG loses more colour than a 4:2:0 one, which holds half as much of it.
#
# Guess:   reduced decoding (Pillow's draft, libjpeg's scale_denom, Android's inSampleSize) is a cheap, slightly
#          inexact shrink; 4:2:2 has twice 4:2:0's colour samples and comes out at least as well.
# Happens: for 4:2:0 libjpeg-turbo shrinks the colour planes less than the brightness, so they need no enlarging
#          afterwards. It does so only where both directions allow it. 4:2:2 has half the columns and all of the rows:
#          its colour planes are shrunk by the whole factor, left with half as many columns as the picture, and the
#          columns are then repeated. At 1/8 the colours below are eleven times as far from the full decode's as
#          4:2:0's.
# Matters: many cameras and some phones write 4:2:2. A tolerance for "reduced decoding is good enough" that was set
#          with Pillow's and most phones' own 4:2:0 does not hold for these; redness is colour.
# Do:      ask for a decode at least twice as large for 4:2:2 (and 4:4:0), or measure the tolerance on it.
#
# Seen on 2026-11-30, x86-64, Python 3.11, Pillow 13.0.0, libjpeg-turbo 3.2.0 (mean levels from the full decode):
#   4:4:4: colour off by 0.31 at 1/2, 0.29 at 1/4, 0.30 at 1/8; brightness 0.32, 0.29, 0.30
#   4:2:2: colour off by 0.59 at 1/2, 1.72 at 1/4, 3.95 at 1/8; brightness 0.32, 0.30, 0.30
#   4:2:0: colour off by 0.41 at 1/2, 0.41 at 1/4, 0.36 at 1/8; brightness 0.32, 0.29, 0.30
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps pillow==13.0.0 numpy==2.4.6

venv/bin/python - <<'PY'
import io
import sys

import numpy as np
import PIL
from PIL import Image, features

print("Pillow", PIL.__version__, "libjpeg-turbo", features.version("libjpeg_turbo"))
SIDE = 1024
coarse = np.random.default_rng(0).integers(60, 200, (64, 64, 3)).astype(np.uint8)
photo = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def colour(levels):
    """Return Cb and Cr of RGB levels."""
    return levels @ np.array([[-0.168736, 0.5], [-0.331264, -0.418688], [0.5, -0.081312]])


off = {}
for sampling in ("4:4:4", "4:2:2", "4:2:0"):
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=95, subsampling=sampling)
    full = np.asarray(Image.open(file), float)
    for factor in (2, 4, 8):
        reduced = Image.open(file)
        reduced.draft("RGB", (SIDE // factor, SIDE // factor))
        shrunk = np.asarray(reduced, float)
        small = SIDE // factor
        averaged = full.reshape(small, factor, small, factor, 3).mean((1, 3))
        off[sampling, factor] = abs(colour(shrunk - averaged)).mean()
        off[sampling, factor, "brightness"] = abs((shrunk - averaged) @ np.array([0.299, 0.587, 0.114])).mean()
    print(f"{sampling}: colour off by " + ", ".join(f"{off[sampling, f]:.2f} at 1/{f}" for f in (2, 4, 8))
          + "; brightness " + ", ".join(f"{off[sampling, f, 'brightness']:.2f}" for f in (2, 4, 8)))
if off["4:2:2", 8] < 2 * off["4:2:0", 8] or off["4:2:2", 4] < 1.5 * off["4:2:0", 4]:
    sys.exit("no longer seen: reduced decoding takes more colour from 4:2:2 than from 4:2:0")
PY
