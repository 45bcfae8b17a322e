#!/usr/bin/env bash
# A HEIC photo's colour comes out of libheif in blocks of 2 x 2 pixels; JPEG, AVIF and WebP decoders smooth it.
#
# Guess:   4:2:0 is 4:2:0: a decoder interpolates the halved colour planes, so a HEIC and a JPEG of one picture at high
#          quality differ by little more than their compression.
# Happens: through pillow-heif (libheif) each colour sample is repeated for its four pixels: the two columns of a pair
#          have equal Cb and Cr everywhere. Pillow's JPEG, AVIF and WebP decoders (libjpeg-turbo, libavif, libwebp)
#          weigh neighbouring samples. Along coloured edges the HEIC has steps twice as high.
# Matters: one photo in two containers gives two inputs to a network. A set of iPhone photos decoded here has coloured
#          staircases that the JPEGs it was trained on do not have; small on average, largest where a lesion's edge is.
# Do:      decode training photos and test photos by the same decoder, or shrink before comparing: at half size the
#          difference is gone.
#
# Seen on 2026-11-30, x86-64, Python 3.11 (largest step of Cb or Cr inside pairs of columns, and between pairs):
#   pillow-heif 1.8.1 (libheif 1.23.6): HEIC inside 0, between 48
#   Pillow 13.0.0: JPEG inside 26, between 26; AVIF inside 23, between 24; WebP inside 25, between 25
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
pip() { venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$@"; }
pip numpy==2.4.6 pillow==13.0.0 pillow-heif==1.8.1

venv/bin/python - <<'PY'
import io
import sys

import numpy as np
import PIL
import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()
rows, columns = np.mgrid[:256, :320]
picture = np.empty((256, 320, 3), np.uint8)
picture[...] = (200, 150, 130)  # skin
picture[(columns - 160) ** 2 + (rows - 128) ** 2 < 60**2] = (120, 30, 40)  # a lesion
picture[40:61, 41:201] = (20, 60, 200)  # a ruler
FORMATS = {
    "HEIC": ("HEIF", {"quality": 95, "chroma": 420}),
    "JPEG": ("JPEG", {"quality": 95, "subsampling": "4:2:0"}),
    "AVIF": ("AVIF", {"quality": 95, "subsampling": "4:2:0"}),
    "WebP": ("WEBP", {"quality": 95}),
}
print(f"Pillow {PIL.__version__}, pillow-heif {pillow_heif.__version__}, libheif {pillow_heif.libheif_version()}")
inside = {}
for name, (kind, options) in FORMATS.items():
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind, **options)
    colour = np.asarray(Image.open(file).convert("RGB").convert("YCbCr"))[..., 1:].astype(int)
    inside[name] = int(np.abs(colour[:, 0::2] - colour[:, 1::2]).max())
    between = int(np.abs(colour[:, 1:-1:2] - colour[:, 2::2]).max())
    print(f"{name}: inside pairs {inside[name]}, between pairs {between}")
if inside["HEIC"] != 0:
    sys.exit("no longer seen: HEIC's colour samples are repeated")
if min(inside[name] for name in FORMATS if name != "HEIC") < 10:
    sys.exit("no longer seen: JPEG's, AVIF's and WebP's are interpolated")
PY
