#!/usr/bin/env bash
# litert-torch converts PyTorch's nearest-neighbour resize into another one, which starts half a pixel later.
#
# Guess:   nn.Upsample(mode="nearest") takes column floor(i * n / m), and so does its converted file; mode="nearest-exact"
#          takes floor((i + 0.5) * n / m), and so does its own.
# Happens: both become RESIZE_NEAREST_NEIGHBOR with half_pixel_centers, which is nearest-exact. Enlarged by a whole
#          factor the two are the same, which hides it; enlarged by 1.5 a third of the columns are the right
#          neighbour's, halved all of them are.
# Matters: a feature pyramid whose sides are odd (a 15 x 20 map onto 29 x 39) adds maps that are shifted against each
#          other, and a mask is a pixel aside. The shape is right and nothing is said.
# Do:      whole factors, or indexing by computed columns; compare the converted file with PyTorch at the odd sizes.
#
# Seen on 2026-11-30, x86-64, Python 3.11, torch 2.13.0, ai-edge-litert 2.3.0 (columns that are other ones):
#   litert-torch 0.10.0, nearest: 12 to 24: 0 of 24, 12 to 18: 6 of 18, 12 to 6: 6 of 6
#   litert-torch 0.10.0, nearest-exact: 12 to 24: 0 of 24, 12 to 18: 0 of 18, 12 to 6: 0 of 6
set -euo pipefail
pins=$(cd "$(dirname "$0")" && pwd)/litert-torch.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
# torch's wheel brings CUDA's libraries along, about 3 GB.
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r "$pins"

venv/bin/python -W ignore - >answer.txt 2>log.txt <<'PY' || { cat answer.txt; tail -n 1 log.txt >&2; exit 1; }
import importlib.metadata
import sys

import litert_torch
import numpy as np
import torch


def convert(module: torch.nn.Module, photo: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return PyTorch's answer, and the converted file's."""
    with torch.no_grad():
        expected = module.eval()(photo).numpy()
    return expected, np.asarray(litert_torch.convert(module, (photo,))(photo))


columns = torch.arange(12.0).expand(1, 1, 12, 12).contiguous()
found = {}
for mode in ("nearest", "nearest-exact"):
    found[mode] = []
    for size in (24, 18, 6):
        expected, got = convert(torch.nn.Upsample(size=(12, size), mode=mode), columns)
        found[mode].append(int(np.count_nonzero(expected[0, 0, 0] != got[0, 0, 0])))
    counts = ", ".join(f"12 to {s}: {n} of {s}" for s, n in zip((24, 18, 6), found[mode], strict=True))
    print(f"litert-torch {importlib.metadata.version('litert-torch')}, {mode}: {counts}")
if found["nearest-exact"] != [0, 0, 0]:
    sys.exit("no longer seen: nearest-exact is converted as it is")
if found["nearest"] != [0, 6, 6]:
    sys.exit("no longer seen: nearest is converted to nearest-exact")
PY
grep -a '^litert-torch' answer.txt
