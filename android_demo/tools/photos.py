"""Photos with the pixels that ``load_pixels`` makes of them, for the tests of Android's decoders.

The export's own golden photos, and kinds of files that they leave out. Run as a program,
``python -m android_demo.tools.photos FOLDER``, it writes them and ``photos.json``.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imageqx_export.artifact import Preprocessing
from imageqx_export.bundle.photos import write_photos
from imageqx_export.preprocess import load_pixels

_KINDS: dict[str, tuple[str, tuple[int, int], dict[str, Any]]] = {
    "progressive.jpg": ("JPEG", (720, 1280), {"quality": 90, "progressive": True}),
    "sampled_422.jpg": ("JPEG", (900, 700), {"quality": 90, "subsampling": "4:2:2"}),
    "odd.jpg": ("JPEG", (1003, 1507), {"quality": 92}),
    "quarter.jpg": ("JPEG", (1501, 1999), {"quality": 92, "subsampling": "4:4:4"}),
    "eighth.jpg": ("JPEG", (2700, 3600), {"quality": 80}),
    "lossy.webp": ("WEBP", (567, 1008), {"quality": 85}),
    "lossless.webp": ("WEBP", (336, 500), {"lossless": True}),
    "palette.png": ("PNG", (300, 200), {}),
}


def write_decoder_photos(folder: Path) -> None:
    """Write all of it into a folder, which is made."""
    write_photos(folder, Preprocessing())
    index = json.loads((folder / "photos.json").read_text(encoding="utf-8"))
    for name, (kind, size, options) in _KINDS.items():
        picture = _draw(*size)
        if name.startswith("palette"):
            picture = picture.quantize(200)
        data = io.BytesIO()
        picture.save(data, kind, **options)
        (folder / name).write_bytes(data.getvalue())
        (folder / f"{name}.rgb").write_bytes(load_pixels(data.getvalue()).tobytes())
        index["photos"].append({"photo": name, "pixels": f"{name}.rgb", "needs": []})
    (folder / "photos.json").write_text(json.dumps(index), encoding="utf-8")


def _draw(width: int, height: int) -> Image.Image:
    """Draw soft blobs with a little noise, as photos have."""
    random = np.random.default_rng(width)
    coarse = Image.fromarray(random.integers(30, 226, (12, 9, 3)).astype(np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    noise = random.integers(-6, 7, smooth.shape)
    return Image.fromarray(np.clip(smooth + noise, 0, 255).astype(np.uint8))


if __name__ == "__main__":
    write_decoder_photos(Path(sys.argv[1]))
