#!/usr/bin/env bash
# litert-torch shifts a max pool with ceil_mode when only one side of the picture needs the ceiling.
#
# Guess:   MaxPool2d(3, 2, ceil_mode=True) is converted to the same windows, or refused; if one picture's answer is
#          right, another size's is.
# Happens: where both sides divide, or neither does, it is right. Where one does and one does not (15 x 14), the file
#          pools with SAME padding: the side that divides gets a row more, 8 where PyTorch has 7, and all of its
#          windows begin a pixel earlier. Nothing is said; a global pool behind it hides the shape.
# Matters: SqueezeNet's and GoogLeNet's pools are of this kind. On a square photo the converted network is
#          right and passes its test, on a portrait photo it is another network.
# Do:      pad by hand and pool without ceil_mode; test conversions at a size with unequal sides.
#
# Seen on 2026-11-30, x86-64, Python 3.11, torch 2.13.0, ai-edge-litert 2.3.0 (3 x 3 windows, stride 2, ceil_mode):
#   litert-torch 0.10.0, 15 x 15: PyTorch 7 x 7, converted 7 x 7, 0% of the common values differ
#   litert-torch 0.10.0, 14 x 14: PyTorch 7 x 7, converted 7 x 7, 0% of the common values differ
#   litert-torch 0.10.0, 15 x 14: PyTorch 7 x 7, converted 8 x 7, 46% of the common values differ
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


shapes, shares = {}, {}
for rows, columns in ((15, 15), (14, 14), (15, 14)):
    photo = torch.randn(1, 4, rows, columns, generator=torch.Generator().manual_seed(0))
    expected, got = convert(torch.nn.MaxPool2d(3, 2, ceil_mode=True), photo)
    size = f"{rows} x {columns}"
    shapes[size] = (expected.shape[2:], got.shape[2:])
    shares[size] = float(np.mean(expected[..., :7, :7] != got[..., :7, :7]))
    (a, b), (c, d) = shapes[size]
    print(
        f"litert-torch {importlib.metadata.version('litert-torch')}, {size}: PyTorch {a} x {b}, converted {c} x {d}, "
        f"{shares[size]:.0%} of the common values differ"
    )
if any(shapes[size] != ((7, 7), (7, 7)) or shares[size] for size in ("15 x 15", "14 x 14")):
    sys.exit("no longer seen: equal sides are converted right")
if shapes["15 x 14"] != ((7, 7), (8, 7)) or shares["15 x 14"] < 0.2:
    sys.exit("no longer seen: of unequal sides, one gets a row too many")
PY
grep -a '^litert-torch' answer.txt
