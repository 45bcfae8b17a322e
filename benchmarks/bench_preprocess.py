"""Time preprocessing of a 12-megapixel JPEG against Pillow's own draft decode plus resize.

All contestants decode the same bytes, made here, in turns, so that a busy machine slows them alike.

    python -m benchmarks.bench_preprocess
    python -m benchmarks.bench_preprocess --rounds 30 --json
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import statistics
import struct
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, features
from rich.console import Console
from rich.table import Table

from imageqx_export.artifact import Preprocessing
from imageqx_export.bench.photo import HEIGHT, WIDTH, encode, make_photo
from imageqx_export.preprocess import REDUCED, REDUCED_MAX, REDUCED_MEAN, load_pixels

RATIO_LIMIT = 1.3
# The first four leave exactly 1.5 times the target at 1/8, 1/4, 1/2; the odd ones do not divide evenly.
GEOMETRIES = ((2688, 2688), (2688, 3600), (1344, 1344), (672, 672), (1350, 2999), (750, 753))
GRAINS = (8, 16, 24)
"""Standard deviations of a dark photo's noise, in levels of 255."""
SIZE = Preprocessing().height
REDUCED_SIDE = int(REDUCED * SIZE)
OURS = "load_pixels"
OURS_WIDE = "load_pixels, P3 → sRGB"
OURS_PROGRESSIVE = "load_pixels, progressive"
BASELINE = f"Pillow draft({SIZE}) + resize"

Pixels = NDArray[np.uint8]


def grainy(picture: Image.Image, sigma: float, block: int = 2) -> Image.Image:
    """Add a dark photo's noise: normal, of blocks of pixels, as a camera's own smoothing leaves it.

    Args:
        picture: Of mode RGB.
        sigma: Standard deviation, in levels of 255.
        block: Pixels a side that have the same noise.
    """
    height, width = picture.height, picture.width
    random = np.random.default_rng(0)
    grain = random.normal(0, sigma, (-(-height // block), -(-width // block), 3)).astype(np.float32)
    noise = np.kron(grain, np.ones((block, block, 1), np.float32))[:height, :width]
    return Image.fromarray((np.asarray(picture, np.float32) + noise).clip(0, 255).astype(np.uint8))


def display_p3() -> bytes:
    """Make a Display P3 profile, as phones embed it: ICC version 2, three primaries, sRGB's curve."""

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"para" + bytes(4) + struct.pack(">HH", 3, 0)
    curve += fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    white = (0.9642, 1.0, 0.8249)
    primaries = {
        "r": (0.51512, 0.24120, -0.00105),
        "g": (0.29198, 0.69225, 0.04189),
        "b": (0.15710, 0.06657, 0.78407),
    }
    tags = {b"wtpt": b"XYZ " + bytes(4) + fixed(*white)}
    for name, xyz in primaries.items():
        tags[f"{name}XYZ".encode()] = b"XYZ " + bytes(4) + fixed(*xyz)
        tags[f"{name}TRC".encode()] = curve
    table, body = struct.pack(">I", len(tags)), b""
    for tag, value in tags.items():
        table += tag + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(value))
        body += value
    header = struct.pack(">4xI4s4s4s", 0x02400000, b"mntr", b"RGB ", b"XYZ ") + bytes(12) + b"acsp"
    header += bytes(28) + fixed(*white)
    size = struct.pack(">I", 128 + len(table) + len(body))
    return size + header.ljust(124, b"\0") + table + body


def pillow(data: bytes, side: int | None) -> Pixels:
    """Decode and stretch with Pillow alone.

    Args:
        data: A JPEG file.
        side: Fewest pixels per side that draft mode may leave; None decodes in full.

    Returns:
        uint8 [224, 224, 3], 0 to 255.
    """
    with Image.open(io.BytesIO(data)) as image:
        if side is not None:
            image.draft("RGB", (side, side))
        return np.array(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def measure(data: bytes, wide: bytes, progressive: bytes, rounds: int) -> dict[str, dict[str, float]]:
    """Time every contestant in turns and compare its pixels with the full decode's.

    Args:
        data: A JPEG file.
        wide: The same with a Display P3 profile, whose colours ours converts and the baseline ignores.
        progressive: The same picture in scans, as services on the web write it.
        rounds: Timed calls of each contestant, after one that is not counted.

    Returns:
        Per contestant: ``median_ms`` and ``best_ms`` of a call, in milliseconds of processor time; ``ratio``, the
        median over the rounds of its time divided by the baseline's in the same round;
        ``mean_delta`` and ``max_delta``, |Δ| against the full decode of ``data``, in levels of 255.
    """
    contestants: dict[str, Callable[[], Pixels]] = {
        OURS: lambda: load_pixels(data),
        OURS_WIDE: lambda: load_pixels(wide),
        OURS_PROGRESSIVE: lambda: load_pixels(progressive),
        f"{BASELINE}, progressive": lambda: pillow(progressive, SIZE),
        BASELINE: lambda: pillow(data, SIZE),
        f"Pillow draft({2 * SIZE}) + resize": lambda: pillow(data, 2 * SIZE),
        "Pillow full decode + resize": lambda: pillow(data, None),
    }
    pixels = {name: call().astype(np.int16) for name, call in contestants.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for turn in range(rounds):
        # The order rotates, so that no contestant always runs on the caches of the same other one.
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            start = time.process_time()
            contestants[name]()
            seconds[name].append(time.process_time() - start)
    full = pixels["Pillow full decode + resize"]
    rows = {}
    for name, times in seconds.items():
        delta = np.abs(pixels[name] - full)
        rows[name] = {
            "median_ms": 1e3 * statistics.median(times),
            "best_ms": 1e3 * min(times),
            "ratio": statistics.median(a / b for a, b in zip(times, seconds[BASELINE], strict=True)),
            "mean_delta": float(delta.mean()),
            "max_delta": float(delta.max()),
        }
    return rows


def accuracy() -> dict[str, dict[str, float]]:
    """Compare reduced with full decoding at other sizes, and where reducing does the most harm.

    Returns:
        Per picture: ``mean_delta`` and ``max_delta``, |Δ| in levels of 255.
    """
    pictures = {f"photo, {width} × {height}": make_photo(width, height, seed=1) for width, height in GEOMETRIES}
    plain = list(pictures.items())
    pictures |= {f"{name}, grain of {sigma} levels": grainy(one, sigma) for name, one in plain for sigma in GRAINS}
    y, x = np.mgrid[0 : 8 * REDUCED_SIDE, 0 : 8 * REDUCED_SIDE]
    for stripe in (9, 17, 33):
        slanted = ((x + y // 3) // stripe % 2 * 255).astype(np.uint8)
        pictures[f"stripes, {stripe * SIZE / x.shape[1]:.1f} output pixels wide"] = Image.fromarray(
            np.dstack([slanted] * 3)
        )
    rows = {}
    for name, picture in pictures.items():
        data = encode(picture)
        delta = np.abs(load_pixels(data).astype(np.int16) - pillow(data, None))
        rows[name] = {"mean_delta": float(delta.mean()), "max_delta": float(delta.max())}
    return rows


def passes(rows: dict[str, dict[str, float]]) -> bool:
    """Tell whether ours keeps to its limits of time and accuracy."""
    ours = rows[OURS]
    exact = ours["mean_delta"] <= REDUCED_MEAN and ours["max_delta"] <= REDUCED_MAX
    return exact and ours["ratio"] <= RATIO_LIMIT


def show(title: str, rows: dict[str, dict[str, float]]) -> None:
    """Print one table of measurements; a number that was not taken stays blank."""
    table = Table("", "median ms", "best ms", "ratio", "mean |Δ|", "max |Δ|", title=title)
    for name, row in rows.items():
        # Other colours are the very point of converting a profile, so a difference would mean nothing.
        blank = {"mean_delta", "max_delta"} if name == OURS_WIDE else set()
        columns = {
            "median_ms": ".1f",
            "best_ms": ".1f",
            "ratio": ".2f",
            "mean_delta": ".3f",
            "max_delta": ".0f",
        }
        cells = (format(row[k], form) if k in row and k not in blank else "" for k, form in columns.items())
        table.add_row(name, *cells)
    Console().print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark.

    Args:
        argv: Command-line arguments without the program's name; None takes the process's.

    Returns:
        0 if ours keeps to its limits, else 1.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_preprocess", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="timed calls of each contestant (default: 15)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the picture (default: 0)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(argv)
    picture = make_photo(seed=options.seed)
    data = encode(picture)
    rows = measure(data, encode(picture, display_p3()), encode(picture, progressive=True), max(1, options.rounds))
    others = accuracy()
    jpeg = f"libjpeg-turbo {features.version_feature('libjpeg_turbo')}"
    machine = f"Pillow {PIL.__version__}, {jpeg}, Python {platform.python_version()}, {platform.machine()}"
    if options.json:
        report = {"width": WIDTH, "height": HEIGHT, "bytes": len(data), "machine": machine, "rows": rows}
        report["accuracy"] = others
        print(json.dumps({**report, "ratio_limit": RATIO_LIMIT, "passes": passes(rows)}, indent=2))
    else:
        show(f"{WIDTH} × {HEIGHT} JPEG, {len(data) / 1e6:.1f} MB; {machine}", rows)
        show("Reduced against full decode", others)
    return 0 if passes(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
