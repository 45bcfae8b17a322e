"""Measure core's stretch of a 12-megapixel photo beside Pillow's, in one run: they take turns.

``make bench-android``: CPU time of the one thread that works, after both are warm; medians with quartiles, and the
median of the rounds' ratios. Both end with the same bytes, or the run fails.
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

from android_demo.tools import modules
from android_demo.tools.jdk import find_jdk
from android_demo.tools.kotlin import TEST_OPTIONS, compile_kotlin
from android_demo.tools.maven import fetch
from imageqx_export.preprocess import stretch

WIDTH, HEIGHT, SIDE = 4032, 3024, 224
CASES = {"upright": (1, None), "EXIF 6, as phones write portraits": (6, Image.Transpose.ROTATE_270)}
_WARM = 30


def main() -> None:
    """Print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    rounds = parser.parse_args().rounds
    random = np.random.default_rng(0)
    photo = Image.fromarray(random.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8))
    print(f"{WIDTH} × {HEIGHT} → {SIDE}², {rounds} rounds, ms of CPU: median [quartiles]")
    for name, (exif, turn) in CASES.items():
        pillow, kotlin, allocated = measure(photo, exif, turn, rounds)
        ratios = kotlin / pillow
        print(f"{name}: Pillow {show(pillow)}, core {show(kotlin)}, ratio {show(ratios)}, {allocated} bytes a photo")


def measure(
    photo: Image.Image, exif: int, turn: Image.Transpose | None, rounds: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Let both take turns.

    Returns:
        Milliseconds of CPU of Pillow and of core, per round, and the most bytes that core allocated in one.
    """
    times = np.zeros((2, rounds))
    allocated = 0
    with tempfile.TemporaryDirectory() as folder, start_bench(photo, exif, Path(folder)) as bench:
        for number in range(-_WARM, rounds):
            began = time.thread_time()
            expected = stretch(photo if turn is None else photo.transpose(turn), (SIDE, SIDE))
            seconds = time.thread_time() - began
            nanoseconds, bytes_allocated = ask(bench)
            if number >= 0:
                times[:, number] = seconds * 1e3, nanoseconds / 1e6
                allocated = max(allocated, bytes_allocated)
        bench.communicate()
        if (Path(folder) / "out.rgb").read_bytes() != expected.tobytes():
            raise SystemExit("core and Pillow give other bytes")
    return times[0], times[1], allocated


def ask(bench: subprocess.Popen[str]) -> tuple[int, int]:
    """Let core stretch once; return nanoseconds of CPU and bytes that it allocated."""
    assert bench.stdin and bench.stdout
    bench.stdin.write("\n")
    bench.stdin.flush()
    nanoseconds, allocated = map(int, bench.stdout.readline().split())
    return nanoseconds, allocated


@contextmanager
def start_bench(photo: Image.Image, exif: int, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the JVM that answers a line a round."""
    core = modules.build_core()
    sources = [modules.list_sources("core", "bench")]
    bench = compile_kotlin("core/bench", sources, core, options=TEST_OPTIONS)
    (folder / "in.rgba").write_bytes(photo.convert("RGBA").tobytes())
    classpath = ":".join(str(jar) for jar in [bench, *core, *fetch("kotlin")])
    arguments = [folder / "in.rgba", WIDTH, HEIGHT, exif, folder / "out.rgb"]
    command = [find_jdk().java, "-Xmx1g", "-XX:+UseSerialGC", "-cp", classpath, "org.imageqx.core.StretchBenchKt"]
    with subprocess.Popen(
        [str(word) for word in [*command, *arguments]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


def show(values: NDArray[np.float64]) -> str:
    """Return a median with its quartiles."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return f"{middle:.2f} [{low:.2f}–{high:.2f}]"


if __name__ == "__main__":
    main()
