#!/usr/bin/env bash
# torchmetrics decides batch by batch whether scores are logits, so an accuracy depends on the batch size.
#
# Guess:   scores beyond 0 to 1 are logits, as the documentation says; the metric sees that and applies a sigmoid to
#          all of them, so the same 4,000 scores give the same figure however they are batched.
# Happens: each update() looks at its own batch. A batch whose logits all happen to lie between 0 and 1 is taken for
#          probabilities and left alone: a logit of 0.3 (probability 0.57) then counts as 0.3. One photo at a time,
#          every fifth is; the accuracy moves by 2.4 points and the AUROC, which no monotone function can change,
#          by 2.1. Batches of 100 hide it.
# Matters: phones answer one photo at a time, and so do loops over them: the figure of an evaluation one by one is not
#          the figure of the same scores in batches, and the last, small batch of any loop is at risk.
# Do:      apply the sigmoid or softmax before the metric, always.
#
# Seen on 2026-11-30, x86-64, Python 3.11, torch 2.13.0 (the same 4,000 scores):
#   torchmetrics 1.9.0, batches of 100: accuracy 0.702, AUROC 0.750; one by one: 0.726, 0.729
#   sigmoid first, one by one: accuracy 0.702, AUROC 0.750
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

venv/bin/python -W ignore - <<'PY'
import sys

import torch
import torchmetrics
from torchmetrics.classification import BinaryAccuracy, BinaryAUROC

draws = torch.Generator().manual_seed(0)
labels = (torch.rand(4000, generator=draws) < 0.3).long()
logits = 1.5 * torch.randn(4000, generator=draws) + 1.5 * labels - 1


def measure(scores: torch.Tensor, batch: int) -> tuple[float, float]:
    accuracy, auroc = BinaryAccuracy(), BinaryAUROC()
    for start in range(0, len(scores), batch):
        for metric in (accuracy, auroc):
            metric.update(scores[start : start + batch], labels[start : start + batch])
    return float(accuracy.compute()), float(auroc.compute())


batched, single, applied = measure(logits, 100), measure(logits, 1), measure(logits.sigmoid(), 1)
print(f"torchmetrics {torchmetrics.__version__}, torch {torch.__version__}")
for name, (accuracy, auroc) in {
    "batches of 100": batched, "one by one": single, "sigmoid first, one by one": applied
}.items():
    print(f"{name}: accuracy {accuracy:.3f}, AUROC {auroc:.3f}")
if max(abs(a - b) for a, b in zip(batched, applied, strict=True)) > 1e-6:
    sys.exit("no longer seen: batches of 100 agree with the sigmoid applied by hand")
if single[0] - batched[0] < 0.02 or batched[1] - single[1] < 0.01:
    sys.exit("no longer seen: one by one, torchmetrics gives another accuracy and AUROC for the same logits")
PY
