#!/usr/bin/env bash
# A progressive JPEG decoded at 1/8 needs the whole picture's memory, and four times a baseline one's time.
#
# Guess:   a decode at 1/8 (Pillow's draft, Android's inSampleSize) needs memory and time by the small picture, however
#          the file orders its numbers: of each block of 8 x 8 it takes the mean alone.
# Happens: of a progressive file libjpeg keeps every coefficient of the whole picture, two bytes each, until the last scan
#          is read: 24 MB for 12 megapixels of grey where a baseline file needs none, and reads and sorts in what it ignores.
# Matters: what services on the web send on is often progressive; a gallery of thumbnails, or a phone that decodes small
#          to save memory, saves nothing with them. By the same count 200 megapixels cost 400 MB.
# Do:      budget memory by the file's kind and not by the size asked for; leave out the scans about the insides of
#          blocks before decoding (and put in one that calls them empty, or libjpeg smooths), which saves the time.
#
# Seen on 2026-11-30, x86-64, Python 3.11, Pillow 13.0.0, libjpeg-turbo 3.2.0 (4000 x 3000, grey, quality 92):
#   baseline at 1/8: 0 MiB, 33 ms of processor time
#   progressive at 1/8: 23 MiB, 136 ms of processor time
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps pillow==13.0.0 numpy==2.4.6

cat >decode.py <<'PY'
import sys
import time

from PIL import Image


def read(name: str) -> int:
    """Return a line of /proc/self/status, in KiB."""
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))


Image.open("tiny.jpg").load()
before, begun = read("VmRSS"), time.process_time()
with Image.open(sys.argv[1]) as image:
    image.draft(None, (500, 375))
    image.load()
    assert image.size == (500, 375)
print((read("VmHWM") - before) / 1024, 1e3 * (time.process_time() - begun))
PY

venv/bin/python - <<'PY'
import statistics
import subprocess
import sys

import numpy as np
from PIL import Image, features

random = np.random.default_rng(0)
y, x = np.mgrid[0:3000, 0:4000].astype(np.float32)
noise = random.normal(0, 6, y.shape).astype(np.float32)
picture = Image.fromarray((120 + 60 * np.sin(x / 310 + y / 500) + noise).clip(0, 255).astype(np.uint8))
picture.resize((8, 8)).save("tiny.jpg")
found = {}
for kind in ("baseline", "progressive"):
    picture.save(f"{kind}.jpg", quality=92, progressive=kind == "progressive")
    rows = [
        [float(word) for word in subprocess.check_output([sys.executable, "decode.py", f"{kind}.jpg"], text=True).split()]
        for _ in range(5)
    ]
    found[kind] = statistics.median(row[0] for row in rows), min(row[1] for row in rows)
    turbo = features.version_feature("libjpeg_turbo")
    print(f"libjpeg-turbo {turbo}, {kind} at 1/8: {found[kind][0]:.0f} MiB, {found[kind][1]:.0f} ms of processor time")
if not found["progressive"][0] > 20 > 4 > found["baseline"][0]:
    sys.exit("no longer seen: both kinds need the memory of the small picture")
if found["progressive"][1] < 2 * found["baseline"][1]:
    sys.exit("no longer seen: both kinds take as long")
PY
