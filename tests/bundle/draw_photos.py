"""Draw the photos that every export's ``golden/photos/`` has; they lie in ``imageqx_export/bundle/golden_photos/``.

``python -m tests.bundle.draw_photos FOLDER`` writes them anew. They are kept as files, since what a JPEG's or PNG's
writer makes of the same picture is its version's affair, and the phones' tests need the same bytes everywhere.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.pictures import P3, icc

JPEG = {"quality": 75, "subsampling": 0}
SMALL_COLOUR = JPEG | {"subsampling": 2}


def draw(width: int, height: int, seed: int = 0, step: int = 1) -> NDArray[np.uint8]:
    """Draw a mole on skin with hairs and a ruler's marks, uint8 [height,width,3], in levels ``step`` apart.

    It has no symmetry, so that a wrong turn shows, and an edge nearly everywhere, so that a wrong pass does.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(float)
    y, x = (y + 0.5) / height, (x + 0.5) / width
    skin = np.array([214.0, 160.0, 132.0]) + 26 * (0.7 * x + 0.3 * y - 0.5)[..., None] * np.array([1.0, 0.9, 0.8])
    across, down = min(width / 9, 20), min(height / 7, 30)
    lines = np.sin(2 * np.pi * (across * x + down * y / 2)) + np.sin(2 * np.pi * (down * y - across * x / 2))
    scene = skin + 7 * lines[..., None]
    far = np.hypot((x - 0.42) / 0.2, (y - 0.38) / 0.13) + 0.12 * np.sin(9 * np.arctan2(y - 0.38, x - 0.42))
    scene = np.where((far < 1)[..., None], np.array([96.0, 58.0, 44.0]) + 30 * far[..., None], scene)
    for start, slope in zip(rng.uniform(0, 1, 9), rng.uniform(-0.5, 0.5, 9), strict=True):
        hair = np.abs(x - start - slope * y) * width < 0.8
        scene[hair] = (52, 40, 34)
    marks = (y > 0.94) & (x * 20 % 1 < 0.3)
    scene[marks] = (235, 240, 245)
    return np.asarray((scene.clip(0, 255) / step).astype(np.uint8) * step)


def write_all(folder: Path) -> None:
    """Write every photo."""

    def save(name: str, picture: Image.Image, **options: Any) -> None:
        picture.save(folder / name, optimize=True, **options)

    def picture(width: int, height: int, step: int = 1) -> Image.Image:
        return Image.fromarray(draw(width, height, step=step))

    def turned(orientation: int) -> Image.Exif:
        exif = Image.Exif()
        exif[0x0112] = orientation
        return exif

    save("tall_336x500.png", picture(336, 500, 8))
    save("tall_336x500.jpg", picture(336, 500), **JPEG)
    save("tall_567x1008.jpg", picture(567, 1008), **SMALL_COLOUR)
    save("tall_720x1280.jpg", picture(720, 1280), **SMALL_COLOUR)
    save("wide_500x336.png", picture(500, 336, 8))
    save("wide_640x400.jpg", picture(640, 400), **SMALL_COLOUR)
    save("column_1x300.png", picture(1, 300, 8))
    save("row_300x1.png", picture(300, 1, 8))
    save("dot_1x1.png", picture(1, 1, 8))
    save("small_60x40.png", picture(60, 40, 8))
    for orientation in range(1, 9):
        save(f"orientation_{orientation}.jpg", picture(150, 105), exif=turned(orientation), **JPEG)
    save("odd_turned_1003x901.jpg", picture(1003, 901), exif=turned(6), **SMALL_COLOUR)
    save("colour_422_700x900.jpg", picture(700, 900), **(JPEG | {"subsampling": 1}))
    save("progressive_200x300.jpg", picture(200, 300), progressive=True, **JPEG)
    save("display_p3_200x300.png", picture(200, 300, 8), icc_profile=icc(P3, None))
    save("display_p3_200x300.jpg", picture(200, 300), icc_profile=icc(P3, None), **JPEG)
    save("cmyk_200x300.jpg", picture(200, 300).convert("CMYK"), **JPEG)
    save("grey_200x300.jpg", picture(200, 300).convert("L"), quality=82)
    save("grey_200x300.png", picture(200, 300, 8).convert("L"))
    alpha = np.dstack([draw(200, 300, step=8), draw(200, 300, 1, 8)[..., 0]])
    save("alpha_200x300.png", Image.fromarray(alpha))


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
