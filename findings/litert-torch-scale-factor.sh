#!/usr/bin/env bash
# litert-torch resizes by the ratio of the sizes where PyTorch resizes by the scale factor that was asked for.
#
# Guess:   nn.Upsample(scale_factor=s, mode="bilinear") is converted to the same samples; the scale is a constant of the
#          module.
# Happens: PyTorch samples at i / s, and only the output's size is rounded down. TFLite's RESIZE_BILINEAR knows sizes
#          alone, and the converter gives it those: where n * s is no whole number, every sample lies elsewhere, the more
#          the farther from the corner. 224 columns shrunk to a third are two columns off at the right edge. Where n * s
#          is whole nothing differs.
# Matters: a detector's boxes and a segmenter's masks drift towards one corner. A test at 240 x 240 does not show it.
# Do:      give the size (size=...) or recompute_scale_factor=True while training, so that PyTorch does the same.
#
# Seen on 2026-11-30, x86-64, Python 3.11, torch 2.13.0, ai-edge-litert 2.3.0 (a ramp, last column):
#   litert-torch 0.10.0, 225 to a third: PyTorch 223.00, converted 223.00
#   litert-torch 0.10.0, 224 to a third: PyTorch 220.00, converted 221.99
#   litert-torch 0.10.0, 13 to a half: PyTorch 10.50, converted 11.42
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


last = {}
for count, factor, name in ((225, 1 / 3, "a third"), (224, 1 / 3, "a third"), (13, 1 / 2, "a half")):
    ramp = torch.arange(float(count)).expand(1, 1, 4, count).contiguous()
    expected, got = convert(torch.nn.Upsample(scale_factor=(1.0, factor), mode="bilinear"), ramp)
    if expected.shape != got.shape:
        sys.exit(f"no longer seen: the shape is right ({got.shape})")
    last[count] = (float(expected[0, 0, 0, -1]), float(got[0, 0, 0, -1]))
    print(
        f"litert-torch {importlib.metadata.version('litert-torch')}, {count} to {name}: "
        f"PyTorch {last[count][0]:.2f}, converted {last[count][1]:.2f}"
    )
if abs(last[225][0] - last[225][1]) > 1e-3:
    sys.exit("no longer seen: a whole number of columns is right")
if last[224][1] - last[224][0] < 1.5 or last[13][1] - last[13][0] < 0.5:
    sys.exit("no longer seen: a scale factor that leaves a fraction is replaced by the ratio of the sizes")
PY
grep -a '^litert-torch' answer.txt
