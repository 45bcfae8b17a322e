"""What the page's tests compare with, beside what android_demo's tests do: the golden photos, decoded in full.

A browser cannot decode a JPEG at a reduced scale. ``golden/photos/`` has two that Python decodes so; ``full/`` has
their pixels of the full decode, stretched by Pillow.
"""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image, ImageOps

from android_demo.tools.golden import write_golden as write_shared
from imageqx_export.preprocess import stretch

SIDE = 224


def write_golden(artifacts: Path, out: Path) -> None:
    """Write all of it into a new folder.

    Args:
        artifacts: An export's folder.
        out: Must not exist.
    """
    write_shared(out)
    photos = artifacts / "golden" / "photos"
    rows = json.loads((photos / "photos.json").read_text(encoding="utf-8"))["photos"]
    (out / "full").mkdir()
    for row in rows:
        if row["reduction"] > 1:
            with Image.open(photos / row["photo"]) as image:
                upright = ImageOps.exif_transpose(image).convert("RGB")
            (out / "full" / row["pixels"]).write_bytes(stretch(upright, (SIDE, SIDE)).tobytes())
