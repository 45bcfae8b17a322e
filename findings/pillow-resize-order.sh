#!/usr/bin/env bash
# Pillow 13.0.0 shrinks tall pictures in another order of passes than 12.2.0: 13 to 20 % of their bytes are one level apart.
#
# Guess:   Image.resize is stable: a major release may drop what was deprecated, and does not change pixels. A filter that
#          is separable gives the same whichever axis comes first.
# Happens: of pictures that are taller than wide, 13 to 20 % of the bytes differ by one level; wide and square ones are equal
#          to the bit. Each of the two passes rounds to 8 bits, so their order shows: 12.2.0 always resizes along the rows
#          first, 13.0.0 the tall ones along the columns first.
# Matters: preprocessing that must be the same in training, on a server and on a phone is often "as Pillow does it": golden
#          pixels made with one release fail in the other, and only those of portrait photos.
# Do:      name the order in one's own definition, and call resize once an axis; golden pixels with a tall picture.
#
# Seen on 2026-11-30, x86-64, Python 3.11:
#   336 x 500: 19.7% of bytes differ, by 1; first rows, columns (12.2.0, 13.0.0)
#   567 x 1008: 14.9% of bytes differ, by 1; first rows, columns (12.2.0, 13.0.0)
#   720 x 1280: 13.3% of bytes differ, by 1; first rows, columns (12.2.0, 13.0.0)
#   1008 x 567: 0.0% of bytes differ, by 0; first rows, rows (12.2.0, 13.0.0)
#   1008 x 1008: 0.0% of bytes differ, by 0; first rows, rows (12.2.0, 13.0.0)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
pip() { venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$@"; }
pip numpy==2.4.6
pip --target old pillow==12.2.0
pip --target new pillow==13.0.0

cat > shrink.py <<'PY'
import sys

import numpy as np
from PIL import Image, __version__

BILINEAR = Image.Resampling.BILINEAR
found = {"version": np.array(__version__)}
for width, height in ((336, 500), (567, 1008), (720, 1280), (1008, 567), (1008, 1008)):
    slopes = np.add.outer(np.linspace(0, 150, height), np.linspace(0, 80, width))[..., None]
    noise = np.random.default_rng(0).normal(0, 20, (height, width, 3))
    picture = Image.fromarray(np.clip(slopes + noise, 0, 255).astype(np.uint8))
    found[f"{width} x {height}"] = np.asarray(picture.resize((224, 224), BILINEAR))
    # One axis at a time there is no order to choose.
    for order, first in (("rows", (224, height)), ("columns", (width, 224))):
        found[f"{width} x {height}, {order}"] = np.asarray(picture.resize(first, BILINEAR).resize((224, 224), BILINEAR))
np.savez(sys.argv[1], **found)
PY
PYTHONPATH=old venv/bin/python shrink.py old.npz
PYTHONPATH=new venv/bin/python shrink.py new.npz
venv/bin/python - <<'PY'
import sys

import numpy as np

old, new = np.load("old.npz"), np.load("new.npz")
problems = []
for name in [name for name in old.files if name != "version" and "," not in name]:
    width, height = map(int, name.split(" x "))
    apart = np.abs(old[name].astype(int) - new[name])
    orders = [
        [order for order in ("rows", "columns") if np.array_equal(one[name], one[f"{name}, {order}"])] for one in (old, new)
    ]
    print(
        f"{name}: {np.mean(apart > 0):.1%} of bytes differ, by {apart.max()}; first {', '.join(map('?'.join, orders))} "
        f"({old['version']}, {new['version']})"
    )
    tall = height > width
    if orders != [["rows"], ["columns" if tall else "rows"]] or apart.max() != tall:
        problems.append(name)
if problems:
    sys.exit("no longer seen: 13.0.0 shrinks tall pictures, and these alone, along the columns first: " + "; ".join(problems))
PY
