#!/usr/bin/env bash
# A transposed numpy array, saved with safetensors 0.8.0, comes back with its values in other places.
#
# Guess:   save_file writes the values that the array shows, as numpy.save and safetensors 0.7.0 do, or refuses (its
#          torch twin raises ValueError for a tensor that is not contiguous).
# Happens: 0.8.0 takes the array's memory as it lies and writes the array's shape beside it. Nothing is raised, the
#          file is well-formed, and loading it gives the right shape with shuffled values. The docstring asks for
#          contiguous arrays, in 0.7.0 too, which wrote the right file.
# Matters: weights change their order of axes on the way between frameworks (HWIO to OIHW, a Linear's transpose), and
#          `array.T` or `array.transpose(...)` is such a view. A checkpoint is scrambled by an upgrade, without a word.
# Do:      numpy.ascontiguousarray before saving.
#
# Seen on 2026-11-30, Python 3.11, numpy 2.4.6:
#   safetensors 0.7.0: an HWIO kernel saved as OIHW comes back equal: True
#   safetensors 0.8.0: an HWIO kernel saved as OIHW comes back equal: False (shape (8, 3, 3, 3), 216 of 216 values
#     there, 2 in their place)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
pip() { venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$@"; }
pip numpy==2.4.6
pip --target old safetensors==0.7.0
pip --target new safetensors==0.8.0

cat > save.py <<'PY'
import sys

import numpy as np
import safetensors
from safetensors.numpy import load_file, save_file

hwio = np.arange(3 * 3 * 3 * 8, dtype=np.float32).reshape(3, 3, 3, 8)
oihw = hwio.transpose(3, 2, 0, 1)
save_file({"weight": oihw}, "weight.safetensors")
back = load_file("weight.safetensors")["weight"]
equal = np.array_equal(back, oihw)
text = f"safetensors {safetensors.__version__}: an HWIO kernel saved as OIHW comes back equal: {equal}"
if not equal:
    there, placed = np.isin(oihw, back).sum(), (back == oihw).sum()
    text += f" (shape {back.shape}, {there} of {oihw.size} values there, {placed} in their place)"
print(text)
packed = np.ascontiguousarray(oihw)
save_file({"weight": packed}, "packed.safetensors")
assert np.array_equal(load_file("packed.safetensors")["weight"], oihw), "a contiguous copy is saved wrongly too"
sys.exit(0 if equal == (sys.argv[1] == "right") else f"no longer seen: {text}")
PY
PYTHONPATH=old venv/bin/python save.py right
PYTHONPATH=new venv/bin/python save.py wrong
