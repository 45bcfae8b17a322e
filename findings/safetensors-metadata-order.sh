#!/usr/bin/env bash
# The same tensors and the same metadata give another safetensors file in every run.
#
# Guess:   the format is a plain header and bytes, so equal content is equal bytes; at worst the order of the keys is
#          the order in which they were given.
# Happens: the metadata's keys are written in an order that is drawn anew in every process, and even in every call.
#          Tensors are always in the same order. One key, or none, is reproducible.
# Matters: digests of checkpoints, caches keyed by them, content-addressed stores and "rebuild and compare" all see
#          another file. Loading is not affected.
# Do:      put everything under one metadata key, as JSON with sorted keys.
#
# Seen on 2026-11-30, Python 3.11, safetensors 0.8.0 (0.7.0 too), numpy 2.4.6:
#   six metadata keys: 8 processes wrote 8 different files; one key: 8 processes wrote 1 file
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps numpy==2.4.6 safetensors==0.8.0

cat > save.py <<'PY'
import hashlib
import sys

import numpy as np
from safetensors.numpy import save

weights = {"b": np.zeros(3, np.float32), "a": np.ones((2, 3), np.float32)}
metadata = {key: "1" for key in sys.argv[1].split(",")}
print(hashlib.sha256(save(weights, metadata=metadata)).hexdigest())
PY
files() { for _ in 1 2 3 4 5 6 7 8; do venv/bin/python save.py "$1"; done | sort -u | wc -l; }
many=$(files date,epoch,license,model,seed,source)
one=$(files all)
venv/bin/python -c 'import safetensors; print("safetensors", safetensors.__version__)'
echo "six metadata keys: 8 processes wrote $many different files; one key: 8 processes wrote $one file"
if [ "$many" -lt 2 ]; then echo "no longer seen: metadata keys come in any order" >&2; exit 1; fi
if [ "$one" -ne 1 ]; then echo "changed: even one metadata key is not reproducible" >&2; exit 1; fi
