#!/usr/bin/env bash
# torchmetrics counts a label that nobody has in the test set as an AUROC of 0, and takes it into the mean.
#
# Guess:   without a positive photo there is no AUROC: the label is left out of the macro mean, or the mean is not a number.
# Happens: MultilabelAUROC gives 0.0 for it, worse than any network that guesses (0.5), and average="macro" divides by all
#          labels: three labels with 0.90 each and an absent one make 0.67. All that is said is a UserWarning about a "true
#          positive value", which does not say that the mean holds a zero. With thresholds=100 not even that.
# Matters: rare findings are absent from small test sets, from single hospitals and from most validation folds. The figure
#          falls by 1/n for each, so folds are compared by who had which labels, and early stopping follows it.
# Do:      average=None, and a mean over the labels that occur, with their number beside it.
#
# Seen on 2026-11-30, x86-64, Python 3.11, torch 2.13.0 (2,000 photos, 4 labels, the last one on none of them):
#   torchmetrics 1.9.0, exact: labels 0.90 0.89 0.90 0.00; macro 0.67, mean of those that occur 0.90; warnings 1
#   torchmetrics 1.9.0, 100 thresholds: labels 0.90 0.89 0.90 0.00; macro 0.67, mean of those that occur 0.90; warnings 0
set -euo pipefail
pins=$(cd "$(dirname "$0")" && pwd)/torch.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
pip() { venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$@"; }
# CUDA's libraries come with it, about 3 GB; without them the wheel of PyPI does not load.
pip -r "$pins"
pip torchmetrics==1.9.0 lightning-utilities==0.15.3 packaging==26.4

venv/bin/python - <<'PY'
import importlib.metadata
import sys
import warnings

import torch
from torchmetrics.classification import MultilabelAUROC

LABELS = 4
generator = torch.Generator().manual_seed(0)
truth = (torch.rand(2000, LABELS, generator=generator) < 0.3).long()
truth[:, -1] = 0
scores = torch.sigmoid(torch.randn(2000, LABELS, generator=generator) + 1.8 * truth - 1)
for name, thresholds in (("exact", None), ("100 thresholds", 100)):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        each = MultilabelAUROC(LABELS, average=None, thresholds=thresholds)(scores, truth)
        macro = float(MultilabelAUROC(LABELS, average="macro", thresholds=thresholds)(scores, truth))
    words = {str(warning.message) for warning in said if issubclass(warning.category, UserWarning)}
    present = float(each[:-1].mean())
    print(f"torchmetrics {importlib.metadata.version('torchmetrics')}, {name}: labels "
          + " ".join(f"{value:.2f}" for value in each)
          + f"; macro {macro:.2f}, mean of those that occur {present:.2f}; warnings {len(words)}")
    for word in sorted(words):
        print(f"  said: {word}")
    if abs(macro - present) < 1e-3 or macro != macro:
        sys.exit("no longer seen: the absent label is part of the mean")
    if float(each[-1]) != 0 or abs(macro - 3 / 4 * present) > 1e-3:
        sys.exit("changed: the absent label counts otherwise than 0")
PY
