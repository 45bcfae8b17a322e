"""Measure ImageQXKit's stretch of a 12-megapixel photo beside Pillow's, in one run: they take turns.

``make bench-ios``: seconds of CPU of the one thread that works, after both are warm; medians with quartiles, and the
median of the rounds' ratios. Both end with the same bytes, or the run fails. The kit is built in release mode by
Debian's Swift compiler, and counts what it asks memory for.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imageqx_export.preprocess import stretch
from tests.ios import toolchain

KIT = Path(__file__).parents[1] / "ios_demo" / "ImageQXKit"
WIDTH, HEIGHT, SIDE = 4032, 3024, 224
CASES = {"upright": (1, None), "EXIF 6, as phones write portraits": (6, Image.Transpose.ROTATE_270)}
_WARM = 3


def main() -> None:
    """Print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    rounds = parser.parse_args().rounds
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8))
    print(f"{WIDTH} × {HEIGHT} → {SIDE}², {rounds} rounds, ms of CPU: median [quartiles]")
    for name, (exif, turn) in CASES.items():
        pillow, kit, (calls, size) = measure(photo, exif, turn, rounds)
        memory = f"{calls} allocations of {size} bytes in all"
        print(f"{name}: Pillow {show(pillow)}, ImageQXKit {show(kit)}, ratio {show(kit / pillow)}, {memory}")


def measure(
    photo: Image.Image, exif: int, turn: Image.Transpose | None, rounds: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[int, int]]:
    """Let both take turns.

    Returns:
        Milliseconds of CPU of Pillow and of the kit, per round, and the most allocations and bytes of one stretch.
    """
    times = np.zeros((2, rounds))
    most = (0, 0)
    with tempfile.TemporaryDirectory() as folder, start_bench(photo, exif, Path(folder)) as bench:
        assert bench.stdin is not None and bench.stdout is not None
        for number in range(-_WARM, rounds):
            began = time.thread_time()
            expected = stretch(photo if turn is None else photo.transpose(turn), (SIDE, SIDE))
            seconds = time.thread_time() - began
            bench.stdin.write("go\n")
            bench.stdin.flush()
            took, calls, size = bench.stdout.readline().split()
            if number >= 0:
                times[:, number] = 1e3 * seconds, 1e3 * float(took)
                most = max(most, (int(calls), int(size)))
        bench.stdin.close()
        bench.wait()
        if (Path(folder) / "result").read_bytes() != expected.tobytes():
            raise SystemExit("the kit's pixels are not Pillow's")
    return times[0], times[1], most


@contextmanager
def start_bench(photo: Image.Image, exif: int, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Build the kit's benchmark, and start it on a photo."""
    built = toolchain.run(["swift", "build", "-c", "release", "-j", "1", "--product", "resize-bench"], KIT)
    if built.returncode:
        raise SystemExit(built.stdout + built.stderr)
    (folder / "samples").write_bytes(photo.tobytes())
    words = [".build/release/resize-bench", WIDTH, HEIGHT, exif, folder / "samples", folder / "result"]
    command = toolchain.make_command(toolchain.build_root(), [str(word) for word in words], KIT, [folder])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as bench:
        yield bench


def show(values: NDArray[np.float64]) -> str:
    """Return a median with its quartiles."""
    lower, middle, upper = np.percentile(values, [25, 50, 75])
    return f"{middle:.3g} [{lower:.3g}–{upper:.3g}]"


if __name__ == "__main__":
    main()
